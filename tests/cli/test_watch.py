"""``sockctl watch``, with real servers: one look, the list of servers, and a live picture on a terminal."""

import contextlib
import json
import re
import signal
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pexpect
import pytest

from sockctl.cli.exit_codes import ExitCode
from sockctl.cli.watch import complete_target
from tests.support.control import control_server, make_status
from tests.support.running import Process, connect, echo_process, receive_exactly, server_process, sockctl, wait_until
from tests.support.terminal import ended
from tests.support.tmux import Tmux, tmux

QUICK = ("--interval", "0.1")


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let no server of another test be found."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    return tmp_path / "sockctl"


@contextlib.contextmanager
def watchable() -> Iterator[tuple[Process, int]]:
    """Start a server, and wait until it can be watched; return it with its port."""
    with echo_process("-v") as (run, port):
        run.event("control_opened")
        yield run, port


def look_at(*arguments: str) -> dict[str, Any]:
    run = sockctl("watch", *arguments, "--once", "--json", *QUICK)
    assert run.returncode == 0, run.stderr
    fields: dict[str, Any] = json.loads(run.stdout)
    return fields


def test_one_look_as_json() -> None:
    with watchable() as (run, port), connect(port) as sock:
        sock.sendall(b"hello")
        receive_exactly(sock, 5)
        for target in ((), (str(port),), ("echo",), (f"echo-{port}",)):
            found = look_at(*target)
            server, (connection,) = found["server"], found["connections"]
            assert (server["name"], server["pid"]) == (f"echo-{port}", run.process.pid)
            assert (server["clients"], server["accepted"], server["in_per_s"]) == (1, 1, 0)
            assert (connection["bytes_in"], connection["in_per_s"], connection["wire"]) == (5, 0, "raw")
        assert connection["peer"].endswith(f":{sock.getsockname()[1]}")
        assert look_at("--peer", "nowhere")["connections"] == []


def test_one_look_in_a_pipe() -> None:
    with watchable() as (server, port), connect(port):
        server.event("client_connected")
        run = sockctl("watch", *QUICK)
    figures, table = run.stdout.decode().split("\n\n")
    assert f"server\techo-{port} at 127.0.0.1:{port}, [::1]:{port}" in figures.split("\n")
    assert "clients\t1 of 512" in figures.split("\n")
    titles, row = table.rstrip("\n").split("\n")
    assert titles.split("\t")[:3] == ["#", "PEER", "NAME"]
    assert len(row.split("\t")) == len(titles.split("\t"))


def test_members_of_a_chat(tmp_path: Path) -> None:
    with server_process("chat", "--data-dir", str(tmp_path / "data")) as (run, port), connect(port) as sock:
        sock.sendall(b"ann\n")
        run.event("member_came")

        def is_shown() -> bool:
            found = look_at("chat")
            (one,) = found["connections"]
            is_counted = found["server"]["counts"] == {"members": 1}
            return is_counted and (one["name"], one["room"], one["wire"]) == ("ann", "#lobby", "lines")

        wait_until(is_shown)
        assert not look_at("chat")["connections"][0]["muted"]


JSON_ONCE = ("--once", "--json", *QUICK)


def test_no_server() -> None:
    for arguments in ((), JSON_ONCE):
        run = sockctl("watch", *arguments)
        assert (run.returncode, run.stdout) == (ExitCode.UNREACHABLE, b"")
        assert b"No server runs here as this user that can be watched: 'sockctl serve echo' starts one." in run.stderr
    nobody = sockctl("watch", "--list")
    assert (nobody.returncode, nobody.stdout) == (0, b"SERVER\tLISTENS AT\tCLIENTS\tUP\tPROCESS\n")
    assert json.loads(sockctl("watch", "--list", "--json").stdout) == []


def test_several_servers() -> None:
    with watchable() as (_, port), watchable() as (run, other):
        names = sorted([f"echo-{port}", f"echo-{other}"])
        for arguments, several in (
            ((), "Several servers run"),
            (JSON_ONCE, "Several servers run"),
            (("echo",), "'echo' means several servers"),
        ):
            both = sockctl("watch", *arguments)
            assert (both.returncode, both.stdout) == (ExitCode.USAGE, b"")
            assert both.stderr.decode() == (
                f"sockctl: {several}: {', '.join(names)}. Give one of them, as in 'sockctl watch {names[0]}'.\n"
            )
        listed = sockctl("watch", "--list").stdout.decode().splitlines()
        assert [line.split("\t")[0] for line in listed] == ["SERVER", *names]
        assert [one["name"] for one in json.loads(sockctl("watch", "--list", "--json").stdout)] == names
        run.end()
        (one,) = json.loads(sockctl("watch", "--list", "--json").stdout)
        assert one["name"] == f"echo-{port}"
        missing = sockctl("watch", str(other))
        assert missing.returncode == ExitCode.UNREACHABLE
        assert missing.stderr.decode() == (f"sockctl: No server '{other}' can be watched. These run: echo-{port}.\n")


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGKILL, ExitCode.BROKEN)])
def test_json_lines_until_the_server_is_gone(terminal: Any, number: signal.Signals, code: int) -> None:
    with watchable() as (run, _):
        child = terminal("watch", "--json", *QUICK)
        for _ in range(3):
            child.expect(r'\{"server": .*\r\n')
        run.process.send_signal(number)
        rest = ended(child)
    assert rest == code
    assert ("gone without a goodbye" in str(child.before)) == (code != 0)


