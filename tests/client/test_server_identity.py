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


def test_a_token_of_one_server_of_a_chat_counts_at_each() -> None:
    other = Endpoint("localhost", 9091)
    with socket.socket() as gone:
        here, there = (identify(gone, server, [NAMED, other]) for server in (NAMED, other))
        alone = identify(gone, NAMED, [NAMED])
    assert here.places == there.places == (NAMED, other)
    assert there.shares_tokens(here)
    assert alone.places == (NAMED,)
    assert not alone.shares_tokens(here)
    assert not here.shares_tokens(alone)


def test_a_token_that_came_under_tls_is_not_shown_without() -> None:
    chat = (NAMED, Endpoint("localhost", 9091))
    one, other = (
        ServerIdentity(server, fingerprint, chat=chat) for server, fingerprint in zip(chat, "AB", strict=True)
    )
    assert one.shares_tokens(other), "each has its own certificate"
    assert not ServerIdentity(NAMED, chat=chat).shares_tokens(one)
    assert not one.shares_tokens(ServerIdentity(NAMED, chat=chat))
    assert not ServerIdentity(NAMED, "A").shares_tokens(ServerIdentity(NAMED, "B")), "one server has one certificate"


def test_names_show_nothing_without_tls() -> None:
    named, addresses = (Endpoint("a.example", 1), NAMED), (Endpoint("::1", 1), NAMED)
    assert not ServerIdentity(NAMED, chat=named).is_lasting
    assert ServerIdentity(NAMED, chat=addresses).is_lasting
    assert ServerIdentity(NAMED, "A", chat=named).is_lasting
