"""``sockctl clients``: whom it lists, renames and forgets."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from sockctl.cli.exit_codes import ExitCode
from sockctl.services.known_clients import KnownClients
from tests.support.changes import changed
from tests.support.running import sockctl
from tests.support.terminal import ended


def clients(data: Path, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    return sockctl("clients", *arguments, "--data-dir", str(data))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Return a data directory with one known client."""
    known = KnownClients(tmp_path)
    known.remember("192.0.2.7", "ann")
    known.close()
    return tmp_path


def test_no_client_is_known(tmp_path: Path) -> None:
    nobody = clients(tmp_path / "data", "list")
    assert nobody.stdout == b"ADDRESS\tNAME\tFIRST SEEN\tLAST SEEN\n"
    assert nobody.stderr == b"No client is known yet: 'sockctl serve identify' asks those who come.\n"
    assert clients(tmp_path / "data", "list", "--json").stdout == b"[]\n"
    assert list(tmp_path.iterdir()) == [], "looking makes nothing"


def test_clients_are_listed_renamed_and_forgotten(data: Path) -> None:
    _, row = clients(data, "list").stdout.decode().splitlines()
    assert row.split("\t")[:2] == ["192.0.2.7", "ann"]
    (renamed,) = changed(clients(data, "rename", "ann", " Zoe ", "--json"))
    assert (renamed.pop("before"), renamed["name"]) == ("ann", "Zoe")
    listed = clients(data, "list", "--json")
    assert json.loads(listed.stdout) == [renamed]
    assert changed(clients(data, "remove", "zoe", "--json")) == [renamed]
    assert changed(clients(data, "remove", "zoe", "--if-exists", "--json")) == []
    again = clients(data, "remove", "zoe", "--if-exists")
    assert (again.returncode, again.stdout.decode()) == (0, "No client zoe is known. Nothing has changed.\n")


def test_the_old_verb_goes_on(data: Path) -> None:
    assert clients(data, "forget", "192.0.2.7").stdout == b"ann (192.0.2.7) is forgotten.\n"
    assert b"forget" not in clients(data, "--help").stdout


@pytest.mark.parametrize(
    ("arguments", "code", "why"),
    [
        (("rename", "bob", "cleo"), ExitCode.FAILED, b"No client 'bob' is known"),
        (("rename", "ann", "a b"), ExitCode.USAGE, b"is not a name"),
        (("remove", "192.0.2.1"), ExitCode.FAILED, b"No client '192.0.2.1' is known"),
    ],
)
def test_errors(data: Path, arguments: tuple[str, ...], code: ExitCode, why: bytes) -> None:
    run = clients(data, *arguments)
    assert run.returncode == code
    assert why in run.stderr


def test_a_person_is_asked(data: Path, terminal: Any) -> None:
    for answer, says, code in (("no", "ann (192.0.2.7) is still known.", 1), ("yes", "is forgotten.", 0)):
        child = terminal("clients", "remove", "ann", "--data-dir", str(data))
        child.expect_exact("Forget ann (192.0.2.7)? [yes/no]: ")
        child.sendline(answer)
        child.expect_exact(says)
        assert ended(child) == code
    child = terminal("clients", "remove", "ann", "--yes", "--data-dir", str(data))
    child.expect_exact("No client 'ann' is known")
    assert ended(child) == ExitCode.FAILED
