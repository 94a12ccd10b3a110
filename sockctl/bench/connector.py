"""A connection that is being established: the TCP handshake, then the TLS handshake. Nothing in it blocks."""

import contextlib
import errno
import hmac
import os
import socket
from collections.abc import Callable
from pathlib import Path

from sockctl.bench.plan import Tls, Where
from sockctl.errors import UntrustedError
from sockctl.net.transport import TlsTransport, Transport

Secure = Callable[[socket.socket], TlsTransport]


class Connector:
    """Connects to a server.

    Args:
        where: The server.
        secure: Makes TLS of the connected socket; None for a plain connection.

    Attributes:
        transport: The connection; the caller closes it.
    """

    def __init__(self, where: Where, secure: Secure | None) -> None:
        sock = socket.socket(where.family, socket.SOCK_STREAM)
        self.transport: Transport = sock
        self._sock: socket.socket | None = sock
        self._secure = secure
        self._where = where
        with contextlib.ExitStack() as undo:
            undo.enter_context(sock)
            sock.setblocking(False)
            if where.family != socket.AF_UNIX:
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            number = sock.connect_ex(where.socket_address)
            if number not in {0, errno.EINPROGRESS}:
                raise OSError(number, os.strerror(number))
            undo.pop_all()

    def process_pending(self) -> int:
        """Take the next step; return what to wait for (see `sockctl.net.poller`), 0 once the connection is established.

        The first call comes when the descriptor is writable.

        Raises:
            OSError: The connecting failed; a TransportError if the TLS handshake did.
            UntrustedError: The server's certificate is not the trusted one.
        """
        if self._sock is not None:
            number = self._sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if number:
                raise OSError(number, os.strerror(number))
            if self._secure is not None:
                self.transport = self._secure(self._sock)
            self._sock = None
        if not isinstance(self.transport, TlsTransport):
            return 0
        waits_for = self.transport.shake_hands()
        tls = self._where.tls
        if not waits_for and tls is not None and tls.fingerprint:
            self._compare(self.transport, tls.fingerprint)
        return waits_for

    def _compare(self, transport: TlsTransport, trusted: str) -> None:
        from sockctl.net.fingerprints import compute_fingerprint  # noqa: PLC0415  only for TLS

        if not hmac.compare_digest(compute_fingerprint(transport.get_certificate()), trusted):
            raise UntrustedError(f"The certificate of {self._where.name} changed while it was measured.")


def make_securing(tls: Tls | None) -> Secure | None:
    """Return a function that makes TLS of a connected socket; None for plain connections.

    Raises:
        CertificateError: A file can't be used.
    """
    if tls is None:
        return None
    from sockctl.net.tls import TlsSocket  # noqa: PLC0415  only for TLS
    from sockctl.net.tls_client import make_client_context  # noqa: PLC0415  only for TLS

    context = make_client_context(
        ca=Path(tls.ca) if tls.ca else None,
        system_authorities=tls.system_authorities,
        certificate=Path(tls.certificate) if tls.certificate else None,
        key=Path(tls.key) if tls.key else None,
    )
    name = tls.server_name.partition("%")[0]
    return lambda sock: TlsSocket(sock, context, server_side=False, server_hostname=name)
