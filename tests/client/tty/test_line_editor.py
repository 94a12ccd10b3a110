"""A person at a terminal, with message services: prompts, secrets, and the line editor."""

import contextlib
import functools
import os
import signal
import socket
import sys
import termios
import threading
import time
from pathlib import Path
from typing import Any

import pexpect
import pytest

from sockctl.cli.exit_codes import ExitCode
from sockctl.client.tty import terminal_mode
from tests.support.frames import framed
from tests.support.played_server import greet, read_frame, server
from tests.support.running import TIMEOUT_S, receive_all, receive_exactly
from tests.support.terminal import ended, expect_all

EDITOR_PROMPT = r"\x1b\[0m>"


def login(sock: socket.socket) -> None:
    """Ask for a name and a password, then talk."""
    greet(sock)
    sock.sendall(framed(kind="ask", text="Who?", field="name"))
    assert read_frame(sock) == {"kind": "answer", "text": "ann", "field": "name"}
    sock.sendall(framed(kind="ask", text="Password?", field="password", secret=True))
    assert read_frame(sock) == {"kind": "answer", "text": "swordfish", "field": "password"}
    sock.sendall(framed(kind="welcome", text="Hello \x1b[31mann."))
    assert read_frame(sock) == {"kind": "line", "text": "typed openly"}
    sock.sendall(framed(kind="error", text="No such thing.", code="none"))
    assert read_frame(sock)["kind"] == "bye"


@pytest.mark.parametrize("plain", [True, False], ids=["plain", "editor"])
def test_prompts_and_a_secret(terminal: Any, plain: bool) -> None:
    with server(login) as target:
        child = terminal("connect", *(["--plain"] if plain else []), target)
        child.expect("greeted.*message service test")
        child.expect(r"Who\?")
        child.sendline("ann")
        child.expect(r"Password\?")  # what is typed from here on is hidden
        child.sendline("swordfish")
        child.expect(r"\* Hello \[31mann\.")
        assert "swordfish" not in child.before
        assert "*" not in child.before, "not even how long it is"
        child.sendline("typed openly")
        child.expect("typed openly")
        child.expect("! No such thing")
        child.sendline("exit")
        child.expect("disconnected.*You ended the connection")
        assert ended(child) == 0


@pytest.mark.parametrize("how", ["Ctrl-C", "SIGTERM", "server"])
@pytest.mark.parametrize("plain", [True, False], ids=["plain", "editor"])
def test_the_terminal_is_as_it_was_after_a_secret(terminal: Any, how: str, plain: bool) -> None:
    leave = threading.Event()

    def play(sock: socket.socket) -> None:
        greet(sock)
        sock.sendall(framed(kind="ask", text="Password?", field="password", secret=True))
        assert leave.wait(TIMEOUT_S)

    with server(play) as target:
        child = terminal("connect", *(["--plain"] if plain else []), target)
        child.expect(r"Password\?")
        assert not child.getecho()
        if how == "Ctrl-C":
            child.sendintr()
            if not plain:
                child.expect("Ctrl-C again, or Ctrl-D, leaves")
                child.sendintr()
        elif how == "SIGTERM":
            child.kill(signal.SIGTERM)
        else:
            leave.set()
        child.expect(pexpect.EOF)
        leave.set()
        assert child.getecho(), "the echo is on again"
        child.wait()
        assert "Traceback" not in child.before
        if how == "server":
            assert child.exitstatus == 0
        elif how == "Ctrl-C" or not plain:
            assert child.exitstatus == ExitCode.INTERRUPTED
        else:
            assert child.signalstatus == signal.SIGTERM


@pytest.mark.parametrize("pause_s", [0.0, 0.05, 0.1])
def test_ctrl_d_as_soon_as_one_is_invited(terminal: Any, pause_s: float) -> None:
    def play(sock: socket.socket) -> None:
        greet(sock)
        sock.sendall(framed(kind="welcome", text="In."))
        assert receive_all(sock)  # the hello and the goodbye

    with server(play) as target:
        child = terminal("connect", target)
        child.delaybeforesend = None
        child.expect("Type lines")
        time.sleep(pause_s)
        child.sendeof()
        assert ended(child) == 0


def new_terminal() -> list[Any]:
    """Return the attributes that a terminal has at first."""
    ends = os.openpty()
    try:
        return termios.tcgetattr(ends[1])
    finally:
        for end in ends:
            os.close(end)


