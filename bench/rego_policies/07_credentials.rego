package bench

import rego.v1

suspicious := ["PASSWORD", "SECRET", "TOKEN", "API_KEY"]

placeholders := {"", "changeme", "none"}

deny contains msg if {
	some container in input.request.object.spec.containers
	some entry in container.env
	looks_secret(entry.name)
	not harmless(entry)
	msg := sprintf("container %v: env %v holds a credential", [container.name, entry.name])
}

deny contains msg if {
	some container in input.request.object.spec.containers
	some i, entry in container.env
	startswith(entry.value, "AKIA")
	count(entry.value) == 20
	msg := sprintf("container %v: env %v (%v) holds an access key", [container.name, i, entry.name])
}

looks_secret(name) if {
	some part in suspicious
	contains(upper(name), part)
}

harmless(entry) if entry.valueFrom

harmless(entry) if entry.value in placeholders

harmless(entry) if endswith(entry.name, "_FILE")

harmless(entry) if {
	startswith(entry.value, "$(")
	endswith(entry.value, ")")
}
