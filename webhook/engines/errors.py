"""Errors of the engines.

EngineError
├── EngineRefusedError
├── EngineCrashedError
└── EngineTimeoutError
"""


class EngineError(Exception):
    """An engine gave no answer."""

    code = "engine_error"


class EngineRefusedError(EngineError):
    """The engine answered with an error: a module it does not accept, or a failed evaluation."""

    code = "engine_refused"


class EngineCrashedError(EngineError):
    """The engine's process died."""

    code = "engine_crashed"


class EngineTimeoutError(EngineError):
    """The engine gave no answer by the deadline."""

    code = "deadline_exceeded"
