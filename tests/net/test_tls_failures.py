"""What OpenSSL's errors mean, for a person: shown by real errors of OpenSSL."""

import ssl

import pytest

from sockctl.net.tls_failures import explain
from tests.support.tls import blind_context


def failure_of(context: ssl.SSLContext, received: bytes, *, server_side: bool) -> ssl.SSLError:
    """Return how a handshake fails whose other side sends these bytes."""
    incoming = ssl.MemoryBIO()
    incoming.write(received)
    tls = context.wrap_bio(incoming, ssl.MemoryBIO(), server_side=server_side)
    with pytest.raises(ssl.SSLError) as caught:
        tls.do_handshake()
    return caught.value


def hello_of(context: ssl.SSLContext) -> bytes:
    """Return what a client sends first."""
    outgoing = ssl.MemoryBIO()
    with pytest.raises(ssl.SSLWantReadError):
        context.wrap_bio(ssl.MemoryBIO(), outgoing).do_handshake()
    return outgoing.read()


def test_text_is_no_tls() -> None:
    error = failure_of(blind_context(), b"sockctl/1 chat\r\n", server_side=False)
    assert explain(error).startswith("the other side does not speak TLS")
    assert "wrong version number" in explain(error)


def test_no_cipher_in_common() -> None:
    client, server = blind_context(), ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    client.maximum_version = ssl.TLSVersion.TLSv1_2
    server.minimum_version = ssl.TLSVersion.TLSv1_2  # without a certificate it has no cipher to offer
    error = failure_of(server, hello_of(client), server_side=True)
    assert explain(error) == "the two sides know no cipher in common (no shared cipher)"


def test_an_error_that_has_no_words_yet_is_told_in_openssls() -> None:
    error = failure_of(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), b"GET / HTTP/1.0\r\n\r\n", server_side=True)
    assert explain(error) == "http request"


@pytest.mark.parametrize("error", [ssl.SSLError("made in Python"), ssl.SSLError(1, "made in Python")])
def test_an_error_that_openssl_has_not_made(error: ssl.SSLError) -> None:
    assert "made in Python" in explain(error)
