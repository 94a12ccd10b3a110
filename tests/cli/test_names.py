"""Names in one's own letters, by real processes: users, a login that is kept, a chat on both wires, and a restart."""

import json
import subprocess
import unicodedata
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest

from sockctl.cli.exit_codes import ExitCode
from tests.support.accounts import PASSWORD, make_cheap
from tests.support.chat_server import chat_server
from tests.support.frames import frame_client
from tests.support.running import TIMEOUT_S, Process, free_port, process, server_process, sockctl
from tests.support.terminal import ended
from tests.support.tools import tool

USERS = ("Иван", "José", "小明")


def served(data: Path, service: str, *arguments: str) -> AbstractContextManager[tuple[Process, int]]:
    return server_process(service, "--data-dir", str(data), *arguments)


def add(data: Path, name: str) -> "subprocess.CompletedProcess[bytes]":
    return sockctl("users", "add", name, "--password-stdin", "--data-dir", str(data), stdin=f"{PASSWORD}\n".encode())


def connect(port: int, state: Path, *lines: str, json_lines: bool = False) -> str:
    """Return what a client in a pipe prints that types these lines."""
    options = ["--json"] if json_lines else []
    run = sockctl(
        "connect",
        f"sockctl://127.0.0.1:{port}",
        "--state-dir",
        str(state),
        *options,
        stdin="".join(f"{line}\n" for line in lines).encode(),
    )
    assert run.returncode == 0, run
    return run.stdout.decode()


def netcat(port: int, *lines: str, source: str = "127.0.0.1", target: str = "127.0.0.1") -> str:
    return subprocess.run(
        [tool("nc", "netcat-openbsd"), "-N", *([] if ":" in target else ["-s", source]), target, str(port)],
        input="".join(f"{line}\n" for line in lines).encode(),
        capture_output=True,
        timeout=TIMEOUT_S,
        check=True,
    ).stdout.decode()


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    make_cheap(folder)
    for name in USERS:
        assert add(folder, unicodedata.normalize("NFD", name)).stdout.decode() == f"{name.lower()} is a user now.\n"
    return folder


def test_users(data: Path) -> None:
    listed = json.loads(sockctl("users", "list", "--json", "--data-dir", str(data)).stdout)
    assert [user["name"] for user in listed] == ["иван", "josé", "小明"]
    assert '"小明": {' in (data / "users.json").read_text(encoding="utf-8")
    mixed = add(data, "anн")
    assert mixed.returncode == ExitCode.USAGE
    assert mixed.stderr.decode() == "sockctl: 'anн' mixes Latin and Cyrillic letters: write it in one script.\n"
    assert add(data, "aca").returncode == 0
    alike = add(data, "аса")
    assert alike.returncode == ExitCode.FAILED
    assert "The name аса looks like aca, which is taken: choose another name." in alike.stderr.decode()
    verified = sockctl("users", "verify", "ИВАН", "--password-stdin", "--data-dir", str(data), stdin=PASSWORD.encode())
    assert verified.stdout.decode() == "That is the password of иван.\n"
    assert sockctl("users", "remove", "JOSÉ", "--yes", "--data-dir", str(data)).returncode == 0


def test_a_chat_of_users_on_both_wires_and_across_a_restart(data: Path, tmp_path: Path) -> None:
    ivan, ming = tmp_path / "ivan", tmp_path / "ming"
    port = free_port()  # the system gives it to nobody while the server is down
    with served(data, "chat", "--auth", "--operator", "ИВАН", "--port", str(port)) as (run, _):
        said = connect(port, ivan, "Иван", PASSWORD, "привет", "/join #Игры", "/topic вечером", "/who")
        assert "Welcome, иван!" in said
        assert "In #игры: иван" in said
        assert run.event("login_succeeded")["user"] == "иван"
        lines = netcat(port, "José", PASSWORD, "/join #ИГРЫ", "/nick Хосе", "hola", "/nick Чжан", "/join #gаmes")
        assert "The topic of #игры is: вечером" in lines
        assert "'gаmes' mixes Latin and Cyrillic letters" in lines
        assert run.end() == 0
    assert '"room":"#игры","sender":"Хосе"' in (data / "chat-history.jsonl").read_text(encoding="utf-8")
    command = ["--auth", "--operator", "иван", "--port", str(port)]
    with served(data, "chat", *command) as (run, port):
        said = connect(port, ivan, "/join #игры", "/ban 小明 10m", "/bans", "/mute José 10m")
        assert run.event("login_succeeded")["by"] == "token"
        assert "<Хосе> hola" in said
        assert "小明 (account 小明): banned by иван" in said
        refused = sockctl("connect", f"sockctl://127.0.0.1:{port}", "--json", stdin=f"小明\n{PASSWORD}\n".encode())
        assert refused.returncode == ExitCode.NOT_LET_IN
        assert run.end() == 0
    with served(data, "chat", *command) as (run, port):
        assert "lets 小明 (account 小明) in again" in connect(port, ivan, "/unban 小明")
        shown = connect(port, ming, "小明", PASSWORD, "你好", json_lines=True)
        messages = [json.loads(line) for line in shown.splitlines()]
        assert any((one["kind"], one.get("sender")) == ("say", "小明") for one in messages)
        assert '"sender": "小明"' in shown
        assert run.end() == 0


def test_guests_that_look_alike(tmp_path: Path) -> None:
    with served(tmp_path, "chat") as (_, port), frame_client(port) as aca:
        aca.expect("ask", field="name")
        aca.line("aca")
        aca.expect("token")
        aca.expect("welcome", name="aca")
        assert "The name 'аса' looks like aca, which is taken: choose another one." in netcat(port, "аса")
        lines = netcat(port, "Иван", "/nick АСА", "/msg aca привет")
        assert "The name 'АСА' looks like aca" in lines
        aca.send(kind="bye")
        assert "привет" in [one["text"] for one in aca.rest() if one.get("sender") == "Иван"]


def test_identify(tmp_path: Path) -> None:
    with process("serve", "identify", "--port", "0", "--data-dir", str(tmp_path), "--log-format", "json") as run:
        assert f"It keeps the names in {tmp_path / 'clients.db'}." in run.event("server_started")["text"]
        port = int(run.event("listening")["port"])
        assert "Hello, José!" in netcat(port, "Jose\u0301")
        assert "Hello again, José!" in netcat(port, target="::1")
        assert "'anн' mixes Latin and Cyrillic letters" in netcat(port, "anн", source="127.0.0.2")
        listed = sockctl("clients", "list", "--json", "--data-dir", str(tmp_path)).stdout.decode()
        assert '"name": "José"' in listed
        assert sockctl("clients", "rename", "::1", "小明", "--data-dir", str(tmp_path)).returncode == 0
        assert "Hello again, 小明!" in netcat(port)


def test_at_a_terminal(terminal: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOCKCTL_STATE_DIR", str(tmp_path))
    with chat_server() as server:
        child = terminal("connect", "--plain", f"sockctl://{server.target}", NO_COLOR="1")
        child.expect(r"Your name\?")
        child.sendline("ann")
        child.expect("In #lobby: ann")
        server.send("renamed", "ann is 小明 now.", before="ann", name="小明")
        child.expect("ann is 小明 now")
        server.say("Иван", "小明你好")
        child.expect(">> <Иван> 小明你好")
        child.sendline("exit")
        assert ended(child) == 0
