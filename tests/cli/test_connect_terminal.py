"""A person at a terminal, played by a pseudo-terminal."""

import os
import re
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sockctl.cli.exit_codes import ExitCode
from tests.support.running import (
    CLOSED_PORT,
    TIMEOUT_S,
    echo_process,
    exchange,
    free_port,
    process,
    receive_all,
    receive_exactly,
    sockctl,
)
from tests.support.terminal import ended


@pytest.fixture(scope="module")
def echo() -> Iterator[int]:
    with echo_process() as (_, port):
        yield port


def test_a_session(terminal: Any, echo: int) -> None:
    child = terminal("connect", "localhost", str(echo))
    child.expect("connected.*Connected to .*three-way handshake")
    child.expect("'exit' or Ctrl-D ends the connection")
    child.sendline("hello")
    child.expect("data_sent.*Sent 6 bytes")
    child.expect("data_received.*Received 6 bytes")
    child.expect("hello\r\n")
    child.sendline("//exit")
    child.expect("Received 5 bytes")
    child.expect("exit\r\n")
    child.sendline("exit")
    child.expect("disconnected.*You ended the connection.*11 bytes sent and 11 bytes received")
    assert ended(child) == 0


def test_quiet(terminal: Any) -> None:
    port, thread = scripted(lambda sock: sock.sendall(receive_exactly(sock, 6).upper()))
    child = terminal("connect", "-q", f"127.0.0.1:{port}")
    child.sendline("hello")  # the terminal shows it, unless it comes while the client connects
    child.expect_exact("HELLO\r\n")
    thread.join()
    assert ended(child) == 0
    assert "connect" not in child.before


def test_quiet_tells_errors_and_no_warnings(terminal: Any) -> None:
    child = terminal("connect", "-q", "--retry", "1", "127.0.0.1", str(CLOSED_PORT), NO_COLOR="1")
    assert ended(child) == ExitCode.UNREACHABLE
    assert re.fullmatch(r"sockctl: Can't connect to 127\.0\.0\.1:1: connection refused, [^\n]*\r\n", child.before)


def test_only_receiving_needs_no_input(terminal: Any, echo: int) -> None:
    child = terminal("connect", "--recv-only", "--idle-timeout", "300ms", f"localhost:{echo}")
    child.expect("Nothing was sent or received for 0.3 s")
    assert ended(child) == ExitCode.TIMED_OUT


def test_ctrl_d(terminal: Any, echo: int) -> None:
    child = terminal("connect", f"localhost:{echo}")
    child.expect("Ctrl-D ends")
    child.sendeof()
    child.expect("disconnected.*You ended")
    assert ended(child) == 0


def test_ctrl_c(terminal: Any, echo: int) -> None:
    child = terminal("connect", f"localhost:{echo}")
    child.expect("Ctrl-D ends")
    child.sendintr()
    child.expect_exact("^C\r\n")  # the terminal's echo, and a line of its own for what comes next
    child.expect("Interrupted, the client closed the connection")
    assert ended(child) == ExitCode.INTERRUPTED
    assert "Traceback" not in child.before


INTERRUPTED_WHILE_INVITING = """
import sys
from sockctl.client.tty.user import TerminalUser
from sockctl.cli.app import run
invite = TerminalUser.invite
def interrupted(self):
    invite(self)
    raise KeyboardInterrupt
TerminalUser.invite = interrupted
sys.argv = ["sockctl", *sys.argv[4:]]
sys.exit(run())
"""
"""The command behind it, to which Ctrl-C is typed as soon as it says how to type."""


@pytest.mark.parametrize("words", [("connect", "localhost"), ("listen", "0", "--plain")])
def test_ctrl_c_at_the_first_moment_ends_its_line(terminal: Any, echo: int, words: tuple[str, ...]) -> None:
    more = [str(echo)] if words[0] == "connect" else []
    child = terminal(*words, *more, command=[sys.executable, "-c", INTERRUPTED_WHILE_INVITING])
    child.expect_exact("ends the connection.\r\n\r\n")
    assert ended(child) == ExitCode.INTERRUPTED


def test_ctrl_c_between_two_tries(terminal: Any) -> None:
    child = terminal("connect", "--retry", "100", "127.0.0.1", str(CLOSED_PORT))
    child.expect("Trying again")
    child.sendintr()
    assert ended(child) == ExitCode.INTERRUPTED


