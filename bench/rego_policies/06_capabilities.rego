package bench

import rego.v1

allowed := {"NET_BIND_SERVICE", "CHOWN", "SETUID"}

added(container) := {name | some name in container.securityContext.capabilities.add}

dropped(container) := {name | some name in container.securityContext.capabilities.drop}

deny contains msg if {
	some container in input.request.object.spec.containers
	extra := added(container) - allowed
	count(extra) > 0
	msg := sprintf("container %v adds %v", [container.name, concat(", ", sort(extra))])
}

deny contains msg if {
	some container in input.request.object.spec.containers
	not "ALL" in dropped(container)
	msg := sprintf("container %v does not drop all capabilities", [container.name])
}

deny contains msg if {
	some container in input.request.object.spec.containers
	escalates(container)
	msg := sprintf("container %v may gain privileges", [container.name])
}

escalates(container) if container.securityContext.allowPrivilegeEscalation == true

escalates(container) if container.securityContext.privileged == true

deny contains msg if {
	every container in input.request.object.spec.containers {
		container.securityContext.runAsNonRoot == false
	}
	msg := "every container runs as root"
}
