package bench

import rego.v1

required := ["cpu", "memory"]

deny contains msg if {
	some container in input.request.object.spec.containers
	some name in required
	not container.resources.limits[name]
	msg := sprintf("container %v has no limit of %v", [container.name, name])
}

deny contains msg if {
	some container in input.request.object.spec.containers
	some name in required
	not container.resources.requests[name]
	msg := sprintf("container %v requests no %v", [container.name, name])
}

deny contains msg if {
	some container in input.request.object.spec.containers
	limits := object.get(container, ["resources", "limits"], {})
	count(limits) > 4
	msg := sprintf("container %v has %v limits", [container.name, count(limits)])
}

deny contains msg if {
	names := [container.name | some container in input.request.object.spec.containers]
	count(names) != count({name | some name in names})
	msg := "two containers have the same name"
}
