"""Gradate: a policy-as-code admission webhook for Kubernetes with staged policy rollouts."""
