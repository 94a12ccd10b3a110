"""``connect --log``: real clients, on a terminal and in a pipe, and a hostile server."""

import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sockctl.cli.exit_codes import ExitCode
from tests.support.chat_server import ChatServer, chat_server
from tests.support.running import CLOSED_PORT, free_port, process, sockctl, wait_until
from tests.support.terminal import ended


@pytest.fixture(autouse=True)
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SOCKCTL_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("TZ", "UTC")
    return tmp_path / "state"


@pytest.fixture
def server() -> Iterator[ChatServer]:
    with chat_server() as one:
        yield one


def said(folder: Path, room: str = "lobby") -> list[str]:
    """Return what was said in a room, without times."""
    paths = list(folder.glob(f"*/{room}.log"))
    return [line.partition(" ")[2] for path in paths for line in path.read_text().splitlines() if "<" in line]


@pytest.mark.parametrize("plain", [True, False], ids=["plain", "editor"])
def test_on_a_terminal(terminal: Any, server: ChatServer, tmp_path: Path, plain: bool) -> None:
    options = ["--log", str(tmp_path / "log"), *(["--plain"] if plain else [])]
    child = terminal("connect", *options, f"sockctl://{server.target}", NO_COLOR="1")
    child.expect(r"Your name\?")
    child.sendline("ann")
    child.expect("In #lobby: ann, bob, carol")
    child.sendline("from ann")
    wait_until(lambda: said(tmp_path / "log") == ["1 <ann> from ann"])
    server.say("bob", "from bob")
    child.expect("from bob")
    server.close()
    child.expect("connection was lost")
    server.say("bob", "meanwhile")
    child.expect("meanwhile")
    child.sendline("/quit" if plain else "exit")
    if plain:
        child.sendline("exit")
    else:
        child.expect("Leave the chat")
        child.sendline("y")
    assert ended(child) == 0
    assert said(tmp_path / "log") == ["1 <ann> from ann", "2 <bob> from bob", "3 <bob> meanwhile"]


def test_in_a_pipe_over_restarts(tmp_path: Path) -> None:
    log, port = tmp_path / "log", free_port()
    address = f"sockctl://127.0.0.1:{port}"
    for line in ("one", "two"):
        with process(
            "serve", "chat", "--port", str(port), "--strict-port", "--data-dir", str(tmp_path / "data")
        ) as chat:
            chat.wait_for("listening")
            for who in ("ann", "小明"):
                run = sockctl("connect", "--user", who, "--log", str(log), address, stdin=f"{line}\n".encode())
                assert (run.returncode, run.stderr) == (0, b"")
            moved = sockctl("connect", "--user", "cem", "--log", str(log), address, stdin="/join чай\n好\n".encode())
            assert moved.returncode == 0
            chat.end(signal.SIGTERM)
    numbered = said(log, "#lobby")
    assert [text.partition(" ")[2] for text in numbered] == ["<ann> one", "<小明> one", "<ann> two", "<小明> two"]
    assert [text.partition(" ")[2] for text in said(log, "#чай")] == ["<cem> 好", "<cem> 好"]


def test_a_hostile_server(server: ChatServer, tmp_path: Path) -> None:
    log = tmp_path / "log"
    server.rooms["../../../evil"] = [{"text": "x", "room": "../../../evil", "sender": "e", "id": 1, "at": "now"}]
    server.rooms["r" * 20_000] = [{"text": "y", "room": "r" * 20_000, "sender": "e", "id": 1, "at": "now"}]
    for number in range(1_100):
        server.rooms[f"room{number}"] = [{"text": "z", "room": f"room{number}", "sender": "e", "id": 1, "at": "now"}]
    run = sockctl("connect", "--log", str(log), f"sockctl://{server.target}", stdin=b"ann\n")
    assert run.returncode == 0
    assert run.stderr.count(b"Not all rooms are logged") == 1
    assert b"Traceback" not in run.stderr
    made = [path for path in tmp_path.rglob("*") if path.is_file() and "state" not in path.parts]
    assert 0 < len(made) <= 1_000
    assert {path.parent.parent for path in made} == {log}


def test_a_log_that_cannot_be_written_is_told_once(server: ChatServer, tmp_path: Path) -> None:
    (tmp_path / "log").write_text("no folder")
    run = sockctl("connect", "--log", str(tmp_path / "log"), f"sockctl://{server.target}", stdin=b"ann\nhello\n")
    assert run.returncode == 0
    assert run.stdout.endswith(b"lobby <ann> hello\n")
    assert run.stderr.count(b"can't be written") == 1


def test_raw_bytes_have_no_rooms(tmp_path: Path) -> None:
    for target in (f"127.0.0.1:{CLOSED_PORT}", f"tls://127.0.0.1:{CLOSED_PORT}"):
        run = sockctl("connect", "--log", str(tmp_path / "log"), target)
        assert run.returncode == ExitCode.USAGE
        assert b"--log is for messages" in run.stderr
    assert not (tmp_path / "log").exists()
