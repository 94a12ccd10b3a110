"""Who is known by which name, kept on disk."""

import contextlib
import datetime
import json
import sqlite3
import statistics
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sockctl.errors import NameRefusedError, NameTakenError, StoreFormatError, UnknownClientError
from sockctl.services.known_clients import MAX_CLIENTS, KnownClients, parse_client_address
from tests.support.clock import NOON, Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def clients(tmp_path: Path, clock: Clock) -> Iterator[KnownClients]:
    made = KnownClients(tmp_path, clock=clock)
    yield made
    made.close()


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("::FFFF:c000:207", "192.0.2.7"),
        ("2001:DB8:0::1", "2001:db8::1"),
        ("fe80::1%eth0", "fe80::1"),
        ("uid:1000", "uid:1000"),
        ("uid:01000", "uid:1000"),
    ],
)
def test_one_form_of_an_address(text: str, address: str) -> None:
    assert parse_client_address(text) == address


def test_remembered_across_restarts(clients: KnownClients, tmp_path: Path, clock: Clock) -> None:
    assert clients.find("192.0.2.7") is None
    clients.remember("192.0.2.7", "ann")
    clock.now += datetime.timedelta(hours=1)
    clients.note_visit("::ffff:192.0.2.7")
    found = KnownClients(tmp_path).find("192.0.2.7")
    assert found is not None
    assert (found.name, found.first_seen, found.last_seen) == ("ann", NOON, clock.now)
    assert [path.name for path in tmp_path.iterdir() if path.stat().st_mode & 0o077] == [], "the user's alone"


def test_who_came_first_stays(clients: KnownClients) -> None:
    clients.remember("192.0.2.7", "ann")
    assert clients.remember("192.0.2.7", "bob").name == "ann", "another connection of the same client was faster"
    with pytest.raises(NameTakenError):
        clients.remember("192.0.2.8", "ANN")


def test_rename(clients: KnownClients) -> None:
    clients.remember("192.0.2.7", "ann")
    clients.remember("192.0.2.8", "bob")
    assert clients.rename("192.0.2.7", " zoe ").name == "ann"
    assert clients.rename("ZOE", "Zoe").name == "zoe"
    with pytest.raises(NameTakenError):
        clients.rename("bob", "zoe")
    with pytest.raises(NameRefusedError):
        clients.rename("bob", "b o b")
    with pytest.raises(UnknownClientError, match="'cleo'"):
        clients.rename("cleo", "dan")
    assert [one.name for one in clients.list_all()] == ["Zoe", "bob"]


def test_forget(clients: KnownClients) -> None:
    clients.remember("192.0.2.7", "ann")
    clients.remember("2001:db8::1", "bob")
    assert clients.forget("2001:DB8::0001").name == "bob"
    assert clients.forget("Ann").address == "192.0.2.7"
    with pytest.raises(UnknownClientError):
        clients.forget("192.0.2.7")
    clients.note_visit("192.0.2.7")
    assert clients.list_all() == [], "a visit doesn't bring back who was forgotten"


@pytest.mark.parametrize("which", ["zoe", "192.0.2.9", "\udcff"])
def test_who_is_not_known_is_told(clients: KnownClients, which: str) -> None:
    clients.remember("192.0.2.7", "ann")
    for change in (clients.forget, lambda who: clients.rename(who, "bob")):
        with pytest.raises(UnknownClientError):
            change(which)


ENTRY = {"name": "ann", "first_seen": "2026-01-31T12:00:00Z", "last_seen": "2026-01-31T12:00:00Z"}


