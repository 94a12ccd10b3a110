"""The golden files of the listings, at several widths, with and without colour."""

import re
from pathlib import Path

import pytest

from sockctl.accounts.authenticator import Authenticator
from sockctl.accounts.hash_queue import HashQueue
from sockctl.client.known_hosts import KnownHosts
from sockctl.client.token_store import Login, TokenStore
from sockctl.services.known_clients import KnownClients
from tests.support.accounts import PASSWORD, accounts_at
from tests.support.clock import Clock
from tests.support.screens import WIDTHS, check_screen, take_screen

GROUPS = ("users", "sessions", "clients", "hosts", "logins")
FINGERPRINTS = (":".join(["AB"] * 32), ":".join(["09"] * 32))
MASKS = (
    (r"(?<![0-9a-f])[0-9a-f]{12}(?![0-9a-f])", "0123456789ab"),
    (r"\d{4}-\d\d-\d\d", "2026-01-31"),
    (r"\d\d:\d\d:\d\d", "12:00:00"),
)
"""What differs from run to run in the sessions, which must begin now to be listed; masks are as long as it is."""


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with two entries of each kind."""
    folder, clock = tmp_path_factory.mktemp("kept"), Clock()
    accounts_at(folder / "data", "ann", "bob", clock=clock).users.disable("bob")
    authenticator = Authenticator(accounts_at(folder / "data"), queue=HashQueue(slots=1))
    for address in ("192.0.2.7", "2001:db8::1234:5678"):
        authenticator.log_in("ann", PASSWORD, address, with_token=True)
    clients = KnownClients(folder / "data", clock=clock)
    clients.remember("192.0.2.7", "ann")
    clients.remember("2001:db8::1234:5678", "漢字の名前")
    clients.close()
    hosts, logins = KnownHosts(folder / "state", clock=clock), TokenStore(folder / "state", clock=clock)
    for port, fingerprint in enumerate(FINGERPRINTS, 9090):
        hosts.trust("server.example", port, fingerprint)
    for year, fingerprint in (("2999", FINGERPRINTS[0]), ("2001", "")):
        login = Login.at("server.example", 9090 + len(fingerprint) % 7, "chat", fingerprint)
        logins.keep(login, token="secret", expires=f"{year}-01-31T12:00:00Z", user="ann")
    return folder


def take(group: str, folder: Path, *, columns: int, colour: bool) -> str:
    """Return the screen of a listing."""
    places = {f"SOCKCTL_{name}_DIR": str(folder / name.lower()) for name in ("DATA", "STATE")}
    screen = take_screen(group, "list", columns=columns, colour=colour, environment=places)
    for pattern, mask in MASKS if group == "sessions" else ():
        screen = re.sub(pattern, mask, screen)
    return screen


@pytest.mark.parametrize("colour", [True, False], ids=["colour", "plain"])
@pytest.mark.parametrize("columns", WIDTHS)
@pytest.mark.parametrize("group", GROUPS)
def test_golden_listing(group: str, columns: int, kept: Path, *, colour: bool) -> None:
    name = "-".join([group, "list", str(columns), *(["colour"] if colour else [])])
    check_screen(name, take(group, kept, columns=columns, colour=colour))


@pytest.mark.parametrize("colour", [True, False], ids=["colour", "plain"])
@pytest.mark.parametrize("columns", WIDTHS)
@pytest.mark.parametrize("group", GROUPS)
def test_golden_empty_listing(group: str, columns: int, tmp_path: Path, *, colour: bool) -> None:
    name = "-".join([group, "list-empty", str(columns), *(["colour"] if colour else [])])
    check_screen(name, take(group, tmp_path, columns=columns, colour=colour))
