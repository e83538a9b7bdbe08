package k8s.admission

deny[msg] {
  input.request.kind.kind == "Pod"
  input.request.object.spec.containers[_].env[_].name == "AWS_ACCESS_KEY_ID"
  msg := sprintf("no plain AWS credentials in Pod env, use IRSA or a SecretRef: %v", [input.request.object.metadata.name])
}