@pytest.mark.parametrize(
    ("content", "where"),
    [
        ([], "clients is no object"),
        ({"ann": ENTRY}, r"clients\.ann is no IP address"),
        ({"::ffff:1.2.3.4": ENTRY}, "is no IP address in its usual form"),
        ({"192.0.2.7": "ann"}, r'clients\["192.0.2.7"\] is no object'),
        ({"192.0.2.7": {**ENTRY, "name": 1}}, r"\.name is no text"),
        ({"192.0.2.7": {**ENTRY, "name": "a\x1bb"}}, r"\.name won't do"),
        ({"192.0.2.7": {**ENTRY, "last_seen": "today"}}, r"\.last_seen is no time"),
        ({"192.0.2.7": {**ENTRY, "first_seen": "2026-01-31T12:00:00"}}, r"\.first_seen is no time"),
    ],
)
def test_an_old_file_of_another_form(clients: KnownClients, tmp_path: Path, content: object, where: str) -> None:
    data = json.dumps({"version": 1, "clients": content})
    (tmp_path / "clients.json").write_text(data)
    with pytest.raises(StoreFormatError, match=where):
        clients.find("192.0.2.7")
    with pytest.raises(StoreFormatError, match=where):
        clients.remember("192.0.2.9", "bob")
    assert (tmp_path / "clients.json").read_text() == data


def test_a_file_of_an_earlier_version_is_taken_over(clients: KnownClients, tmp_path: Path) -> None:
    content = {"version": 1, "clients": {"192.0.2.7": ENTRY, "2001:db8::1": {**ENTRY, "name": "bob"}}}
    (tmp_path / "clients.json").write_text(json.dumps(content))
    assert [(one.address, one.name, one.last_seen) for one in clients.list_all()] == [
        ("192.0.2.7", "ann", NOON),
        ("2001:db8::1", "bob", NOON),
    ]
    assert not (tmp_path / "clients.json").exists()
    assert json.loads((tmp_path / "clients.json.old").read_text()) == content


def test_who_was_not_seen_for_longest_is_forgotten_first(tmp_path: Path, clock: Clock) -> None:
    clients = KnownClients(tmp_path, clock=clock, max_clients=3)
    for number in range(3):
        clients.remember(f"192.0.2.{number}", f"client{number}")
        clock.now += datetime.timedelta(seconds=1)
    clients.note_visit("192.0.2.0")
    clients.remember("192.0.2.3", "client3")
    assert [one.name for one in clients.list_all()] == ["client0", "client2", "client3"]
    clients.remember("192.0.2.4", "client1")
    assert [one.name for one in clients.list_all()] == ["client0", "client3", "client1"], "the name is free again"


@pytest.mark.slow
def test_a_visit_costs_as_much_beside_many_clients(tmp_path: Path) -> None:
    """What it computes is measured: how long a disk takes to sync says nothing."""
    few, many = KnownClients(tmp_path / "few"), KnownClients(tmp_path / "many")
    for clients, folder, number in ((few, "few", 10), (many, "many", MAX_CLIENTS)):
        clients.remember("192.0.2.7", "ann")
        with contextlib.closing(sqlite3.connect(tmp_path / folder / "clients.db")) as database, database:
            database.execute(
                "WITH RECURSIVE counted (n) AS (SELECT 2 UNION ALL SELECT n + 1 FROM counted WHERE n < ?) "
                "INSERT INTO clients (address, name, name_key, first_seen, last_seen) "
                "SELECT printf('2001:db8::%x', n), 'c' || n, 'c' || n, n, n FROM counted",
                (number,),
            )

    def cost_s(clients: KnownClients, number: int) -> float:
        began = time.thread_time()
        assert clients.find("192.0.2.7") is not None
        clients.note_visit("192.0.2.7")
        clients.remember(f"2001:db8:1::{number:x}", f"new{number}")
        return time.thread_time() - began

    costs = [(cost_s(few, number), cost_s(many, number)) for number in range(100)]
    assert statistics.median(much for _, much in costs) - statistics.median(little for little, _ in costs) < 0.003
    assert len(many.list_all()) == MAX_CLIENTS


