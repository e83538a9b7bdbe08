package bench

import rego.v1

deny contains msg if {
	some container in input.request.object.spec.containers
	container.securityContext.privileged == true
	msg := sprintf("container %v is privileged", [container.name])
}

deny contains msg if {
	some container in input.request.object.spec.containers
	some entry in container.env
	contains(entry.name, "PASSWORD")
	entry.value != ""
	msg := sprintf("container %v: env %v holds a password", [container.name, entry.name])
}

deny contains msg if {
	some container in input.request.object.spec.containers
	not startswith(container.image, "registry.example.com/")
	msg := sprintf("container %v: image %v comes from elsewhere", [container.name, container.image])
}
