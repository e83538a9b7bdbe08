# METADATA
# title: Pinned images
# description: An image without a version may be another one at the next start of the Pod.
# custom:
#   name: pinned-images
#   version: 1.0.0
#   severity: medium
#   action: deny
#   match: {kinds: [Pod], operations: [CREATE, UPDATE]}
#   remediation: Name a released version, such as example.com/payments/api:2.14.0.
package gradate.pinned_images

import rego.v1

deny contains violation if {
	some list in ["containers", "initContainers"]
	some position, container in input.request.object.spec[list]
	not pinned(container.image)
	violation := {
		"msg": sprintf("image %v names no released version", [container.image]),
		"path": ["spec", list, position, "image"],
	}
}

pinned(image) if contains(image, "@sha256:")

pinned(image) if tag(image) != "latest"

tag(image) := parts[1] if {
	segments := split(image, "/")
	parts := split(segments[count(segments) - 1], ":")
	count(parts) == 2
} else := "latest"
