import socket

from sockctl.client.server_identity import ServerIdentity, identify
from sockctl.net.address import Endpoint

NAMED = Endpoint("localhost", 9090)


def test_a_connection_that_is_gone_has_no_place() -> None:
    with socket.socket() as gone:
        assert identify(gone, NAMED) == ServerIdentity(NAMED, in_clear=True)


def test_without_tls_a_token_counts_at_the_address() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        socket.create_connection(listener.getsockname()) as sock,
        listener.accept()[0],
    ):
        port = listener.getsockname()[1]
        assert identify(sock, NAMED) == ServerIdentity(Endpoint("127.0.0.1", port))