@pytest.mark.parametrize("pause_s", [0.0, 0.05, 0.5])
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT])
def test_a_signal_while_the_editor_comes(terminal: Any, number: signal.Signals, pause_s: float) -> None:
    def play(sock: socket.socket) -> None:
        with contextlib.suppress(AssertionError, ConnectionError):  # the signal may end the client before its hello
            greet(sock)
            receive_all(sock)

    with server(play) as target:
        child = terminal("connect", target)
        child.expect("Type lines")
        time.sleep(pause_s)
        child.kill(number)
        child.expect(pexpect.EOF)
        assert termios.tcgetattr(child.child_fd) == new_terminal()
        child.wait()
        # A greeting later than 0.3 s lets the user type before the editor comes: there the signal itself ends it.
        assert child.signalstatus == number or child.exitstatus == ExitCode.INTERRUPTED, child.before


@pytest.mark.parametrize(
    "numbers",
    [
        [signal.SIGHUP, signal.SIGHUP],
        [signal.SIGTERM, signal.SIGHUP, signal.SIGTERM],
        [signal.SIGINT, signal.SIGTERM, signal.SIGINT],
    ],
)
def test_several_signals_end_it_as_one_does(terminal: Any, numbers: list[signal.Signals]) -> None:
    """A shell and the kernel both say that a terminal has gone; the second signal came while the prompt ended."""

    def play(sock: socket.socket) -> None:
        greet(sock)
        with contextlib.suppress(ConnectionError):  # the client may end before it has read all
            for number in range(200):
                sock.sendall(framed(kind="notice", text=f"line {number}"))
            receive_all(sock)

    with server(play) as target:
        child = terminal("connect", target)
        child.expect("line 1")
        for number in numbers:
            child.kill(number)
        child.expect(pexpect.EOF)
        child.wait()
        assert child.signalstatus in numbers or child.exitstatus == ExitCode.INTERRUPTED, child.before


@pytest.mark.parametrize("plain", [True, False], ids=["plain", "editor"])
def test_a_secret_that_is_asked_for_with_the_greeting(terminal: Any, plain: bool) -> None:
    def play(sock: socket.socket) -> None:
        question = framed(kind="ask", text="Password?", field="password", secret=True)
        sock.sendall(b"sockctl/1 test\r\n" + question)
        assert read_frame(sock)["kind"] == "hello"
        assert read_frame(sock) == {"kind": "answer", "text": "swordfish", "field": "password"}
        sock.sendall(framed(kind="welcome", text="In."))
        receive_all(sock)

    with server(play) as target:
        child = terminal("connect", *(["--plain"] if plain else []), target)
        expect_all(child, r"Password\?", "Type lines")  # in this order, unless the greeting comes late
        child.sendline("swordfish")
        child.expect(r"\* In\.")
        assert "swordfish" not in child.before
        child.sendeof()
        assert ended(child) == 0
        assert termios.tcgetattr(child.child_fd) == new_terminal()


def test_a_message_arrives_while_a_line_is_typed(terminal: Any) -> None:
    said: list[object] = []
    typed = threading.Event()

    def play(sock: socket.socket) -> None:
        greet(sock)
        sock.sendall(framed(kind="welcome", text="In."))
        assert typed.wait(TIMEOUT_S)
        sock.sendall(framed(kind="say", text="\x1b[2J[/x] \u202einterrupting", sender="bob"))
        said.append(read_frame(sock)["text"])
        said.append(read_frame(sock)["text"])
        receive_all(sock)

    with server(play) as target:
        child = terminal("connect", target, NO_COLOR="1")
        child.expect(r"\* In\.")
        child.expect(EDITOR_PROMPT)
        child.send("half a li")
        child.expect("half a li")
        typed.set()
        child.expect(r"<bob> \[2J\[/x\] interrupting")
        child.expect(EDITOR_PROMPT + r"[^\n]*half a li")  # drawn again, whole, below the message
        child.sendline("ne")
        child.expect("half a line")
        child.send("\x1b[A")  # the arrow brings back what was typed
        child.expect("half a line")
        child.sendline(" twice")
        child.sendeof()
        assert ended(child) == 0
    assert said == ["half a line", "half a line twice"]


def test_the_server_ends_while_a_line_is_typed(terminal: Any) -> None:
    typed = threading.Event()

    def play(sock: socket.socket) -> None:
        greet(sock)
        assert typed.wait(TIMEOUT_S)
        sock.sendall(framed(kind="bye", text="Goodbye!"))

    with server(play) as target:
        child = terminal("connect", target)
        child.expect(EDITOR_PROMPT)
        child.send("half")
        child.expect("half")
        typed.set()
        child.expect(r"\* Goodbye!")
        child.expect("The server ended the connection")
        assert ended(child) == 0


