"""Typed settings from one YAML file, the environment and flags."""
