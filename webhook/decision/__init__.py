"""Verdicts of policies combined into one decision. Pure."""
