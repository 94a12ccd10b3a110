"""The methods that a connection needs of its socket, plain or under TLS, without importing TLS itself."""

from typing import Protocol, Self, runtime_checkable


class TransportError(OSError):
    """The other side broke TLS. The text says how."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.strerror = text


class CertificateRefusedError(TransportError):
    """The other side's certificate can't be verified. The text says why."""


class Transport(Protocol):
    """A connected, non-blocking stream: a `socket.socket`, or a `TlsSocket`."""

    def fileno(self) -> int:
        """Return the descriptor to wait for."""

    def setblocking(self, flag: bool, /) -> None:
        """Make it blocking or not."""

    def recv_into(self, buffer: bytearray, /) -> int:
        """Receive into `buffer`; return how many bytes."""

    def recv(self, max_bytes: int, /) -> bytes:
        """Receive some bytes; none at the end."""

    def send(self, data: bytes | bytearray | memoryview, /) -> int:
        """Send some of `data`; return how many bytes."""

    def setsockopt(self, level: int, name: int, value: bytes, /) -> None:
        """Set an option of the socket."""

    def shutdown(self, how: int, /) -> None:
        """Shut a side."""

    def close(self) -> None:
        """Close it."""

    def __enter__(self) -> Self:
        """Return it, to be closed at the end of a `with`."""

    def __exit__(self, *_: object) -> None:
        """Close it."""


def is_pending(transport: Transport) -> bool:
    """Return whether decrypted bytes can be received that no poller can see."""
    return getattr(transport, "pending", False)


@runtime_checkable
class TlsTransport(Transport, Protocol):
    """A `TlsSocket`, which begins with a handshake.

    Attributes:
        read_bytes: The most encrypted bytes of one recv(); the caller may lower it.
    """

    read_bytes: int

    def shake_hands(self) -> int:
        """Go on with the handshake; return the event to wait for in `select.poll`'s terms, or 0 when it is done.

        Raises:
            TransportError: It failed.
        """

    def get_certificate(self) -> bytes:
        """Return the other side's certificate in DER, empty if it has shown none."""

    def describe(self) -> tuple[str, str]:
        """Return the version and the cipher agreed on."""
