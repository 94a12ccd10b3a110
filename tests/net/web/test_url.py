"""The addresses of WebSockets, as users write them."""

import pytest

from sockctl.errors import AddressError
from sockctl.net.address import Target, parse_target
from sockctl.net.schemes import is_web_address
from sockctl.net.web.url import is_public_name, parse_web_target


@pytest.mark.parametrize(
    ("text", "target"),
    [
        ("ws://localhost", Target("localhost", 80, "ws", "/")),
        ("wss://localhost/", Target("localhost", 443, "wss", "/")),
        ("ws://localhost:9080/a/b?c=d&e", Target("localhost", 9080, "ws", "/a/b?c=d&e")),
        ("ws://localhost:9080?c=d/e", Target("localhost", 9080, "ws", "/?c=d/e")),
        ("ws://[::1]:9080/a", Target("::1", 9080, "ws", "/a")),
        ("ws://[::1]", Target("::1", 80, "ws", "/")),
        ("ws://one/a,b", Target("one", 80, "ws", "/a,b")),
        ("ws://one/ä%20", Target("one", 80, "ws", "/%C3%A4%20")),
        ("ws://one/\udcff", Target("one", 80, "ws", "/%FF")),
    ],
)
def test_addresses(text: str, target: Target) -> None:
    assert is_web_address(text)
    assert parse_web_target(text) == target


def test_the_port_may_stand_apart() -> None:
    assert parse_web_target("ws://one/a", "9080") == Target("one", 9080, "ws", "/a")
    with pytest.raises(AddressError, match="port is given twice"):
        parse_web_target("ws://one:80/a", "9080")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("ws://", "names no host"),
        ("ws:///path", "names no host"),
        ("ws://one:http:80", "is not a"),
        ("ws://one:99999", "is not a port"),
        ("ws://one/a#b", "has a fragment"),
        ("ws://one/a b", "write %20"),
        ("ws://one/a\r\nX: y", "control character"),
        ("ws://one,two/", "several servers"),
        ("ws://one/" + "a" * 5_000, "5,001 characters: 4,096"),
    ],
)
def test_wrong_addresses(text: str, problem: str) -> None:
    with pytest.raises(AddressError, match=problem) as caught:
        parse_web_target(text)
    assert "\r" not in str(caught.value)


def test_a_password_in_an_address_is_refused_and_not_repeated() -> None:
    with pytest.raises(AddressError, match="--header-file FILE") as caught:
        parse_web_target("wss://ann:s3cret@one/")
    assert "s3cret" not in str(caught.value)


def test_other_commands_take_no_websocket() -> None:
    assert not is_web_address("ws")
    assert not is_web_address("tcp://one:1")
    with pytest.raises(AddressError, match="'sockctl connect' alone takes one"):
        parse_target("ws://one:1")


@pytest.mark.parametrize(
    ("host", "public"),
    [
        ("chat.server.org", True),
        ("Chat.Server.Org.", True),
        ("localhost", False),
        ("one", False),
        ("a.localhost", False),
        ("printer.local", False),
        ("nas.home.arpa", False),
        ("127.0.0.1", False),
        ("::1", False),
        ("fe80::1%eth0.5", False),
    ],
)
def test_public_names(host: str, public: bool) -> None:
    assert is_public_name(host) == public
