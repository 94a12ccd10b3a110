"""The TLS of a server: loads the certificate that its options name, and again at SIGHUP."""

import socket
from collections.abc import Callable

from sockctl.cli.server_options import ServerOptions
from sockctl.errors import CertificateError, OptionError
from sockctl.events.base import Event
from sockctl.events.server import TlsCertificate, TlsCertificateRefused
from sockctl.net.certificates import ensure_certificate
from sockctl.net.fingerprints import read_fingerprint
from sockctl.net.reachability import find_reach
from sockctl.net.tls import READ_BYTES, TlsSocket
from sockctl.net.tls_server import make_server_context
from sockctl.net.transport import TlsTransport
from sockctl.paths import find_data_dir


class ServingTls:
    """The certificate of a server; it encrypts the clients' connections with it.

    Args:
        options: The options of the server.
        tell: Emits an event.
        read_bytes: The most encrypted bytes of one recv().

    Raises:
        OptionError: Options contradict each other.
        CertificateError: The certificate can't be made or loaded.
    """

    def __init__(self, options: ServerOptions, tell: Callable[[Event], None], *, read_bytes: int = READ_BYTES) -> None:
        if (options.tls_cert is None) != (options.tls_key is None):
            raise OptionError("--tls-cert and --tls-key belong together: give both, or --tls alone.")
        self._tell = tell
        self._read_bytes = min(read_bytes, READ_BYTES)
        self._client_ca = options.tls_client_ca
        if options.tls_cert is not None and options.tls_key is not None:
            self._files = options.tls_cert, options.tls_key
        else:
            everywhere = find_reach(["0.0.0.0", "::"], 0).network  # noqa: S104  a question: no socket listens there
            hosts = [*([options.host] if options.host else []), *(endpoint.host for endpoint in everywhere)]
            self._files = ensure_certificate(find_data_dir(options.data_dir), hosts=hosts)
        self._load()

    @property
    def fingerprint(self) -> str:
        """The SHA-256 of the certificate.

        Raises:
            CertificateError: The file can't be read any more.
        """
        return read_fingerprint(self._files[0])

    def secure(self, sock: socket.socket) -> TlsTransport:
        """Return TLS over an accepted socket, before its handshake."""
        secured = TlsSocket(sock, self._context, server_side=True)
        secured.read_bytes = self._read_bytes
        return secured

    def tell_certificate(self) -> None:
        """Emit the event that names the certificate."""
        self._tell(TlsCertificate(path=str(self._files[0]), fingerprint=self.fingerprint))

    def reload(self) -> None:
        """Load the files again; open connections keep the old certificate."""
        try:
            self._load()
            self.tell_certificate()
        except CertificateError as error:
            self._tell(TlsCertificateRefused(error=str(error)))

    def _load(self) -> None:
        self._context = make_server_context(*self._files, client_ca=self._client_ca)