def test_what_is_missing_is_asked_for_and_checked(terminal: Any, echo: int) -> None:
    child = terminal("connect")
    child.expect_exact("Host [localhost]: ")
    child.sendline("not a host")
    child.expect("'not a host' is not a host")
    child.expect_exact("Host [localhost]: ")
    child.sendline("")
    child.expect_exact("Port [9090]: ")
    child.sendline("ninety")
    child.expect("'ninety' is not a port: a port is a whole number from 1 to 65535")
    child.expect_exact("Port [9090]: ")
    child.sendline(str(echo))
    child.expect("Connected to")
    child.sendline("exit")
    assert ended(child) == 0


def test_only_what_is_missing_is_asked_for(terminal: Any, echo: int) -> None:
    child = terminal("connect", "localhost")
    child.expect_exact("Port [9090]: ")
    assert "Host" not in child.before
    child.sendline(f" {echo} ")
    child.expect("Connected to")
    child.sendline("exit")
    assert ended(child) == 0


@pytest.mark.parametrize(
    ("answer", "understood"),
    [
        ("{}", "localhost:{}"),
        ("127.0.0.1:{}", "127.0.0.1:{}"),
        ("127.0.0.1 {}", "127.0.0.1:{}"),
        ("tcp://127.0.0.1:{}", "tcp://127.0.0.1:{}"),
        (":{}", "localhost:{}"),
    ],
)
def test_a_port_may_be_in_the_answer_to_the_host(terminal: Any, echo: int, answer: str, understood: str) -> None:
    child = terminal("connect")
    child.expect_exact("Host [localhost]: ")
    child.sendline(answer.format(echo))
    child.expect_exact(f"Connecting to {understood.format(echo)}.")
    child.expect("Connected to")
    assert "Port" not in child.before
    child.sendline("exit")
    assert ended(child) == 0


def test_no_input_never_asks(terminal: Any) -> None:
    child = terminal("connect", "--no-input", "localhost")
    child.expect("PORT is missing")
    assert ended(child) == ExitCode.USAGE


def test_ctrl_d_at_a_question(terminal: Any) -> None:
    child = terminal("connect")
    child.expect_exact("Host [localhost]: ")
    child.sendeof()
    child.expect("No answer was given to: Host")
    assert ended(child) == ExitCode.USAGE


def test_ctrl_c_at_a_question(terminal: Any) -> None:
    child = terminal("connect")
    child.expect_exact("Host [localhost]: ")
    child.sendintr()
    assert ended(child) == ExitCode.INTERRUPTED
    assert "Traceback" not in child.before


def scripted(script: Any) -> tuple[int, threading.Thread]:
    listener = socket.create_server(("127.0.0.1", 0))

    def run() -> None:
        with listener:
            sock, _ = listener.accept()
            with sock:
                script(sock)

    thread = threading.Thread(target=run)
    thread.start()
    return listener.getsockname()[1], thread


def test_the_server_closes_while_the_terminal_waits(terminal: Any) -> None:
    go = threading.Event()
    port, thread = scripted(lambda _: go.wait(TIMEOUT_S))
    child = terminal("connect", "127.0.0.1", str(port))
    child.expect("Ctrl-D ends")
    go.set()
    child.expect("disconnected.*The server ended the connection")  # before a further line is typed
    assert ended(child) == 0
    thread.join()


def test_text_of_the_server_cannot_steer_the_terminal(terminal: Any) -> None:
    port, thread = scripted(lambda sock: sock.sendall(b"\x1b]0;owned\x07\x1b[2Jno line end\xe2\x80\xae"))
    child = terminal("connect", "127.0.0.1", str(port))
    child.expect("no line end")
    shown = child.before + child.after
    assert "\N{SYMBOL FOR ESCAPE}[2J" in shown
    assert "\x1b[2J" not in shown
    assert "\x1b]" not in shown
    child.expect("\r\n.*disconnected")
    assert ended(child) == 0
    thread.join()


def test_exit_waits_for_the_last_answer_but_not_for_ever(terminal: Any) -> None:
    def stays(sock: socket.socket) -> None:
        receive_all(sock)
        time.sleep(0.3)  # that the answer is late is what is tested
        sock.sendall(b"last answer\n")
        sock.settimeout(TIMEOUT_S)
        receive_all(sock)
        gone.wait(TIMEOUT_S)

    gone = threading.Event()
    port, thread = scripted(stays)
    child = terminal("connect", "--quit-after", "5s", "127.0.0.1", str(port))
    child.expect("Ctrl-D ends")
    child.sendline("exit")
    child.expect("last answer")
    child.expect("disconnected.*You ended")
    assert ended(child) == 0
    gone.set()
    thread.join()


