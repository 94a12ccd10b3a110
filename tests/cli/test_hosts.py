"""``sockctl hosts`` as a process."""

import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from sockctl.cli.exit_codes import ExitCode
from tests.support.changes import changed
from tests.support.running import sockctl
from tests.support.terminal import ended

ONE, TWO = ":".join(["AB"] * 32), ":".join(["0C"] * 32)


def hosts(state: Path, *arguments: str) -> subprocess.CompletedProcess[bytes]:
    return sockctl("hosts", *arguments, "--state-dir", str(state))


def test_trust_list_and_forget(tmp_path: Path) -> None:
    state = tmp_path / "state"
    nothing = hosts(state, "list")
    assert nothing.stdout == b"HOST:PORT\tFIRST SEEN\tSHA256\n"
    assert b"No server's certificate is trusted yet" in nothing.stderr
    assert hosts(state, "list", "--json").stdout == b"[]\n"
    assert not state.exists(), "looking makes nothing"
    trusted = hosts(state, "add", "Server.example:9090", "SHA256:" + "ab" * 32)
    assert trusted.stdout == b"server.example:9090 is trusted with that certificate, and with no other one.\n"
    assert hosts(state, "add", "[::1]:9090", ONE).returncode == 0
    assert [one["fingerprint"] for one in changed(hosts(state, "add", "[::1]:9090", TWO, "--json"))] == [TWO]
    table = [line.split("\t") for line in hosts(state, "list").stdout.decode().splitlines()]
    assert table[0] == ["HOST:PORT", "FIRST SEEN", "SHA256"]
    assert [(line[0], line[2]) for line in table[1:]] == [("server.example:9090", ONE), ("[::1]:9090", TWO)]
    listed = json.loads(hosts(state, "list", "--json").stdout)
    assert [sorted(one) for one in listed] == [["address", "fingerprint", "first_seen"]] * 2
    assert hosts(state, "remove", "[0::1]:9090").stdout == b"The certificate of [::1]:9090 is forgotten.\n"
    assert len(json.loads(hosts(state, "list", "--json").stdout)) == 1


def test_what_is_trusted_already(tmp_path: Path) -> None:
    hosts(tmp_path, "add", "localhost:1", ONE)
    assert changed(hosts(tmp_path, "add", "localhost:1", ONE, "--json")) == []
    other = hosts(tmp_path, "add", "localhost:1", TWO, "--if-missing")
    assert other.stdout == b"localhost:1 is trusted with another certificate. Nothing has changed.\n"
    assert [one["fingerprint"] for one in json.loads(hosts(tmp_path, "list", "--json").stdout)] == [ONE]
    assert len(changed(hosts(tmp_path, "add", "localhost:2", TWO, "--if-missing", "--json"))) == 1
    assert [one["address"] for one in changed(hosts(tmp_path, "remove", "localhost:1", "--json"))] == ["localhost:1"]
    assert changed(hosts(tmp_path, "remove", "localhost:1", "--json", "--if-exists")) == []
    gone = hosts(tmp_path, "remove", "localhost:1", "--if-exists")
    assert gone.stdout == b"No certificate of localhost:1 is kept. Nothing has changed.\n"


def test_the_old_verbs_go_on(tmp_path: Path) -> None:
    assert hosts(tmp_path, "trust", "localhost:1", ONE).returncode == 0
    assert hosts(tmp_path, "forget", "localhost:1").returncode == 0
    listed = sockctl("hosts", "--help").stdout
    assert b"  add " in listed
    assert b"  forget " not in listed
    assert b"  trust " not in listed


def test_a_person_is_asked(tmp_path: Path, terminal: Any) -> None:
    hosts(tmp_path, "add", "localhost:1", ONE)
    for answer, says, code in (("no", "localhost:1 is still trusted.", 1), ("yes", "is forgotten.", 0)):
        child = terminal("hosts", "remove", "localhost:1", "--state-dir", str(tmp_path))
        child.expect_exact("Forget the certificate of localhost:1? [yes/no]: ")
        child.sendline(answer)
        child.expect_exact(says)
        assert ended(child) == code
    hosts(tmp_path, "add", "localhost:1", ONE)
    child = terminal("hosts", "remove", "localhost:1", "--no-input", "--state-dir", str(tmp_path))
    child.expect_exact("is forgotten.")
    assert ended(child) == 0


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


def test_the_port_stands_beside_the_host_or_behind_a_colon(tmp_path: Path) -> None:
    for target in (("server.example", "9090"), ("server.example:9090",)):
        (added,) = changed(hosts(tmp_path, "add", *target, ONE, "--json"))
        assert added["address"] == "server.example:9090"
        removed = hosts(tmp_path, "remove", *target, "--yes")
        assert removed.stdout == b"The certificate of server.example:9090 is forgotten.\n"
    for words, why in ((("a", "1", "2"), b"Too many words"), (("a:1", "2"), b"given twice"), (("a",), b"not complete")):
        wrong = hosts(tmp_path, "add", *words, ONE)
        assert (wrong.returncode, why in wrong.stderr) == (ExitCode.USAGE, True)


@pytest.mark.parametrize("command", [("logout",), ("logins", "remove")])
def test_a_login_is_named_by_host_and_port(tmp_path: Path, command: tuple[str, ...]) -> None:
    for target in (("127.0.0.1", "9"), ("127.0.0.1:9",)):
        done = sockctl(*command, *target, "--state-dir", str(tmp_path))
        assert done.returncode == ExitCode.FAILED
        assert b"No login of 127.0.0.1:9 is kept" in done.stderr
