"""The server that a connection has reached, as far as passwords and tokens depend on it."""

from dataclasses import dataclass

from sockctl.client.plaintext_guard import is_in_clear
from sockctl.net.address import Endpoint, extract_host
from sockctl.net.transport import TlsTransport, Transport


@dataclass(frozen=True, slots=True)
class ServerIdentity:
    """A server at the other end of a connection.

    Attributes:
        endpoint: Where its tokens count.
        fingerprint: The SHA-256 of its certificate; empty without TLS.
        in_clear: Whether others could read the bytes on the way to it.
    """

    endpoint: Endpoint
    fingerprint: str = ""
    in_clear: bool = False


def identify(sock: Transport, endpoint: Endpoint) -> ServerIdentity:
    """Return the identity of the server that `sock` is connected with.

    Under TLS its tokens count at the server as the user has named it. Without TLS nothing shows that the program at
    another address of that name is the same server: there a token counts at this very address.

    Args:
        sock: The connection.
        endpoint: The server, as the user has named it.
    """
    if isinstance(sock, TlsTransport):
        from sockctl.net.fingerprints import compute_fingerprint

        return ServerIdentity(endpoint, compute_fingerprint(sock.get_certificate()))
    in_clear = is_in_clear(sock)
    try:
        address = getattr(sock, "getpeername")()  # noqa: B009  a socket without TLS has it
    except OSError:
        return ServerIdentity(endpoint, in_clear=in_clear)  # the connection is gone: no token can be shown on it
    return ServerIdentity(Endpoint(extract_host(address), address[1]), in_clear=in_clear)
