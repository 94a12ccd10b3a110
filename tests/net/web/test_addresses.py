"""Tests for `addresses`: which hosts and origins a server answers, and what its page knows of other servers."""

import pytest

from sockctl.net.web.addresses import Addresses
from sockctl.protocol.http_rules import HostHeader, Origin

ONE, TWO, THREE = (Origin("http", f"{name}.example", 9080) for name in ("one", "two", "three"))
ADDRESSES = Addresses(["chat.example"], own=ONE, list_all=lambda: {ONE, THREE, TWO})
HERE = HostHeader("one.example", 9080)


def test_the_advertised_name_is_answered() -> None:
    for host in ("one.example", "chat.example", "localhost", "192.0.2.7"):
        assert ADDRESSES.accepts_host(host)
    for host in ("two.example", "evil.example"):
        assert not ADDRESSES.accepts_host(host)


@pytest.mark.parametrize(
    ("origin", "opens_websocket", "accepted"),
    [
        ("http://one.example:9080", False, True),
        ("http://two.example:9080", True, True),
        ("http://two.example:9080", False, False),
        ("http://two.example:9081", True, False),
        ("https://two.example:9080", True, False),
        ("http://evil.two.example:9080", True, False),
        ("http://two.example", True, False),
        ("http://four.example:9080", True, False),
        ("null", True, False),
        ("", True, False),
    ],
)
def test_the_pages_of_advertised_servers_alone_may_open_a_websocket(
    origin: str, opens_websocket: bool, accepted: bool
) -> None:
    found = ADDRESSES.accepts_origin(origin, HERE, encrypted=False, opens_websocket=opens_websocket)
    assert found is accepted


def test_without_an_address_of_its_own_a_server_accepts_no_other_page() -> None:
    silent = Addresses(list_all=lambda: {TWO})
    assert not silent.accepts_origin(str(TWO), HERE, encrypted=False, opens_websocket=True)
    assert not silent.list_others(HERE)


def test_the_page_knows_the_others_under_the_advertised_address_only() -> None:
    assert ADDRESSES.list_others(HERE) == [THREE, TWO]
    for host, port in (("127.0.0.1", 9080), ("one.example", 9081), ("one.example", None)):
        assert not ADDRESSES.list_others(HostHeader(host, port))
    proxied = Addresses(own=Origin("https", "one.example", 443), list_all=lambda: {TWO})
    assert proxied.list_others(HostHeader("one.example", None)) == [TWO]
