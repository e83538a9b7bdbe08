# METADATA
# title: Seccomp profile required
# description: >-
#   Without a seccomp profile a container may make every system call of the node's kernel. Each container,
#   init container and ephemeral container must end up with RuntimeDefault or Localhost, by its own
#   profile or by the Pod's.
# related_resources:
#   - https://kubernetes.io/docs/tutorials/security/seccomp/
#   - https://kubernetes.io/docs/concepts/security/pod-security-standards/
# custom:
#   name: missing-seccomp
#   version: 1.0.0
#   severity: medium
#   action: deny
#   match: {kinds: [Pod], operations: [CREATE, UPDATE]}
#   remediation: >-
#     Set spec.securityContext.seccompProfile.type to RuntimeDefault on the Pod, and remove Unconfined.
package gradate.missing_seccomp

import rego.v1

spec := input.request.object.spec

# Windows has no seccomp, and the API server refuses the field there.
windows if spec.os.name == "windows"

confining := {"RuntimeDefault", "Localhost"}

container_lists := ["containers", "initContainers", "ephemeralContainers"]

labels := {
	"containers": "container",
	"initContainers": "init container",
	"ephemeralContainers": "ephemeral container",
}

pod_profile := spec.securityContext.seccompProfile.type

pod_confined if pod_profile in confining

deny contains violation if {
	not windows
	some list in container_lists
	some position, container in spec[list]
	profile := container.securityContext.seccompProfile.type
	not profile in confining
	violation := {
		"msg": sprintf("%v %v sets seccomp profile %v", [labels[list], named(container), profile]),
		"path": ["spec", list, position, "securityContext", "seccompProfile", "type"],
		"details": {"container": named(container), "profile": profile},
	}
}

deny contains violation if {
	not windows
	not pod_confined
	some list in container_lists
	some position, container in spec[list]
	not container.securityContext.seccompProfile.type
	violation := {
		"msg": sprintf("%v %v has no seccomp profile, and the Pod %v", [labels[list], named(container), pod_state]),
		"path": ["spec", list, position],
		"details": {"container": named(container)},
	}
}

# The API server demands names, but a violation must not vanish without one.
named(container) := object.get(container, "name", "without a name")

default pod_state := "sets none"

pod_state := sprintf("sets %v", [pod_profile])

# The patch gives the Pod RuntimeDefault where nothing is set. An explicit choice is never changed: a
# container or Pod that says Unconfined is denied, not rewritten. Gradate asks for a patch only where the
# API server can take it: of a new Pod, and of a Pod template that is new or changed.
patch contains {"op": "add", "path": "/spec/securityContext", "value": {"seccompProfile": runtime_default}} if {
	pod_patch_due
	not has_context(spec)
}

patch contains {"op": "add", "path": "/spec/securityContext/seccompProfile", "value": runtime_default} if {
	pod_patch_due
	has_context(spec)
}

pod_patch_due if {
	not input.request.subResource
	undecided
	not windows
}

# Some container relies on the Pod, and the Pod says nothing.
undecided if {
	not pod_profile
	some list in container_lists
	some container in spec[list]
	not container.securityContext.seccompProfile.type
}

# A debug container added to a running Pod carries its own profile: the Pod's cannot be set any more.
patch contains operation if {
	input.request.subResource == "ephemeralcontainers"
	not windows
	not pod_profile
	known := {container.name | some container in input.request.oldObject.spec.ephemeralContainers}
	some position, container in spec.ephemeralContainers
	not container.name in known
	not container.securityContext.seccompProfile.type
	operation := ephemeral_patch(position, container)
}

ephemeral_patch(position, container) := {
	"op": "add",
	"path": sprintf("/spec/ephemeralContainers/%d/securityContext", [position]),
	"value": {"seccompProfile": runtime_default},
} if not has_context(container)

ephemeral_patch(position, container) := {
	"op": "add",
	"path": sprintf("/spec/ephemeralContainers/%d/securityContext/seccompProfile", [position]),
	"value": runtime_default,
} if has_context(container)

# A Pod or a container; one with `securityContext: null` has none.
has_context(thing) if is_object(thing.securityContext)

runtime_default := {"type": "RuntimeDefault"}
