"""The command line's own errors, and its exit codes.

CommandError
└── NoAnswer            no server answers
"""


class CommandError(Exception):
    """A command cannot do what it was told; the message says why, and the way out."""


class NoAnswer(CommandError):  # noqa: N818 - reads as what happened
    """No server answers where one was expected."""


EXIT_FAILED = 1
"""A check ran and said no: a test failed, a rollout is degraded."""
EXIT_MISUSE = 2
"""Wrong flags, a broken file, a port in use: the message says what to do."""
