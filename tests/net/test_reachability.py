import socket

import ifaddr
import pytest

from sockctl.net.address import Endpoint
from sockctl.net.reachability import find_reach

ADAPTERS = [
    ifaddr.Adapter("lo", "lo", [ifaddr.IP("127.0.0.1", 8, "lo"), ifaddr.IP(("::1", 0, 0), 128, "lo")]),
    ifaddr.Adapter(
        "eth0",
        "eth0",
        [
            ifaddr.IP("192.0.2.2", 24, "eth0"),
            ifaddr.IP(("2001:db8::2", 0, 0), 64, "eth0"),
            ifaddr.IP(("fe80::2", 0, 2), 64, "eth0"),
        ],
    ),
]


@pytest.fixture(autouse=True)
def adapters(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ifaddr, "get_adapters", lambda: ADAPTERS)


def hosts(endpoints: tuple[Endpoint, ...]) -> list[str]:
    return [endpoint.host for endpoint in endpoints]


def test_loopback_only() -> None:
    reach = find_reach(["127.0.0.1", "::1"], 9090)
    assert reach.machine == (Endpoint("127.0.0.1", 9090), Endpoint("::1", 9090))
    assert reach.network == ()


def test_one_network_address_is_reached_there_from_this_machine_too() -> None:
    reach = find_reach(["192.0.2.2"], 9090)
    assert hosts(reach.machine) == hosts(reach.network) == ["192.0.2.2"]


def test_every_interface() -> None:
    reach = find_reach(["::"], 9090)
    assert hosts(reach.machine) == ["127.0.0.1", "::1"]
    assert hosts(reach.network) == ["192.0.2.2", "2001:db8::2"]


def test_every_ipv4_interface() -> None:
    reach = find_reach(["0.0.0.0"], 9090)  # noqa: S104  what is asked about, not bound
    assert hosts(reach.machine) == ["127.0.0.1"]
    assert hosts(reach.network) == ["192.0.2.2"]


def test_this_machine_for_real(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    assert "127.0.0.1" in hosts(find_reach(["::"], 1).machine)
    assert socket.inet_aton(hosts(find_reach(["::"], 1).machine)[0])
