package bench

import rego.v1

pod := input.request.object

containers contains container if {
	some container in pod.spec.containers
}

containers contains container if {
	some container in pod.spec.initContainers
}

sysctls := {"net.ipv4.ip_local_port_range", "net.ipv4.tcp_syncookies", "kernel.shm_rmid_forced"}

volume_types := {"configMap", "secret", "emptyDir", "projected", "downwardAPI", "persistentVolumeClaim", "name"}

deny contains "hostNetwork is not allowed" if pod.spec.hostNetwork == true

deny contains "hostPID is not allowed" if pod.spec.hostPID == true

deny contains "hostIPC is not allowed" if pod.spec.hostIPC == true

deny contains msg if {
	some container in containers
	container.securityContext.privileged == true
	msg := sprintf("container %v is privileged", [container.name])
}

deny contains msg if {
	some container in containers
	some port in container.ports
	port.hostPort > 0
	msg := sprintf("container %v uses port %v of the host", [container.name, port.hostPort])
}

deny contains msg if {
	some container in containers
	container.securityContext.procMount != "Default"
	msg := sprintf("container %v changes its proc mount", [container.name])
}

deny contains msg if {
	some volume in pod.spec.volumes
	some kind, _ in volume
	not kind in volume_types
	msg := sprintf("volume %v has the type %v", [volume.name, kind])
}

deny contains msg if {
	some sysctl in pod.spec.securityContext.sysctls
	not sysctl.name in sysctls
	msg := sprintf("sysctl %v is not allowed", [sysctl.name])
}

deny contains msg if {
	some container in containers
	not non_root(container)
	msg := sprintf("container %v may run as root", [container.name])
}

non_root(container) if container.securityContext.runAsNonRoot == true

non_root(container) if {
	not has_key(container, "securityContext")
	pod.spec.securityContext.runAsNonRoot == true
}

has_key(document, key) if document[key]

deny contains msg if {
	some container in containers
	parts := split(container.image, ":")
	parts[count(parts) - 1] == "latest"
	msg := sprintf("container %v uses the tag latest", [container.name])
}

deny contains msg if {
	required := {"app", "team"}
	missing := required - object.keys(pod.metadata.labels)
	count(missing) > 0
	msg := sprintf("labels are missing: %v", [concat(", ", sort(missing))])
}

deny contains msg if {
	some container in containers
	some entry in container.env
	contains(entry.name, "PASSWORD")
	not entry.valueFrom
	not endswith(entry.name, "_FILE")
	msg := sprintf("container %v: env %v holds a password", [container.name, entry.name])
}
