"""The whole error tree.

Every error that a user may see derives from `SockctlError`; its text is one sentence that says what went wrong, which
value it was, and what to do next. Which exit code an error leads to is decided in ``sockctl.cli`` alone.
"""

__all__ = [
    "AddressError",
    "ConnectTimeoutError",
    "ConnectionBrokenError",
    "InputNeededError",
    "ListenError",
    "LogFileError",
    "PeerGoneError",
    "PortTakenError",
    "RuleError",
    "SinkError",
    "SockctlError",
    "StreamError",
    "UnreachableError",
]


class SockctlError(Exception):
    """Something went wrong that the user can understand and act on."""


class AddressError(SockctlError):
    """A host, port or target as typed can't be understood."""


class RuleError(SockctlError):
    """An ``--allow`` or ``--deny`` rule is not an address or a network."""


class InputNeededError(SockctlError):
    """A value is missing and there is no terminal to ask at."""


class ListenError(SockctlError):
    """The server can't listen where it was told to."""


class PortTakenError(ListenError):
    """Another program listens on the port, and the server may not move to another one."""


class LogFileError(SockctlError):
    """The log file can't be opened."""


class SinkError(SockctlError):
    """Events could not be written.

    Args:
        message: What failed, and where.
        written: How many of the records were written before it did.
    """

    def __init__(self, message: str, *, written: int = 0) -> None:
        super().__init__(message)
        self.written = written


class StreamError(SockctlError):
    """Standard input can't be read, or standard output not written."""


class UnreachableError(SockctlError):
    """No address of the host could be connected to."""


class ConnectTimeoutError(SockctlError):
    """The host did not answer in time."""


class ConnectionBrokenError(SockctlError):
    """The other side reset the connection, or closed it before it took everything."""


class PeerGoneError(SockctlError):
    """The connection ends: there is nothing more to receive, and nothing can be sent.

    A conversation need not catch it; the server core does.
    """
