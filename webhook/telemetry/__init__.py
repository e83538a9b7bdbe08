"""Metrics, canonical request lines and spans."""
