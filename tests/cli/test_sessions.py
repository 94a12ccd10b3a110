"""``sockctl sessions``: which sessions it lists, and which it ends."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from sockctl.accounts.authenticator import Authenticator
from sockctl.accounts.hash_queue import HashQueue
from sockctl.cli.exit_codes import ExitCode
from tests.support.accounts import PASSWORD, accounts_at
from tests.support.changes import changed
from tests.support.running import sockctl
from tests.support.terminal import ended


def sessions(data: Path, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    return sockctl("sessions", *arguments, "--data-dir", str(data))


def log_in(data: Path, *names: str) -> dict[str, list[str]]:
    """Log each user in twice; return the ids of the sessions."""
    authenticator = Authenticator(accounts_at(data, *names), queue=HashQueue(slots=1))
    return {
        name: [authenticator.log_in(name, PASSWORD, "192.0.2.7", with_token=True).session.id for _ in range(2)]
        for name in names
    }


def listed(data: Path) -> list[str]:
    return [one["id"] for one in json.loads(sessions(data, "list", "--json").stdout)]


def test_nobody_is_logged_in(tmp_path: Path) -> None:
    accounts_at(tmp_path, "ann")
    nobody = sessions(tmp_path, "list")
    assert nobody.stdout == b"ID\tUSER\tADDRESS\tCREATED\tLAST USED\tEXPIRES\n"
    assert nobody.stderr == b"Nobody is logged in.\n"
    assert sessions(tmp_path, "list", "ann").stderr == b"ann is not logged in.\n"
    assert listed(tmp_path) == []
    assert sessions(tmp_path, "revoke", "--all").stdout == b"There was no session to end.\n"
    assert changed(sessions(tmp_path, "revoke", "--all", "--json")) == []


def test_sessions_are_listed_and_revoked(tmp_path: Path) -> None:
    ids = log_in(tmp_path, "ann", "bob")
    lines = sessions(tmp_path, "list").stdout.decode().splitlines()
    assert [line.split("\t")[:3] for line in lines[1:]] == [
        [one, name, "192.0.2.7"] for name in ("ann", "bob") for one in ids[name]
    ]
    assert [one["id"] for one in json.loads(sessions(tmp_path, "list", "Bob", "--json").stdout)] == ids["bob"]
    assert sessions(tmp_path, "list", "carl").returncode == ExitCode.FAILED
    revoked = sessions(tmp_path, "revoke", ids["ann"][0])
    assert revoked.stdout.decode() == f"The session {ids['ann'][0]} of ann has ended.\n"
    assert sessions(tmp_path, "revoke", ids["ann"][0]).returncode == ExitCode.FAILED
    assert changed(sessions(tmp_path, "revoke", ids["ann"][0], "--if-exists", "--json")) == []
    assert [one["id"] for one in changed(sessions(tmp_path, "revoke", "--user", "bob", "--json"))] == ids["bob"]
    assert sessions(tmp_path, "revoke", "--all").stdout.decode() == f"The session {ids['ann'][1]} of ann has ended.\n"


@pytest.mark.parametrize("arguments", [[], ["x", "--all"], ["--user", "ann", "--all"]])
def test_which_sessions_must_be_said(tmp_path: Path, arguments: list[str]) -> None:
    accounts_at(tmp_path, "ann")
    assert sessions(tmp_path, "revoke", *arguments).returncode == ExitCode.USAGE


def test_a_person_is_asked(tmp_path: Path, terminal: Any) -> None:
    one, other = log_in(tmp_path, "ann")["ann"]

    def revoke(*arguments: str) -> Any:
        return terminal("sessions", "revoke", *arguments, "--data-dir", str(tmp_path))

    child = revoke(one)
    child.expect_exact(f"End the session {one} of ann? [yes/no]: ")
    child.sendline("no")
    child.expect_exact("It goes on.")
    assert ended(child) == ExitCode.FAILED
    child = revoke("--all")
    child.expect_exact("End 2 sessions? [yes/no]: ")
    child.sendline("no")
    assert ended(child) == ExitCode.FAILED
    assert listed(tmp_path) == [one, other]
    child = revoke("--user", "ann")
    child.expect_exact("End 2 sessions of ann? [yes/no]: ")
    child.sendline("yes")
    child.expect_exact(f"The session {one} of ann has ended.")
    assert ended(child) == 0
    assert listed(tmp_path) == []
    child = revoke("--all", "--yes")
    child.expect_exact("There was no session to end.")
    assert ended(child) == 0
