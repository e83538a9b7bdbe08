"""Certificates: a development authority, and serving contexts that reload."""
