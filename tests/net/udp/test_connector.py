import socket

import pytest

from sockctl.errors import AddressError, SourceError, UnreachableError
from sockctl.events.base import Event
from sockctl.net.address import Endpoint
from sockctl.net.udp.connector import open_datagrams
from sockctl.net.udp.target import parse_udp_target


def test_no_server_need_be_there() -> None:
    told: list[Event] = []
    with open_datagrams(Endpoint("localhost", 9), tell=told.append, timeout_s=5, family=socket.AF_INET) as transport:
        assert transport.address == ("127.0.0.1", 9)
    [opened] = told
    assert opened.happened.startswith("Datagrams go to 127.0.0.1:9, from 127.0.0.1:")


def test_the_own_address() -> None:
    told: list[Event] = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]
        with pytest.raises(SourceError, match="can't go out from"):
            open_datagrams(Endpoint("127.0.0.1", 9), tell=told.append, timeout_s=5, source=Endpoint("127.0.0.1", port))
    source = Endpoint("127.0.0.1", port)
    with open_datagrams(Endpoint("127.0.0.1", 9), tell=told.append, timeout_s=5, source=source):
        assert told[0].happened == f"Datagrams go to 127.0.0.1:9, from 127.0.0.1:{port}."


def test_an_address_without_a_way() -> None:
    with pytest.raises(UnreachableError, match="Is the address right"):
        open_datagrams(Endpoint("255.255.255.255", 9), tell=lambda _: None, timeout_s=5)


def test_targets() -> None:
    target = parse_udp_target("udp://[::1]:53")
    assert (target.host, target.port, target.scheme) == ("::1", 53, "udp")
    assert parse_udp_target("udp://localhost", "9").port == 9


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("udp://a:1,b:2", "names several servers"),
        ("udp://unix:/s", "is a Unix socket, which knows no UDP"),
        ("udp://a:99999", "is not a port"),
    ],
)
def test_wrong_targets(text: str, said: str) -> None:
    with pytest.raises(AddressError, match=said):
        parse_udp_target(text)
