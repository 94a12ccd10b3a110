"""The client's side of TLS: whom it trusts, and servers that don't do their part of the handshake."""

import contextlib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sockctl.errors import CertificateError, ConnectTimeoutError, TlsError, UntrustedError
from sockctl.net.address import Endpoint
from sockctl.net.certificates import ensure_certificate
from sockctl.net.tls_client import make_client_context, shake_hands
from tests.support.running import TIMEOUT_S, wait_until
from tests.support.tls import self_signed

Files = tuple[Path, Path]
SERVER = Endpoint("localhost", 7000)


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    return ensure_certificate(tmp_path_factory.mktemp("tls"), hosts=[])


def context_of(*, ca: Path | None = None, certificate: Path | None = None, key: Path | None = None) -> ssl.SSLContext:
    return make_client_context(ca=ca, system_authorities=False, certificate=certificate, key=key)


@contextlib.contextmanager
def server(serve: Callable[[socket.socket], object]) -> Iterator[socket.socket]:
    """Let a thread be the server; return the client's socket."""
    near, far = socket.socketpair()
    with near, far:
        far.settimeout(TIMEOUT_S)
        thread = threading.Thread(target=serve, args=(far,))
        thread.start()
        try:
            yield near
        finally:
            near.close()
            thread.join(TIMEOUT_S)


def speaking_tls(files: Files) -> Callable[[socket.socket], None]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*files)

    def serve(sock: socket.socket) -> None:
        with contextlib.suppress(OSError), context.wrap_socket(sock, server_side=True) as tls:
            tls.recv(1)

    return serve


def test_a_server_that_the_authorities_vouch_for(files: Files) -> None:
    with server(speaking_tls(files)) as sock:
        tls = shake_hands(sock, context_of(ca=files[0]), SERVER, TIMEOUT_S)
        assert tls.get_certificate() == ssl.PEM_cert_to_DER_cert(files[0].read_text())
        tls.close()


def test_without_authorities_the_caller_compares(files: Files) -> None:
    with server(speaking_tls(files)) as sock:
        shake_hands(sock, context_of(), SERVER, TIMEOUT_S).close()


@pytest.mark.parametrize("host", ["localhost", "elsewhere.example"])
def test_a_server_that_is_not_to_be_trusted(files: Files, tmp_path: Path, host: str) -> None:
    others, _ = ensure_certificate(tmp_path / "other", hosts=[])
    ca = others if host == "localhost" else files[0]
    with server(speaking_tls(files)) as sock:
        with pytest.raises(UntrustedError, match=f"The certificate of {host}:7000 is not to be trusted"):
            shake_hands(sock, context_of(ca=ca), Endpoint(host, 7000), TIMEOUT_S)
        assert sock.fileno() == -1, "closed"


def speak_plain(sock: socket.socket) -> None:
    sock.sendall(b"sockctl/1 chat\r\n")


def hang_up(sock: socket.socket) -> None:
    sock.recv(65_536)
    sock.shutdown(socket.SHUT_RDWR)


@pytest.mark.parametrize("serve", [speak_plain, hang_up])
def test_a_server_that_does_not_speak_tls(serve: Callable[[socket.socket], None]) -> None:
    with server(serve) as sock, pytest.raises(TlsError, match="tcp://localhost:7000 or sockctl://localhost:7000"):
        shake_hands(sock, context_of(), SERVER, TIMEOUT_S)


def test_a_server_that_says_nothing() -> None:
    with server(lambda _: None) as sock, pytest.raises(ConnectTimeoutError, match=r"within 0\.05 s"):
        shake_hands(sock, context_of(), SERVER, 0.05)


def test_files_that_cannot_be_used(files: Files, tmp_path: Path) -> None:
    junk = tmp_path / "junk.pem"
    junk.write_text("junk")
    for path in (junk, tmp_path / "missing.pem"):
        with pytest.raises(CertificateError, match=f"--ca {path} can't be used"):
            context_of(ca=path)
        with pytest.raises(CertificateError, match=f"The client certificate {path} can't be used"):
            context_of(certificate=path)
        with pytest.raises(CertificateError, match=f"The client certificate {files[0]} can't be used"):
            context_of(certificate=files[0], key=path)


def test_a_locked_key_is_not_asked_about(files: Files, tmp_path: Path) -> None:
    from cryptography.hazmat.primitives import serialization as forms  # noqa: PLC0415  takes long

    key = forms.load_pem_private_key(files[1].read_bytes(), None)
    locked = tmp_path / "locked.pem"
    locked.write_bytes(
        key.private_bytes(forms.Encoding.PEM, forms.PrivateFormat.PKCS8, forms.BestAvailableEncryption(b"a password"))
    )
    with pytest.raises(CertificateError, match="the key is locked with a password"):
        context_of(certificate=files[0], key=locked)


def test_the_client_shows_its_certificate(files: Files, tmp_path: Path) -> None:
    own = self_signed(tmp_path)  # the server's says that it is for servers only
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*files)
    context.load_verify_locations(own[0])
    context.verify_mode = ssl.CERT_REQUIRED
    shown: list[bytes | None] = []

    def serve(sock: socket.socket) -> None:
        with context.wrap_socket(sock, server_side=True) as tls:
            shown.append(tls.getpeercert(binary_form=True))
            tls.recv(1)

    with server(serve) as sock:
        tls = shake_hands(sock, context_of(ca=files[0], certificate=own[0], key=own[1]), SERVER, TIMEOUT_S)
        wait_until(lambda: bool(shown))
        tls.close()
    assert shown == [ssl.PEM_cert_to_DER_cert(own[0].read_text())]