def test_a_name_that_looks_like_another_clients(clients: KnownClients, tmp_path: Path) -> None:
    clients.remember("192.0.2.1", "aca")
    clients.remember("192.0.2.2", "acа2".replace("а", "a"))
    with pytest.raises(NameTakenError, match="'аса' looks like aca, which is taken"):
        clients.remember("192.0.2.3", "аса")
    clients.remember("192.0.2.3", "Иван")
    clients.rename("aca", "bob")
    clients.remember("192.0.2.4", "аса")
    other = KnownClients(tmp_path)
    with pytest.raises(NameTakenError, match="looks like аса"):
        other.rename("bob", "ACA")
    other.rename("аса", "АСА")
    other.forget("АСА")
    assert other.rename("bob", "ACA").name == "bob"
    other.close()


def test_a_client_may_look_like_itself(clients: KnownClients) -> None:
    clients.remember("192.0.2.1", "aca")
    clients.rename("aca", "аса")
    clients.rename("аса", "aca")
    assert [one.name for one in clients.list_all()] == ["aca"]


def test_names_in_ascii_have_no_looks(clients: KnownClients, tmp_path: Path) -> None:
    clients.remember("192.0.2.1", "rn")
    clients.remember("192.0.2.2", "m")
    clients.close()
    with contextlib.closing(sqlite3.connect(tmp_path / "clients.db")) as database:
        assert not database.execute("SELECT name FROM sqlite_master WHERE name = 'looks'").fetchall()


def test_forgotten_names_look_like_none(tmp_path: Path, clock: Clock) -> None:
    clients = KnownClients(tmp_path, clock=clock, max_clients=2)
    for number, name in enumerate(["аса", "Иван", "José", "aca"]):
        clock.now += datetime.timedelta(seconds=1)
        clients.remember(f"192.0.2.{number}", name)
    clients.close()
    with contextlib.closing(sqlite3.connect(tmp_path / "clients.db")) as database:
        assert database.execute("SELECT count(DISTINCT client) FROM looks").fetchone() == (2,)


@pytest.mark.parametrize(("first", "second"), [("127.0.0.1", "::1"), ("::1", "127.0.0.1"), ("::1", "::ffff:127.0.0.1")])
def test_this_machine_is_one_client(clients: KnownClients, first: str, second: str) -> None:
    clients.remember(first, "ann")
    found = clients.find(second)
    assert found is not None
    assert (found.address, found.name) == ("127.0.0.1", "ann")
    assert clients.remember(second, "bob").name == "ann"
    assert clients.rename(second, "zoe").name == "ann"
    assert clients.forget(first).name == "zoe"
    assert not clients.list_all()


@pytest.mark.parametrize(
    ("addresses", "kept"),
    [(["::1"], "ann"), (["::1", "127.0.0.1"], "bob"), (["127.0.0.1", "::1"], "bob"), (["127.0.0.1"], "ann")],
)
def test_this_machine_in_a_file_of_an_earlier_version(tmp_path: Path, addresses: list[str], kept: str) -> None:
    clients = KnownClients(tmp_path)
    clients.remember("192.0.2.1", "zoe")
    clients.close()
    with contextlib.closing(sqlite3.connect(tmp_path / "clients.db")) as database:
        for number, (address, name) in enumerate(zip(addresses, ["ann", "bob"], strict=False)):
            row = (address, name, name, number, 0)  # last seen in the same second
            database.execute(
                "INSERT INTO clients (address, name, name_key, first_seen, last_seen) VALUES (?, ?, ?, ?, ?)", row
            )
        database.commit()
    for address in ("::1", "127.0.0.1"):
        found = clients.find(address)
        assert found is not None
        assert (found.address, found.name) == ("127.0.0.1", kept)
    assert clients.get("::1").name == kept
    clients.note_visit("::1")
    assert [(one.address, one.name) for one in clients.list_all()] == [("192.0.2.1", "zoe"), ("127.0.0.1", kept)]
    clients.close()
