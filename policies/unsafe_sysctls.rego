# METADATA
# title: Unsafe kernel parameters
# description: >-
#   A sysctl outside the safe set of the Pod Security Standards is not confined to the Pod: it can weaken
#   or starve every other Pod on the node.
# related_resources:
#   - https://kubernetes.io/docs/concepts/security/pod-security-standards/
#   - https://kubernetes.io/docs/tasks/administer-cluster/sysctl-cluster/
# custom:
#   name: unsafe-sysctls
#   version: 1.0.0
#   severity: high
#   action: deny
#   match: {kinds: [Pod], operations: [CREATE, UPDATE]}
#   parameters: {allowed_sysctls: []}
#   remediation: >-
#     Remove the sysctl, or set it on dedicated nodes. If the whole cluster may use it, add it to allowed_sysctls.
package gradate.unsafe_sysctls

import rego.v1

# What the newest Pod Security Standards call safe; docs/policies.md says since which Kubernetes version.
safe_sysctls := {
	"kernel.shm_rmid_forced",
	"net.ipv4.ip_local_port_range",
	"net.ipv4.ip_local_reserved_ports",
	"net.ipv4.ip_unprivileged_port_start",
	"net.ipv4.ping_group_range",
	"net.ipv4.tcp_fin_timeout",
	"net.ipv4.tcp_keepalive_intvl",
	"net.ipv4.tcp_keepalive_probes",
	"net.ipv4.tcp_keepalive_time",
	"net.ipv4.tcp_notsent_lowat",
	"net.ipv4.tcp_rmem",
	"net.ipv4.tcp_slow_start_after_idle",
	"net.ipv4.tcp_syncookies",
	"net.ipv4.tcp_wmem",
}

deny contains violation if {
	some position, sysctl in input.request.object.spec.securityContext.sysctls
	name := dotted(sysctl.name)
	not name in safe_sysctls
	not allowed_by_cluster(name)
	violation := {
		"msg": sprintf("sysctl %v is outside the safe set of the Pod Security Standards", [name]),
		"path": ["spec", "securityContext", "sysctls", position],
		"details": {"sysctl": name},
	}
}

allowed_by_cluster(name) if {
	some pattern in input.parameters.allowed_sysctls
	covers(dotted(pattern), name)
}

covers(pattern, name) if pattern == name

# As for the kubelet's --allowed-unsafe-sysctls: a trailing star stands for any ending.
covers(pattern, name) if {
	endswith(pattern, "*")
	startswith(name, trim_suffix(pattern, "*"))
}

# The kubelet accepts net/ipv4/conf/eth0.100/rp_filter for net.ipv4.conf.eth0/100.rp_filter:
# when a slash comes first, slashes separate and dots are literal.
dotted(name) := name if not contains(name, "/")

dotted(name) := name if {
	contains(name, "/")
	contains(split(name, "/")[0], ".")
}

dotted(name) := concat("/", [replace(part, "/", ".") | some part in split(name, ".")]) if {
	contains(name, "/")
	not contains(split(name, "/")[0], ".")
}
