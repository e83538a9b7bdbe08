package gradate.unsafe_sysctls_test

import data.gradate.unsafe_sysctls
import rego.v1

pod(names) := {"request": {"object": {"spec": {
	"containers": [{"name": "app", "image": "app:1"}],
	"securityContext": {"sysctls": [{"name": name, "value": "1"} | some name in names]},
}}}}

test_userns_clone_is_denied if {
	some violation in unsafe_sysctls.deny with input as pod(["kernel.unprivileged_userns_clone"])
	violation.path == ["spec", "securityContext", "sysctls", 0]
	violation.msg == "sysctl kernel.unprivileged_userns_clone is outside the safe set of the Pod Security Standards"
}

test_the_safe_set_passes if {
	count(unsafe_sysctls.deny) == 0 with input as pod([
		"kernel.shm_rmid_forced",
		"net.ipv4.ip_local_port_range",
		"net.ipv4.ip_unprivileged_port_start",
		"net.ipv4.tcp_syncookies",
		"net.ipv4.ping_group_range",
		"net.ipv4.ip_local_reserved_ports",
		"net.ipv4.tcp_keepalive_time",
		"net.ipv4.tcp_fin_timeout",
		"net.ipv4.tcp_keepalive_intvl",
		"net.ipv4.tcp_keepalive_probes",
		"net.ipv4.tcp_rmem",
		"net.ipv4.tcp_wmem",
		"net.ipv4.tcp_slow_start_after_idle",
		"net.ipv4.tcp_notsent_lowat",
	])
}

test_a_pod_without_sysctls_passes if {
	count(unsafe_sysctls.deny) == 0 with input as {"request": {"object": {"spec": {"containers": []}}}}
	count(unsafe_sysctls.deny) == 0 with input as {"request": {"object": {"spec": {"securityContext": {"sysctls": null}}}}}
}

test_each_unsafe_sysctl_is_reported if {
	count(unsafe_sysctls.deny) == 2 with input as pod(["vm.swappiness", "net.ipv4.tcp_syncookies", "fs.file-max"])
}

test_slashes_mean_the_same_as_dots if {
	count(unsafe_sysctls.deny) == 0 with input as pod(["net/ipv4/tcp_syncookies"])
	some violation in unsafe_sysctls.deny with input as pod(["kernel/unprivileged_userns_clone"])
	violation.details.sysctl == "kernel.unprivileged_userns_clone"
}

test_a_dot_in_an_interface_name_survives if {
	some slashed in unsafe_sysctls.deny with input as pod(["net/ipv4/conf/eth0.100/rp_filter"])
	slashed.details.sysctl == "net.ipv4.conf.eth0/100.rp_filter"
	some dotted in unsafe_sysctls.deny with input as pod(["net.ipv4.conf.eth0/100.rp_filter"])
	dotted.details.sysctl == "net.ipv4.conf.eth0/100.rp_filter"
}

test_the_cluster_may_allow_more if {
	names := ["net.core.somaxconn", "kernel.msgmax", "kernel.sem"]
	count(unsafe_sysctls.deny) == 1 with input as pod(names)
		with input.parameters.allowed_sysctls as ["net/core/somaxconn", "kernel.msg*"]
}

test_a_pattern_is_a_prefix_only_with_a_star if {
	count(unsafe_sysctls.deny) == 1 with input as pod(["kernel.msgmax"]) with input.parameters.allowed_sysctls as ["kernel.msg"]
}
