"""Tests for `sockctl.net.transport`."""

import socket

from sockctl.net.tls import TlsSocket
from sockctl.net.transport import CertificateRefusedError, TlsTransport, TransportError, is_pending
from tests.support.tls import blind_context


def test_a_broken_tls_reads_as_an_error_of_the_system() -> None:
    error = CertificateRefusedError("the certificate has expired")
    assert isinstance(error, TransportError)
    assert isinstance(error, OSError)
    assert error.strerror == str(error) == "the certificate has expired"


def test_a_plain_socket_has_nothing_that_no_poller_sees() -> None:
    near, far = socket.socketpair()
    with near, far:
        far.sendall(b"x")
        assert not is_pending(near)
        assert not isinstance(near, TlsTransport)


class HoldingSocket(socket.socket):
    """Holds bytes that were decrypted."""

    pending = True


def test_a_socket_says_itself_what_it_holds() -> None:
    with HoldingSocket() as sock:
        assert is_pending(sock)


def test_a_tls_socket_is_told_from_a_plain_one() -> None:
    near, far = socket.socketpair()
    with far, TlsSocket(near, blind_context(), server_side=False) as tls:
        assert isinstance(tls, TlsTransport)
        assert not is_pending(tls)