def test_a_server_that_breaks_the_protocol_in_the_editor(terminal: Any) -> None:
    def play(sock: socket.socket) -> None:
        greet(sock)
        sock.sendall(framed(kind="welcome", text="In.") + b"\xff\xff\xff\xff")
        receive_all(sock)

    with server(play) as target:
        child = terminal("connect", target)
        child.expect("sockctl:.*4,294,967,295 bytes")
        assert ended(child) == ExitCode.BROKEN


def greeting_when(time_has_come: threading.Event, sock: socket.socket) -> None:
    assert time_has_come.wait(TIMEOUT_S)
    greet(sock)
    sock.sendall(framed(kind="welcome", text="In."))
    assert read_frame(sock) == {"kind": "line", "text": "typed ahead"}


@pytest.mark.parametrize("plain", [True, False], ids=["plain", "editor"])
def test_the_first_line_waits_for_a_greeting(terminal: Any, plain: bool) -> None:
    typed = threading.Event()
    with server(functools.partial(greeting_when, typed)) as target:
        patient = [sys.executable, "-m", "tests.support.patient_client"]
        child = terminal(*(["--plain"] if plain else []), target, command=patient)
        child.expect("connected")
        child.sendline("typed ahead")
        if plain:
            child.expect("typed ahead")  # else it isn't shown, since it may be an answer
        typed.set()
        child.expect(r"\* In\.")
        child.expect("disconnected")
        assert ended(child) == 0


@pytest.mark.parametrize("plain", [True, False], ids=["plain", "editor"])
def test_a_late_greeting_counts_while_nothing_was_typed(terminal: Any, plain: bool) -> None:
    invited = threading.Event()
    with server(functools.partial(greeting_when, invited)) as target:
        child = terminal("connect", *(["--plain"] if plain else []), target)
        child.expect("connected")
        child.expect("Type lines")  # after 0.3 s
        invited.set()
        child.expect(r"\* In\.")
        if not plain:
            child.expect(EDITOR_PROMPT)
        child.sendline("typed ahead")
        child.expect("disconnected")
        assert ended(child) == 0


def test_a_line_that_was_not_held_long_enough(terminal: Any) -> None:
    """Who speaks first stays raw, and sees the greeting as text."""

    def play(sock: socket.socket) -> None:
        assert receive_exactly(sock, 6) == b"early\n"
        sock.sendall(b"sockctl/1 test\r\nIn text.\r\n")

    with server(play) as target:
        child = terminal("connect", target)
        child.sendline("early")
        child.expect("sockctl/1 test\r\nIn text.")
        assert ended(child) == 0


def test_what_might_have_become_a_greeting_is_shown(terminal: Any) -> None:
    def play(sock: socket.socket) -> None:
        sock.sendall(b"sock")
        assert receive_exactly(sock, 6) == b"typed\n"

    with server(play) as target:
        child = terminal("connect", target)
        child.expect("connected")
        child.sendline("typed")
        child.expect("sock\r\n")
        assert ended(child) == 0


@pytest.mark.parametrize("plain", [True, False], ids=["plain", "editor"])
def test_who_insists_on_messages_never_speaks_raw(terminal: Any, plain: bool) -> None:
    """However late the greeting comes, and in however many pieces."""

    def play(sock: socket.socket) -> None:
        for piece in (b"sock", b"ctl/1 te"):
            time.sleep(0.4)
            sock.sendall(piece)
        sock.sendall(b"st\r\n")
        assert read_frame(sock)["kind"] == "hello"
        assert read_frame(sock) == {"kind": "line", "text": "typed ahead"}
        sock.sendall(framed(kind="say", text="heard"))

    with server(play) as target:
        child = terminal("connect", *(["--plain"] if plain else []), f"sockctl://{target}")
        child.expect("connected")
        child.sendline("typed ahead")
        child.expect("heard")
        assert ended(child) == 0


