"""Policies as values: versions, metadata, matching, the catalog. Pure."""