def test_wrong_use() -> None:
    for arguments, words in (
        (("--sort", "size"), "There is no column 'size': choose one of #, peer, name"),
        (("--interval", "0.01"), "is not in the range"),
        (("--list", "echo"), "--list lists all servers: leave the target out."),
    ):
        run = sockctl("watch", *arguments)
        assert run.returncode == ExitCode.USAGE
        assert words in run.stderr.decode()
    run = sockctl("watch", "./nothing")
    assert run.returncode == ExitCode.UNREACHABLE
    assert b"There is no control socket nothing." in run.stderr
    run = sockctl("watch", "/etc/passwd")
    assert run.returncode == ExitCode.UNREACHABLE
    assert b"/etc/passwd is no control socket, since it is no socket" in run.stderr


@pytest.fixture
def screen(tmp_path: Path) -> Iterator[Tmux]:
    with tmux(tmp_path, columns=160, rows=24, XDG_RUNTIME_DIR=str(tmp_path)) as shell:
        yield shell


def test_a_live_picture(screen: Tmux) -> None:
    with watchable() as (run, port), connect(port) as sock:
        screen.start("watch", *QUICK)
        screen.expect("clients 1 of 512", "rows 1-1 of 1, by # ↑", "q quit")
        mine = f"127.0.0.1:{sock.getsockname()[1]}"
        screen.expect(mine, "IN/S", "RETR")
        with connect(port):
            screen.expect("clients 2 of 512", "rows 1-2 of 2")
            screen.type(f"/{sock.getsockname()[1]}")
            screen.press("Enter")
            screen.expect("rows 1-1 of 1", f"peers with '{sock.getsockname()[1]}' (Esc shows all)")
            screen.press("Escape")
            screen.expect("rows 1-2 of 2")
        screen.press(*["Right"] * 4, "e", "s")
        screen.expect("AGE: How long ago accept() gave", "by AGE ↓")
        screen.resize(80, 24)
        rows = screen.expect("AGE: How long ago accept() gave", mine)
        assert not any("RETR" in row for row in rows)
        screen.resize(40, 12)
        screen.expect("clients 1 of 512", "AGE")
        screen.press("q")
        screen.expect("code=0")
        screen.resize(100, 24)
        screen.start("watch", *QUICK)
        screen.expect("clients 1 of 512")
        run.end()
        screen.expect(f"The server echo-{port} has stopped. At the last look, ", "code=0")


def test_a_server_that_is_killed_while_it_is_watched(screen: Tmux) -> None:
    with watchable() as (run, port):
        screen.start("watch", *QUICK)
        screen.expect("clients 0 of 512")
        run.end(signal.SIGKILL)
        screen.expect(f"sockctl: The server echo-{port} has gone without a goodbye: was it killed?", "code=7")


def test_a_server_whose_process_is_stopped(screen: Tmux) -> None:
    with watchable() as (run, _):
        screen.start("watch", *QUICK)
        screen.expect("clients 0 of 512")
        run.process.send_signal(signal.SIGSTOP)
        screen.expect("The server hasn't answered for")
        run.process.send_signal(signal.SIGCONT)
        wait_until(lambda: "answered" not in "\n".join(screen.screen()))
        screen.press("q")
        screen.expect("code=0")


def test_the_terminal_is_as_before_after_ctrl_c(terminal: Any) -> None:
    with watchable():
        child = terminal("watch", *QUICK)
        child.expect(r"clients .*0 of 512")
        child.send("\x1a\x03")  # Ctrl-Z does nothing
        assert ended(child) == ExitCode.INTERRUPTED
    assert "\x1b[?1049l" in str(child.before), "the screen of before"
    assert "\x1b[?25h" in str(child.before), "the cursor is shown"


def test_a_terminal_that_goes_away(terminal: Any) -> None:
    with watchable():
        child = terminal("watch", *QUICK)
        child.expect(r"clients .*0 of 512")
        child.close(force=False)  # hangs up
        wait_until(lambda: not child.isalive())


def test_one_look_on_a_terminal(terminal: Any) -> None:
    with watchable() as (run, port), connect(port) as sock:
        run.event("client_connected")
        mine = sock.getsockname()[1]
        child = terminal("watch", "--once", *QUICK, columns=80, NO_COLOR="1")
        child.expect(pexpect.EOF)
    lines = str(child.before).replace("\r", "").split("\n")
    assert lines[0].startswith(f"echo-{port} at 127.0.0.1:{port}, [::1]:{port}  process")
    assert re.search(rf"^1  127\.0\.0\.1:{mine} +raw +ESTABLISHED", "\n".join(lines), re.MULTILINE)
    assert max(map(len, lines)) <= 80


def test_a_thousand_connections(tmp_path: Path, screen: Tmux) -> None:
    with control_server(tmp_path / "a", lambda: make_status(1_000)):
        screen.start("watch", str(tmp_path / "a"), *QUICK)
        screen.expect("clients 1,000 of 512", "rows 1-20 of 1,000")
        screen.press("End", "Home", "NPage")
        screen.expect("rows 21-40 of 1,000")
        screen.press("q")
        screen.expect("code=0")


def test_names_are_completed(own_folder: Path) -> None:
    own_folder.mkdir()
    for name in ("echo-1.sock", "chat-2.sock", "lock"):
        with socket.socket(socket.AF_UNIX) as sock:
            sock.bind(str(own_folder / name))
    assert complete_target("") == ["chat-2", "echo-1"]
    assert complete_target("e") == ["echo-1"]