def test_the_server_asks_for_its_port(terminal: Any) -> None:
    port = free_port()
    child = terminal("serve", "echo")
    child.expect_exact("Port to listen on [9090]: ")
    child.sendline("70000")
    child.expect("'70000' is not a port")
    child.expect_exact("Port to listen on [9090]: ")
    child.sendline(str(port))
    child.expect(rf"\x1b\[36mlistening.*Listening on 127\.0\.0\.1:{port}")
    assert exchange(port, b"x") == b"x"
    child.sendintr()
    child.expect("server_stopped")
    assert ended(child) == 0


def test_the_server_does_not_ask_with_no_input(terminal: Any) -> None:
    child = terminal("serve", "echo", "--no-input")
    child.expect(r"Listening on 127\.0\.0\.1:\d+")
    child.kill(signal.SIGTERM)
    assert ended(child) == 0
    assert "Port to listen on" not in child.before


def test_no_colour(terminal: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    child = terminal("serve", "echo", "--port", "0")
    child.expect("Listening on")
    assert not re.search("\x1b", child.before)
    child.sendintr()
    assert ended(child) == 0


@pytest.fixture(scope="module")
def shell() -> Iterator[int]:
    """Return the port of a server that gives each client a shell with a terminal."""
    with process("serve", "exec", "--port", "0", "--log-format", "json", "--pty", "--", "sh", "-i") as run:
        yield int(run.event("listening")["port"])


RAW = ("connect", "--raw-terminal")
PROMPT = "# " if os.geteuid() == 0 else "$ "
AROUND = [
    *("sh", "-c"),
    'trap : INT; before=$(stty -g); "$@"; echo "code $?"; test "$before" = "$(stty -g)" && echo as before',
    "sh",
]
"""Says how a command has ended, and whether the terminal is as it was before; Ctrl-] interrupts this shell, too."""


def test_a_raw_terminal_passes_each_key_on(terminal: Any, shell: int) -> None:
    child = terminal(*RAW, "localhost", str(shell), command=AROUND)
    child.expect_exact("Each key goes to the server. Ctrl-] ends the connection.\r\n")
    child.send("echo wa''it; cat\r")
    child.expect_exact("wait\r\n")
    child.send("word\r")
    child.expect_exact("word\r\nword\r\n")  # the echo of the server's terminal, and cat's: it runs
    child.send("\x03")
    child.expect_exact(f"^C\r\n{PROMPT}")  # cat might read what is typed before its end
    child.send("stty size; printf '\\033[2mdim'\r")
    child.expect_exact("24 80\r\n\x1b[2mdim")
    child.expect_exact(PROMPT)
    child.send("\x1d")
    child.expect_exact("\r\nThe connection has ended.\r\n")
    assert not child.before
    child.expect_exact("code 130\r\nas before\r\n")
    assert ended(child) == 0


def test_a_raw_terminal_is_as_before_when_the_server_ends(terminal: Any, shell: int) -> None:
    child = terminal(*RAW, "-q", f"tcp://localhost:{shell}", command=AROUND)
    child.expect_exact(PROMPT)
    child.send("exit\r")
    child.expect_exact("code 0\r\nas before\r\n")
    assert ended(child) == 0


def test_a_raw_terminal_is_as_before_after_a_signal(terminal: Any, shell: int) -> None:
    child = terminal(*RAW, f"localhost:{shell}", command=AROUND)
    child.expect_exact(PROMPT)
    [client] = map(int, Path(f"/proc/{child.pid}/task/{child.pid}/children").read_text("ascii").split())
    os.kill(client, signal.SIGTERM)
    child.expect_exact("The connection has ended.\r\n")
    child.expect_exact("as before\r\n")
    assert ended(child) == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("sockctl://localhost:1",), "--raw-terminal is for raw bytes, and sockctl:// is not"),
        (("udp://localhost:1",), "--raw-terminal is for raw bytes, and udp:// is not"),
        (("localhost:1", "--send", "a"), "--raw-terminal and --send exclude each other"),
    ],
)
def test_where_no_terminal_can_be_raw(terminal: Any, words: tuple[str, ...], said: str) -> None:
    child = terminal(*RAW, *words)
    child.expect_exact(said)
    assert ended(child) == ExitCode.USAGE


def test_a_pipe_is_no_raw_terminal() -> None:
    done = sockctl(*RAW, "localhost:1")
    assert done.returncode == ExitCode.USAGE
    assert b"--raw-terminal needs a terminal" in done.stderr
