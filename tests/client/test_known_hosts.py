"""Whose certificate the client trusts, kept on disk."""

import datetime
import json
import stat
from pathlib import Path

import pytest

from sockctl.client.known_hosts import KnownHosts, make_host_key
from sockctl.errors import FingerprintError, StoreFormatError, UnknownHostError
from tests.support.clock import NOON, Clock

ONE, TWO = ":".join(["AB"] * 32), ":".join(["0C"] * 32)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def hosts(tmp_path: Path, clock: Clock) -> KnownHosts:
    return KnownHosts(tmp_path, clock=clock)


@pytest.mark.parametrize(
    ("host", "key"),
    [
        ("Server.EXAMPLE", "server.example:9090"),
        ("192.0.2.7", "192.0.2.7:9090"),
        ("2001:DB8:0::1", "[2001:db8::1]:9090"),
        ("FE80::1%Eth0", "[fe80::1%Eth0]:9090"),
        ("bücher.example", "bücher.example:9090"),
    ],
)
def test_one_form_of_a_host(host: str, key: str, hosts: KnownHosts) -> None:
    assert make_host_key(host, 9090) == key
    hosts.trust(host, 9090, ONE)
    assert [one.address for one in hosts.list_all()] == [key]


def test_trusted_across_restarts(hosts: KnownHosts, tmp_path: Path) -> None:
    assert hosts.find("localhost", 9090) is None
    hosts.trust("LocalHost", 9090, "sha256:" + "ab" * 32)
    assert KnownHosts(tmp_path).find("localhost", 9090) == ONE
    assert KnownHosts(tmp_path).find("localhost", 9091) is None, "another port is another server"
    path = tmp_path / "known_hosts.json"
    assert json.loads(path.read_text()) == {
        "version": 1,
        "hosts": {"localhost:9090": {"fingerprint": ONE, "first_seen": "2026-01-31T12:00:00Z"}},
    }
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_new_certificate_replaces_the_old_one(hosts: KnownHosts, clock: Clock) -> None:
    hosts.trust("localhost", 9090, ONE)
    clock.now += datetime.timedelta(hours=1)
    hosts.trust("localhost", 9090, ONE)
    assert [one.first_seen for one in hosts.list_all()] == [NOON]
    hosts.trust("localhost", 9090, TWO)
    assert [one.as_fields for one in hosts.list_all()] == [
        {"address": "localhost:9090", "fingerprint": TWO, "first_seen": "2026-01-31T13:00:00Z"}
    ]
    with pytest.raises(FingerprintError):
        hosts.trust("localhost", 9090, "ab")
    assert hosts.find("localhost", 9090) == TWO


def test_forget(hosts: KnownHosts) -> None:
    hosts.trust("::1", 9090, ONE)
    hosts.forget("0:0::1", 9090)
    assert hosts.list_all() == []
    with pytest.raises(UnknownHostError, match=r"\[::1\]:9090 .* 'sockctl hosts list'"):
        hosts.forget("::1", 9090)


ENTRY = {"fingerprint": ONE, "first_seen": "2026-01-31T12:00:00Z"}


@pytest.mark.parametrize(
    ("content", "where"),
    [
        ([], "hosts is no object"),
        ({"localhost": ENTRY}, r"hosts\.localhost is no HOST:PORT"),
        ({"": ENTRY}, r'hosts\[""\] is no HOST:PORT'),
        ({":9090": ENTRY}, "is no HOST:PORT"),
        ({"localhost:0": ENTRY}, "is no HOST:PORT"),
        ({"LOCALHOST:9090": ENTRY}, "is no HOST:PORT in its usual form"),
        ({"tcp://localhost:9090": ENTRY}, "is no HOST:PORT in its usual form"),
        ({"[0:0::1]:9090": ENTRY}, "is no HOST:PORT in its usual form"),
        ({"localhost:9090": ONE}, r'hosts\["localhost:9090"\] is no object'),
        ({"localhost:9090": {"fingerprint": ONE}}, r"\.first_seen is no time"),
        ({"localhost:9090": {**ENTRY, "fingerprint": 1}}, r"\.fingerprint is no text"),
        ({"localhost:9090": {**ENTRY, "fingerprint": ONE.lower()}}, r"\.fingerprint is no SHA-256"),
        ({"localhost:9090": {**ENTRY, "fingerprint": "AB"}}, r"\.fingerprint is no SHA-256"),
        ({"localhost:9090": {**ENTRY, "first_seen": "today"}}, r"\.first_seen is no time"),
    ],
)
def test_a_file_of_another_form(hosts: KnownHosts, tmp_path: Path, content: object, where: str) -> None:
    data = json.dumps({"version": 1, "hosts": content})
    (tmp_path / "known_hosts.json").write_text(data)
    with pytest.raises(StoreFormatError, match=where):
        hosts.find("localhost", 9090)
    with pytest.raises(StoreFormatError, match=where):
        hosts.trust("localhost", 9091, ONE)
    assert (tmp_path / "known_hosts.json").read_text() == data
