package gradate.missing_seccomp_test

import data.gradate.missing_seccomp
import rego.v1

review(spec) := {"request": {"operation": "CREATE", "object": {"metadata": {"name": "app"}, "spec": spec}}}

profile(type) := {"seccompProfile": {"type": type}}

bare := {"containers": [{"name": "app", "image": "app:1"}]}

test_a_pod_without_a_profile_is_denied if {
	some violation in missing_seccomp.deny with input as review(bare)
	violation.msg == "container app has no seccomp profile, and the Pod sets none"
	violation.path == ["spec", "containers", 0]
}

test_a_profile_of_the_pod_covers_every_container if {
	every type in ["RuntimeDefault", "Localhost"] {
		count(missing_seccomp.deny) == 0 with input as review({
			"securityContext": profile(type),
			"containers": [{"name": "app"}, {"name": "sidecar", "securityContext": {"privileged": false}}],
			"initContainers": [{"name": "migrate"}],
			"ephemeralContainers": [{"name": "debugger"}],
		})
	}
}

test_profiles_of_their_own_are_enough if {
	count(missing_seccomp.deny) == 0 with input as review({"containers": [
		{"name": "app", "securityContext": profile("RuntimeDefault")},
		{"name": "sidecar", "securityContext": profile("Localhost")},
	]})
}

test_unconfined_is_denied_at_the_container if {
	some violation in missing_seccomp.deny with input as review({
		"securityContext": profile("RuntimeDefault"),
		"containers": [{"name": "app", "securityContext": profile("Unconfined")}],
	})
	violation.msg == "container app sets seccomp profile Unconfined"
	violation.path == ["spec", "containers", 0, "securityContext", "seccompProfile", "type"]
}

test_unconfined_at_the_pod_is_denied_for_those_who_rely_on_it if {
	violations := missing_seccomp.deny with input as review({
		"securityContext": profile("Unconfined"),
		"containers": [
			{"name": "app"},
			{"name": "sidecar", "securityContext": profile("RuntimeDefault")},
		],
	})
	{violation.msg | some violation in violations} == {"container app has no seccomp profile, and the Pod sets Unconfined"}
}

test_init_and_ephemeral_containers_are_judged if {
	violations := missing_seccomp.deny with input as review({
		"containers": [{"name": "app", "securityContext": profile("RuntimeDefault")}],
		"initContainers": [{"name": "migrate"}],
		"ephemeralContainers": [{"name": "debugger"}],
	})
	{violation.details.container | some violation in violations} == {"migrate", "debugger"}
}

test_deprecated_annotations_do_not_count if {
	count(missing_seccomp.deny) == 1 with input as {"request": {"object": {
		"metadata": {"annotations": {
			"seccomp.security.alpha.kubernetes.io/pod": "runtime/default",
			"container.seccomp.security.alpha.kubernetes.io/app": "runtime/default",
		}},
		"spec": bare,
	}}}
}

test_windows_pods_are_left_alone if {
	windows := object.union(bare, {"os": {"name": "windows"}})
	count(missing_seccomp.deny) == 0 with input as review(windows)
	count(missing_seccomp.patch) == 0 with input as review(windows)
}

test_the_patch_adds_a_security_context if {
	missing_seccomp.patch == {{
		"op": "add",
		"path": "/spec/securityContext",
		"value": {"seccompProfile": {"type": "RuntimeDefault"}},
	}} with input as review(bare)
}

test_the_patch_keeps_what_the_security_context_says if {
	missing_seccomp.patch == {{
		"op": "add",
		"path": "/spec/securityContext/seccompProfile",
		"value": {"type": "RuntimeDefault"},
	}} with input as review(object.union(bare, {"securityContext": {"runAsNonRoot": true}}))
}

test_nothing_explicit_is_patched if {
	count(missing_seccomp.patch) == 0 with input as review(object.union(bare, {"securityContext": profile("Unconfined")}))
	count(missing_seccomp.patch) == 0 with input as review({"containers": [{"name": "app", "securityContext": profile("Unconfined")}]})
	count(missing_seccomp.patch) == 0 with input as review({"containers": [{"name": "app", "securityContext": profile("Localhost")}]})
}

test_a_new_debug_container_carries_its_own_profile if {
	missing_seccomp.patch == {{
		"op": "add",
		"path": "/spec/ephemeralContainers/1/securityContext",
		"value": {"seccompProfile": {"type": "RuntimeDefault"}},
	}} with input as {"request": {
		"operation": "UPDATE",
		"subResource": "ephemeralcontainers",
		"object": {"spec": object.union(bare, {"ephemeralContainers": [{"name": "old"}, {"name": "new"}]})},
		"oldObject": {"spec": object.union(bare, {"ephemeralContainers": [{"name": "old"}]})},
	}}
}

test_a_container_without_a_name_hides_nothing if {
	count(missing_seccomp.deny) == 2 with input as review({"containers": [{}, {"securityContext": profile("Unconfined")}]})
}
