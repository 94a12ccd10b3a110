"""The server that a connection has reached, as far as passwords and tokens depend on it."""

from collections.abc import Sequence
from dataclasses import dataclass

from sockctl.client.plaintext_guard import is_in_clear
from sockctl.net.address import Endpoint, extract_host, is_address, is_unix
from sockctl.net.transport import TlsTransport, Transport


@dataclass(frozen=True, slots=True)
class ServerIdentity:
    """A server at the other end of a connection.

    Attributes:
        endpoint: Where its tokens count.
        fingerprint: The SHA-256 of its certificate; empty without TLS.
        in_clear: Whether others could read the bytes on the way to it.
        chat: All servers of its chat, as the user has named them: a token of one counts at each. Empty for one server.
    """

    endpoint: Endpoint
    fingerprint: str = ""
    in_clear: bool = False
    chat: tuple[Endpoint, ...] = ()

    @property
    def places(self) -> tuple[Endpoint, ...]:
        """Where its tokens count."""
        return self.chat or (self.endpoint,)

    @property
    def is_lasting(self) -> bool:
        """Whether the same names lead to the same servers the next time: without TLS, names show nothing."""
        return bool(self.fingerprint) or all(map(_is_fixed, self.chat))

    def shares_tokens(self, other: "ServerIdentity") -> bool:
        """Return whether a token of the other server counts here, too.

        The servers of a chat may have a certificate each. The client has checked that one before it asks.
        """
        if self.places != other.places:
            return False
        if not self.chat:
            return self.fingerprint == other.fingerprint
        return bool(self.fingerprint) == bool(other.fingerprint)


def _is_fixed(endpoint: Endpoint) -> bool:
    """Return whether a host leads to the same machine each time."""
    return is_address(endpoint.host) or is_unix(endpoint.host) or endpoint.host == "localhost"


def identify(sock: Transport, endpoint: Endpoint, named: Sequence[Endpoint] = ()) -> ServerIdentity:
    """Return the identity of the server that `sock` is connected with.

    Under TLS its tokens count at the server as the user has named it. Without TLS nothing shows that the program at
    another address of that name is the same server: there a token counts at this very address. Where the user has named
    several servers of one chat, a token counts at all of them.

    Args:
        sock: The connection.
        endpoint: The server, as the user has named it.
        named: All servers that the user has named.
    """
    chat = tuple(named) if len(named) > 1 else ()
    if isinstance(sock, TlsTransport):
        from sockctl.net.fingerprints import compute_fingerprint

        return ServerIdentity(endpoint, compute_fingerprint(sock.get_certificate()), chat=chat)
    in_clear = is_in_clear(sock)
    try:
        address = getattr(sock, "getpeername")()  # noqa: B009  a socket without TLS has it
    except OSError:  # the connection is gone: no token can be shown on it
        return ServerIdentity(endpoint, in_clear=in_clear, chat=chat)
    if not isinstance(address, tuple):
        return ServerIdentity(endpoint, in_clear=in_clear, chat=chat)  # at a Unix socket
    return ServerIdentity(Endpoint(extract_host(address), address[1]), in_clear=in_clear, chat=chat)
