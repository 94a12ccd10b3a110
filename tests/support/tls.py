"""Certificates and TLS clients for tests, made with OpenSSL and with Python's own ssl, not with ours."""

import contextlib
import socket
import ssl
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

from sockctl.net.tls import TlsSocket
from sockctl.net.transport import TlsTransport
from tests.support.running import TIMEOUT_S
from tests.support.tools import tool
from tests.support.two_hosts import server_address

KIND = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes"


def openssl(*arguments: str) -> None:
    subprocess.run([tool("openssl", "openssl"), *arguments], check=True, capture_output=True, timeout=60)


def self_signed(
    folder: Path, name: str = "localhost", *, names: str = "DNS:localhost,IP:127.0.0.1"
) -> tuple[Path, Path]:
    """Make a certificate and its key."""
    certificate, key = folder / f"{name}.crt", folder / f"{name}.key"
    openssl(
        *("req", "-x509", *KIND.split(), "-days", "3", "-subj", f"/CN={name}", "-addext", f"subjectAltName={names}"),
        *("-keyout", str(key), "-out", str(certificate)),
    )
    return certificate, key


def securing(files: tuple[Path, Path]) -> Callable[[socket.socket], TlsTransport]:
    """Return a function that wraps an accepted socket in TLS."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*files)
    return lambda sock: TlsSocket(sock, context, server_side=True)


def blind_context() -> ssl.SSLContext:
    """Return a client's context that trusts anybody."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


@contextlib.contextmanager
def tls_client(port: int, *, context: ssl.SSLContext | None = None, source: str = "") -> Iterator[ssl.SSLSocket]:
    """Connect with Python's own TLS."""
    with (
        socket.create_connection((server_address(), port), TIMEOUT_S, (source, 0) if source else None) as plain,
        (context or blind_context()).wrap_socket(plain, server_hostname="localhost") as sock,
    ):
        sock.settimeout(TIMEOUT_S)
        yield sock
