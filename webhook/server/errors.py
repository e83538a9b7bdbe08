"""Errors of the server.

ServerError
├── ListenAddressError    the address cannot be parsed, or is not one of this machine
├── AddressInUseError     another process listens there
├── AddressForbiddenError this user may not listen there
├── WorkerStartError      the worker processes cannot start, so a supervisor gives up
└── TokenFileError        the token of the operations API cannot be read or made

Each message is one line: what is wrong, the way out.
"""


class ServerError(Exception):
    """Root of everything that this package raises."""


class ListenAddressError(ServerError):
    """The address cannot be parsed, or is not one of this machine."""


class AddressInUseError(ServerError):
    """Another process listens on the address."""


class AddressForbiddenError(ServerError):
    """This user may not listen on the address."""


class WorkerStartError(ServerError):
    """The worker processes cannot start."""


class TokenFileError(ServerError):
    """The token of the operations API cannot be read or made, or others may read it."""
