package bench

import rego.v1

deny contains "the Pod uses the host's network" if input.request.object.spec.hostNetwork == true
