"""AdmissionReview in and out, the Pod in every workload, JSONPatch. Pure."""
