package bench

import rego.v1

deny contains msg if {
	some container in input.request.object.spec.containers
	container.securityContext.privileged == true
	msg := sprintf("container %v is privileged", [container.name])
}