@pytest.mark.parametrize("plain", [True, False], ids=["plain", "editor"])
def test_a_secret_that_was_half_typed_is_no_answer_to_another_question(terminal: Any, plain: bool) -> None:
    go_on = [threading.Event(), threading.Event()]

    def play(sock: socket.socket) -> None:
        greet(sock)
        sock.sendall(framed(kind="ask", text="First:", field="first"))
        assert go_on[0].wait(TIMEOUT_S)
        sock.sendall(framed(kind="ask", text="Password:", field="password", secret=True))
        assert go_on[1].wait(TIMEOUT_S)
        sock.sendall(framed(kind="error", text="Too slow.") + framed(kind="ask", text="Zugang:", field="name"))
        assert read_frame(sock) == {"kind": "answer", "text": "ann", "field": "name"}

    with server(play) as target:
        child = terminal("connect", *(["--plain"] if plain else []), target)
        child.expect("First:")
        child.send("sword")
        child.expect("sword")  # the echo: it has arrived
        go_on[0].set()
        child.expect("word:")  # the editor draws only what differs from what stood there
        go_on[1].set()
        child.expect("Too slow")
        child.expect("Zugang:")
        if plain:
            assert child.getecho()
        child.sendline("ann")
        child.expect("disconnected")
        assert "sword" not in child.before
        assert ended(child) == ExitCode.NOT_LET_IN, "its last word was an error, and no welcome came"


def test_a_long_question_stands_above_the_line(terminal: Any) -> None:
    def play(sock: socket.socket) -> None:
        greet(sock)
        sock.sendall(framed(kind="ask", text=60_000 * "Q" + "?", field="name"))
        assert read_frame(sock) == {"kind": "answer", "text": "ann", "field": "name"}

    with server(play) as target:
        child = terminal("connect", target)
        child.expect(r"QQ\?")
        child.expect(EDITOR_PROMPT)
        child.sendline("ann")
        child.expect("disconnected")
        assert ended(child) == 0


def test_json_on_a_terminal_shows_questions_too(terminal: Any) -> None:
    with server(asking) as target:
        child = terminal("connect", "--json", target)
        child.expect_exact('"kind": "ask"')
        child.expect(r"Who\?")
        child.sendline("ann")
        child.expect("disconnected")
        assert ended(child) == 0


def asking(sock: socket.socket) -> None:
    greet(sock)
    sock.sendall(framed(kind="ask", text="Who?", field="name"))
    assert read_frame(sock) == {"kind": "answer", "text": "ann", "field": "name"}


def test_events_go_to_a_file_where_standard_error_does(terminal: Any, tmp_path: Path) -> None:
    events = tmp_path / "events"
    with server(asking) as target:
        child = terminal("connect", "-v", target, command=["sh", "-c", f'exec "$@" 2>{events}', "sh"])
        child.expect(r"Who\?")
        child.sendline("ann")
        child.expect(pexpect.EOF)
    assert "data_sent" in events.read_text()
    assert "data_sent" not in child.before


@pytest.mark.parametrize("stopped", [False, True])
def test_ctrl_c_while_the_servers_end_is_awaited(terminal: Any, stopped: bool) -> None:
    gone = threading.Event()

    def play(sock: socket.socket) -> None:
        greet(sock)
        assert read_frame(sock)["kind"] == "bye"
        assert gone.wait(TIMEOUT_S)

    with server(play) as target:
        child = terminal("connect", "--quit-after", "60", target)
        child.expect(EDITOR_PROMPT)
        child.sendeof()
        child.expect("input_ended")
        if stopped:  # then the kernel may give the signal to any thread
            child.kill(signal.SIGSTOP)
        child.sendintr()
        child.kill(signal.SIGCONT)
        child.expect("Interrupted")
        assert ended(child) == ExitCode.INTERRUPTED
        gone.set()


def test_a_terminal_that_cannot_move_its_cursor_gets_plain_lines(
    terminal: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with server(asking) as target:
        child = terminal("connect", target, TERM="dumb")
        child.expect(r"Who\? ")
        child.sendline("ann")
        child.expect("disconnected")
        assert "\x1b[?" not in child.before
        assert ended(child) == 0
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(os, "isatty", lambda _: True)
    assert terminal_mode.can_edit_lines()


def test_what_cannot_be_sent_is_told_and_the_session_goes_on(terminal: Any) -> None:
    def play(sock: socket.socket) -> None:
        greet(sock)
        sock.sendall(framed(kind="welcome", text="In."))
        assert read_frame(sock) == {"kind": "line", "text": "fine"}

    with server(play) as target:
        child = terminal("connect", "--plain", target)
        child.expect(r"\* In\.")
        os.write(child.child_fd, b"caf\xe9\n")
        child.expect("Line 1 of the input is not UTF-8")
        child.sendline("fine")
        assert ended(child) == 0
