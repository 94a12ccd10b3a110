"""``sockctl logins``: which logins it lists, and that it shows no token."""

import json
import os
import subprocess
from pathlib import Path

from sockctl.cli.exit_codes import ExitCode
from sockctl.client.token_store import Login, TokenStore
from tests.support.running import sockctl

FINGERPRINT = ":".join(["AB"] * 32)
LATER, LONG_AGO = "2999-01-01T00:00:00Z", "2020-01-01T00:00:00Z"


def logins(state: Path, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    run = sockctl("logins", *arguments, "--state-dir", str(state))
    assert b"secret" not in run.stdout + run.stderr
    return run


def keep(state: Path, host: str, expires: str, *, user: str = "", fingerprint: str = "") -> None:
    TokenStore(state).keep(Login.at(host, 9090, "chat", fingerprint), token="secret", expires=expires, user=user)


def test_no_login_is_kept(tmp_path: Path) -> None:
    nothing = logins(tmp_path / "state", "list")
    assert nothing.stdout == b"SERVER\tSERVICE\tUSER\tTLS\tEXPIRES\tSTATE\n"
    assert nothing.stderr == b"No login is kept: 'sockctl connect' keeps one where a server gives it.\n"
    assert logins(tmp_path / "state", "list", "--json").stdout == b"[]\n"
    assert list(tmp_path.iterdir()) == [], "looking makes nothing"


def test_logins_are_listed(tmp_path: Path) -> None:
    keep(tmp_path, "server.example", LATER, user="Zoë", fingerprint=FINGERPRINT)
    keep(tmp_path, "127.0.0.1", LONG_AGO)
    table = [line.split("\t") for line in logins(tmp_path, "list").stdout.decode().splitlines()]
    assert table[1:] == [
        ["server.example:9090", "chat", "Zoë", "yes", LATER, "valid"],
        ["127.0.0.1:9090", "chat", "", "no", LONG_AGO, "expired"],
    ]
    listed = logins(tmp_path, "list", "--json").stdout
    assert "Zoë" in listed.decode(), "JSON is UTF-8"
    encrypted, clear = json.loads(listed)
    assert [clear[name] for name in ("server", "user", "fingerprint", "expired")] == [
        "127.0.0.1:9090",
        None,
        None,
        True,
    ]
    assert encrypted == {
        "server": "server.example:9090",
        "service": "chat",
        "user": "Zoë",
        "fingerprint": FINGERPRINT,
        "expires": LATER,
        "expired": False,
    }


def test_a_login_is_removed_as_by_logout(tmp_path: Path) -> None:
    keep(tmp_path, "127.0.0.1", LONG_AGO, user="ann")
    removed = logins(tmp_path, "remove", "127.0.0.1:9090")
    assert removed.stdout == b"You are logged out of 127.0.0.1:9090 (chat, as ann).\n"
    assert logins(tmp_path, "remove", "127.0.0.1:9090").returncode == ExitCode.FAILED
    assert logins(tmp_path, "remove", "127.0.0.1:9090", "--if-exists").returncode == 0


def test_a_file_that_others_can_read_is_refused(tmp_path: Path) -> None:
    keep(tmp_path, "127.0.0.1", LATER)
    (tmp_path / "tokens.json").chmod(0o644)
    run = sockctl("logins", "list", env={**os.environ, "SOCKCTL_STATE_DIR": str(tmp_path)})
    assert run.returncode == ExitCode.FAILED
    assert b"tokens.json is not used: others may use it" in run.stderr
