"""A connection in the making: plain, under TLS, refused, and to a server whose certificate is another one."""

import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from sockctl.bench.connector import Connector, make_securing
from sockctl.bench.plan import Plan, Tls
from sockctl.errors import CertificateError, UntrustedError
from sockctl.net.certificates import ensure_certificate
from sockctl.net.fingerprints import read_fingerprint
from sockctl.net.poller import READABLE, WRITABLE, open_poller
from sockctl.net.transport import TransportError
from tests.support.bench import plan, where
from tests.support.running import CLOSED_PORT, TIMEOUT_S

Files = tuple[Path, Path]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    return ensure_certificate(tmp_path_factory.mktemp("tls"), hosts=[])


@contextlib.contextmanager
def serving(files: Files | None = None) -> Iterator[int]:
    """Accept one client, with or without TLS; return the port."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    if files is not None:
        context.load_cert_chain(*files)

    def serve() -> None:
        with contextlib.suppress(OSError), contextlib.ExitStack() as stack:
            sock = stack.enter_context(listener.accept()[0])
            sock.settimeout(TIMEOUT_S)
            if files is not None:
                sock = stack.enter_context(context.wrap_socket(sock, server_side=True))
            sock.sendall(b"hello")
            sock.recv(1)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve)
        thread.start()
        yield listener.getsockname()[1]
        thread.join(TIMEOUT_S)


class Made(Connector):
    """A connector that closes its connection."""

    def close(self) -> None:
        self.transport.close()


def make(own: Plan) -> Made:
    return Made(own.servers[0], make_securing(own.servers[0].tls))


def connect(connector: Connector) -> None:
    """Go on until the connection stands."""
    with contextlib.closing(open_poller()) as poller:
        fd, waits_for = connector.transport.fileno(), WRITABLE
        poller.register(fd, waits_for)
        while waits_for:
            assert poller.poll(TIMEOUT_S), "the connection doesn't come to be"
            waits_for = connector.process_pending()
            if waits_for:
                poller.modify(fd, waits_for)


def receive(connector: Connector) -> bytes:
    with contextlib.closing(open_poller()) as poller:
        poller.register(connector.transport.fileno(), READABLE)
        while True:
            assert poller.poll(TIMEOUT_S)
            with contextlib.suppress(BlockingIOError):
                return connector.transport.recv(100)


def tls_plan(port: int, **values: Any) -> Plan:
    return plan(servers=(replace(where(port), tls=Tls(server_name="localhost", **values)),))


def test_a_plain_connection() -> None:
    with serving() as port, contextlib.closing(make(plan(port))) as connector:
        connect(connector)
        assert receive(connector) == b"hello"


def test_a_connection_that_is_refused() -> None:
    with contextlib.closing(make(plan(CLOSED_PORT))) as connector, pytest.raises(ConnectionRefusedError):
        connect(connector)


@pytest.mark.parametrize("trusted", ["fingerprint", "ca"])
def test_tls_with_the_server_that_is_trusted(files: Files, trusted: str) -> None:
    value = str(files[0]) if trusted == "ca" else read_fingerprint(files[0])
    with serving(files) as port, contextlib.closing(make(tls_plan(port, **{trusted: value}))) as connector:
        connect(connector)
        assert receive(connector) == b"hello"


def test_a_certificate_that_is_another_one(files: Files) -> None:
    with (
        serving(files) as port,
        contextlib.closing(make(tls_plan(port, fingerprint="00" * 32))) as connector,
        pytest.raises(UntrustedError, match="changed while it was measured"),
    ):
        connect(connector)


def test_tls_with_a_server_that_does_not_speak_it() -> None:
    with serving() as port, contextlib.closing(make(tls_plan(port))) as connector, pytest.raises(TransportError):
        connect(connector)


def test_a_file_of_authorities_that_cannot_be_used(tmp_path: Path) -> None:
    with pytest.raises(CertificateError, match="missing"):
        make(tls_plan(CLOSED_PORT, ca=str(tmp_path / "missing.pem")))
