"""Rego's builtin functions: pure functions of their arguments, one module for each of OPA's families."""
