"""Errors of the settings package.

SettingsError
"""


class SettingsError(Exception):
    """A setting is unknown, of the wrong type or out of range; the message names it, where it stands and the way out."""
