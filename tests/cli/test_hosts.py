"""``sockctl hosts`` as a process."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from sockctl.cli.exit_codes import ExitCode
from tests.support.running import sockctl

ONE, TWO = ":".join(["AB"] * 32), ":".join(["0C"] * 32)


def hosts(state: Path, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    return sockctl("hosts", *arguments, "--state-dir", str(state))


def test_trust_list_and_forget(tmp_path: Path) -> None:
    state = tmp_path / "state"
    assert b"No server's certificate is trusted yet" in hosts(state, "list").stdout
    assert hosts(state, "list", "--json").stdout == b"[]\n"
    assert not state.exists(), "looking makes nothing"
    trusted = hosts(state, "trust", "Server.example:9090", "SHA256:" + "ab" * 32)
    assert trusted.stdout == b"server.example:9090 is trusted with that certificate, and with no other one.\n"
    assert hosts(state, "trust", "[::1]:9090", ONE).returncode == 0
    assert hosts(state, "trust", "[::1]:9090", TWO).returncode == 0
    table = [line.split() for line in hosts(state, "list").stdout.decode().splitlines()]
    assert table[0] == ["HOST:PORT", "FIRST", "SEEN", "SHA256"]
    assert [(line[0], line[2]) for line in table[1:]] == [("server.example:9090", ONE), ("[::1]:9090", TWO)]
    listed = json.loads(hosts(state, "list", "--json").stdout)
    assert [sorted(one) for one in listed] == [["address", "fingerprint", "first_seen"]] * 2
    assert hosts(state, "forget", "[0::1]:9090").stdout == b"The certificate of [::1]:9090 is forgotten.\n"
    assert len(json.loads(hosts(state, "list", "--json").stdout)) == 1


def test_the_state_directory_of_the_environment(tmp_path: Path) -> None:
    environment = {**os.environ, "SOCKCTL_STATE_DIR": str(tmp_path)}
    assert sockctl("hosts", "trust", "localhost:1", ONE, env=environment).returncode == 0
    assert (tmp_path / "known_hosts.json").exists()


@pytest.mark.parametrize(
    ("arguments", "code", "why"),
    [
        (("forget", "localhost:9090"), ExitCode.FAILED, b"No certificate of localhost:9090 is kept"),
        (("forget", "localhost"), ExitCode.USAGE, b"'localhost' is not complete: write HOST:PORT"),
        (("trust", ":9090", ONE), ExitCode.USAGE, b"':9090' is not complete"),
        (("trust", "localhost:x", ONE), ExitCode.USAGE, b"'x' is not a port"),
        (("trust", "localhost:9090", "ab"), ExitCode.USAGE, b"'ab' is not a fingerprint"),
    ],
)
def test_errors(tmp_path: Path, arguments: tuple[str, ...], code: ExitCode, why: bytes) -> None:
    run = hosts(tmp_path, *arguments)
    assert run.returncode == code
    assert why in run.stderr
    assert b"Traceback" not in run.stderr


def test_a_spoiled_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "known_hosts.json").write_text('{"version": 1}')
    for command in (["list"], ["forget", "localhost:1"], ["trust", "localhost:1", ONE]):
        run = hosts(tmp_path, *command)
        assert run.returncode == ExitCode.FAILED
        assert b"hosts is no object" in run.stderr
    assert (tmp_path / "known_hosts.json").read_text() == '{"version": 1}'
