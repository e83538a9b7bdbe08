"""Rego compiled to Python: parse, resolve, plan, optimise, emit. Knows nothing of Kubernetes."""
