package bench

import rego.v1

deny contains msg if {
	some container in input.request.object.spec.containers
	not trusted(container.image)
	msg := sprintf("container %v: image %v comes from elsewhere", [container.name, container.image])
}

trusted(image) if startswith(image, "registry.example.com/")

trusted(image) if startswith(image, "mirror.example.com/")
