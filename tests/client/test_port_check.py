"""Tests for `sockctl.client.port_check`."""

import socket
from collections.abc import Iterator
from typing import Any

import pytest

from sockctl.client.port_check import check_ports, parse_ports
from sockctl.errors import AddressError, SourceError, UnreachableError
from sockctl.net.address import Endpoint
from tests.support.running import TIMEOUT_S


@pytest.fixture
def ports() -> Iterator[list[int]]:
    """Return an open port, and one at which nothing listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener, socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield [listener.getsockname()[1], bound.getsockname()[1]]


@pytest.mark.parametrize(
    ("texts", "ports"),
    [([], []), (["22"], [22]), (["22,80", "8000-8002", "22"], [22, 80, 8000, 8001, 8002]), (["7-7"], [7])],
)
def test_ports_and_ranges(texts: list[str], ports: list[int]) -> None:
    assert parse_ports(texts) == ports


@pytest.mark.parametrize(
    ("text", "why"), [("9-5", "write 5-9"), ("0", "not a port"), ("1-70000", "not a port"), ("80,", "not a port")]
)
def test_what_is_no_port(text: str, why: str) -> None:
    with pytest.raises(AddressError, match=why):
        parse_ports([text])


def test_the_states_come_in_the_order_of_the_ports(ports: list[int]) -> None:
    states = list(check_ports("127.0.0.1", [*ports, ports[0]], timeout_s=TIMEOUT_S))
    assert [one.state for one in states] == ["open", "closed", "open"]
    assert [one.endpoint.port for one in states] == [*ports, ports[0]]
    assert "connection refused" in states[1].error
    assert states[0].error == ""


def test_the_name_is_looked_up_once(ports: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    real, names = socket.getaddrinfo, []

    def look_up(host: str, *arguments: Any, **options: Any) -> Any:
        if host != "somewhere.test" or options:  # an address asks nobody
            return real(host, *arguments, **options)
        names.append(host)
        return real("127.0.0.1", *arguments)

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    states = list(check_ports("somewhere.test", ports, timeout_s=TIMEOUT_S))
    assert [(one.state, str(one.endpoint)) for one in states] == [
        ("open", f"somewhere.test:{ports[0]}"),
        ("closed", f"somewhere.test:{ports[1]}"),
    ]
    assert names == ["somewhere.test"]


def test_an_unknown_name_ends_it() -> None:
    with pytest.raises(UnreachableError, match="spelled right"):
        list(check_ports("nosuch.invalid", [1, 2], timeout_s=TIMEOUT_S))


def test_an_own_address_that_is_none(ports: list[int]) -> None:
    with pytest.raises(SourceError, match=r"can't begin at 192\.0\.2\.77: "):
        list(
            check_ports(
                "127.0.0.1", ports, timeout_s=TIMEOUT_S, family=socket.AF_INET, source=Endpoint("192.0.2.77", 0)
            )
        )
