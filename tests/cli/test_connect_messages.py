"""``connect`` with message services and with scripts: real processes against servers that tests play."""

import contextlib
import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sockctl.cli.exit_codes import ExitCode
from tests.support.frames import frame, framed
from tests.support.played_server import GREETING, Play, greet, read_frame, server
from tests.support.running import echo_process, process, receive_all, receive_exactly, sockctl


def saying(*messages: bytes) -> Play:
    """Greet, send these frames, and end."""

    def play(sock: socket.socket) -> None:
        greet(sock)
        sock.sendall(b"".join(messages))
        sock.shutdown(socket.SHUT_WR)
        receive_all(sock)

    return play


def repeating(sock: socket.socket) -> None:
    """Ask for a name, then say again what is said."""
    greet(sock)
    sock.sendall(framed(kind="ask", text="Who?", field="name"))
    answer = read_frame(sock)
    sock.sendall(framed(kind="welcome", text=f"Hello {answer['text']} ({answer['kind']})."))
    while (one := read_frame(sock))["kind"] == "line":
        sock.sendall(framed(kind="say", text=one["text"], sender="parrot"))
    assert one["kind"] == "bye"


@pytest.fixture(scope="module")
def echo() -> Iterator[str]:
    with echo_process() as (_, port):
        yield f"127.0.0.1:{port}"


# The greeting.


@pytest.mark.parametrize("size", [1, 5, 100])
def test_the_greeting_in_pieces(size: int) -> None:
    def play(sock: socket.socket) -> None:
        for start in range(0, len(GREETING), size):
            sock.sendall(GREETING[start : start + size])
            time.sleep(0.002)
        assert read_frame(sock)["kind"] == "hello"
        sock.sendall(framed(kind="welcome", text="In."))

    with server(play) as target:
        run = sockctl("connect", f"sockctl://{target}")
    assert (run.returncode, run.stdout, run.stderr) == (0, b"In.\n", b"")


def test_a_pipe_is_raw_unless_messages_are_insisted_on() -> None:
    def play(sock: socket.socket) -> None:
        sock.sendall(GREETING)
        assert receive_all(sock) == b"abc"
        sock.sendall(b"In text.\r\n")

    for target_form in ("{}", "tcp://{}"):
        with server(play) as target:
            run = sockctl("connect", target_form.format(target), stdin=b"abc")
        assert (run.returncode, run.stdout) == (0, GREETING + b"In text.\r\n")


def test_no_greeting_but_something_else() -> None:
    with server(lambda sock: sock.sendall(b"220 mail.example ESMTP\r\n")) as target:
        run = sockctl("connect", f"sockctl://{target}")
    assert run.returncode == ExitCode.BROKEN
    assert b"no message service" in run.stderr
    assert b"tcp://" in run.stderr


def test_what_is_no_greeting_is_counted_all_the_same() -> None:
    with server(lambda sock: sock.sendall(b"220 mail.example ESMTP\r\n")) as target:
        run = sockctl("connect", "-v", f"sockctl://{target}")
    assert b"24 bytes received" in run.stderr


def test_a_newer_greeting() -> None:
    with server(lambda sock: sock.sendall(b"sockctl/2 test\r\n")) as target:
        run = sockctl("connect", f"sockctl://{target}")
    assert run.returncode == ExitCode.BROKEN
    assert b"version 2" in run.stderr


def test_no_greeting_at_all(echo: str) -> None:
    run = sockctl("connect", f"sockctl://{echo}", "--timeout", "0.3")
    assert run.returncode == ExitCode.TIMED_OUT
    assert b"within 0.3 s" in run.stderr


def test_the_end_in_place_of_a_greeting() -> None:
    with server(lambda sock: sock.shutdown(socket.SHUT_WR)) as target:
        run = sockctl("connect", f"sockctl://{target}")
    assert run.returncode == ExitCode.BROKEN
    assert b"without a greeting" in run.stderr


def test_a_server_that_greets_and_stays_with_text() -> None:
    def play(sock: socket.socket) -> None:
        sock.sendall(GREETING + b"Too many are here.\r\n")
        sock.shutdown(socket.SHUT_WR)
        receive_all(sock)

    with server(play) as target:
        run = sockctl("connect", f"sockctl://{target}")
    assert (run.returncode, run.stdout) == (ExitCode.NOT_LET_IN, b"")
    assert run.stderr == b"sockctl: The server has not let you in: Too many are here.\n"


# Messages in a pipe.


def test_each_line_is_a_message() -> None:
    heard: list[object] = []

    def play(sock: socket.socket) -> None:
        greet(sock)
        heard.extend(read_frame(sock) for _ in range(3))
        assert receive_all(sock) == b"", "the end of the input says no goodbye, it half-closes"
        sock.sendall(framed(kind="say", text="late", sender="ann"))

    with server(play) as target:
        run = sockctl("connect", f"sockctl://{target}", stdin="one\r\nzwölf\nexit".encode())
    assert (run.returncode, run.stdout) == (0, b"<ann> late\n")
    assert heard == [{"kind": "line", "text": text} for text in ("one", "zwölf", "exit")]


@pytest.mark.parametrize(
    ("stdin", "code", "why"),
    [
        (b"caf\xe9\n", ExitCode.FAILED, b"Line 1 of the input is not UTF-8 at its byte 3"),
        (b"x" * 70_000 + b"\n", ExitCode.FAILED, b"split it"),
        (b"x" * 200_000, ExitCode.FAILED, b"split it"),
    ],
)
def test_what_cannot_be_a_message(stdin: bytes, code: ExitCode, why: bytes) -> None:
    def play(sock: socket.socket) -> None:
        greet(sock)
        sock.sendall(framed(kind="welcome", text="In."))
        with contextlib.suppress(ConnectionResetError):
            receive_all(sock)

    with server(play) as target:
        run = sockctl("connect", f"sockctl://{target}", stdin=stdin)
    assert run.returncode == code
    assert why in run.stderr
    assert b"Traceback" not in run.stderr


def test_pings_are_answered_and_not_shown() -> None:
    def play(sock: socket.socket) -> None:
        greet(sock)
        sock.sendall(framed(kind="ping", text="") + framed(kind="novelty") + framed(kind="ping", text=""))
        assert [read_frame(sock)["kind"] for _ in range(2)] == ["pong", "pong"]
        sock.sendall(framed(kind="say", text="done"))
        receive_all(sock)
        sock.sendall(framed(kind="ping", text=""))  # no answer is possible any more, and none is missed

    with server(play) as target:
        run = sockctl("connect", f"sockctl://{target}", "--expect", "done")
    assert (run.returncode, run.stdout) == (0, b"done\n")


def test_events_with_v() -> None:
    with server(saying(framed(kind="welcome", text="In."))) as target:
        run = sockctl("connect", "-v", f"sockctl://{target}")
    for part in (b"greeted ", b"message service test", b"data_received", b"The server ended the connection"):
        assert part in run.stderr


def test_the_bytes_of_the_wire() -> None:
    with server(saying(framed(kind="welcome", text="In."))) as target:
        run = sockctl("connect", "--hex", f"sockctl://{target}")
    assert b"sockctl/1 test.." in run.stdout
    assert b'{"kind":"hel|' in run.stdout
    assert run.stdout.count(b"In.") == 1


def test_text_of_a_stranger_is_inert() -> None:
    evil = framed(kind="say", text="\x1b[31mred\u202e\n[/x]", sender="\x1b]0;title\x07bob")
    with server(saying(evil)) as target:
        run = sockctl("connect", f"sockctl://{target}")
    assert run.stdout == b"<]0;titlebob> [31mred [/x]\n"


@pytest.mark.parametrize(
    ("broken", "why"),
    [
        (b"\xff\xff\xff\xff", b"4,294,967,295 bytes"),
        (b"\x00\x00\x00\x01\xff", b"not UTF-8"),
        (frame("oops"), b"no JSON"),
        (b"\x00\x00\x00\x09abc", b"middle of a frame"),
    ],
)
def test_a_server_that_breaks_the_protocol(broken: bytes, why: bytes) -> None:
    with server(saying(framed(kind="welcome", text="In."), broken)) as target:
        run = sockctl("connect", f"sockctl://{target}")
    assert run.returncode == ExitCode.BROKEN
    assert why in run.stderr
    assert run.stdout == b"In.\n", "what came before counts"
    assert b"Traceback" not in run.stderr


# Scripts.


def test_steps_in_the_order_of_the_command_line() -> None:
    with server(repeating) as target:
        run = sockctl(
            *("connect", f"sockctl://{target}", "--expect", "Who", "--send", "ann", "--send", "one", "--expect=^one$"),
            *("--send=two", "--expect", "tw.", "--timeout", "20"),
        )
    assert run.returncode == 0, run.stderr
    assert run.stdout == b"Who?\nHello ann (answer).\n<parrot> one\n<parrot> two\n"


def test_a_script_file(tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text("# greet\nexpect Who\nsend ann\nexpect Hello ann\nwait 0.05\n")
    with server(repeating) as target:
        run = sockctl(
            *("connect", f"sockctl://{target}", "--script", str(script), "--send", "more", "--expect", "more")
        )
    assert run.returncode == 0, run.stderr
    assert run.stdout.endswith(b"<parrot> more\n")


def test_a_script_for_a_raw_service(echo: str) -> None:
    run = sockctl("connect", echo, "--send", "one two", "--expect", "one", "--expect", "two", "--send", "last")
    assert (run.returncode, run.stdout) == (0, b"one two\nlast\n"), "it ends with a line: the answer is waited for"
    crlf = sockctl("connect", echo, "--crlf", "--send", "a", "--expect", "^a$", "--hex")
    assert crlf.returncode == 0
    assert b"61 0d 0a" in crlf.stdout


def test_a_script_says_goodbye_unless_it_ends_by_sending() -> None:
    heard: list[bytes] = []

    def play(sock: socket.socket) -> None:
        greet(sock)
        sock.sendall(framed(kind="welcome", text="In."))
        heard.append(receive_all(sock))
        sock.sendall(framed(kind="say", text="still printed"))

    for steps in (["--expect", "In"], ["--expect", "In", "--send", "a"]):
        with server(play) as target:
            run = sockctl("connect", f"sockctl://{target}", *steps, "--quit-after", "20")
        assert (run.returncode, run.stdout) == (0, b"In.\nstill printed\n")
    assert heard == [frame('{"kind":"bye","text":""}'), frame('{"kind":"line","text":"a"}')]


def test_an_open_line_can_be_expected_and_is_shown() -> None:
    def play(sock: socket.socket) -> None:
        sock.sendall(b"login: ")
        assert receive_exactly(sock, 4) == b"ann\n"
        sock.sendall(b"password: ")
        receive_all(sock)

    with server(play) as target:
        steps = ["--expect", "login", "--send", "ann", "--expect", "word: $", "--quit-after", "0"]
        run = sockctl("connect", target, "--json", *steps)
    assert run.returncode == 0, run.stderr
    assert [json.loads(line) for line in run.stdout.splitlines()] == [{"text": "login: password: "}]


def test_standard_input_is_not_read(echo: str) -> None:
    run = sockctl("connect", echo, "--send", "one", "--expect", "one", stdin=b"never sent\n")
    assert (run.returncode, run.stdout) == (0, b"one\n")


@pytest.mark.parametrize(
    ("steps", "code", "why"),
    [
        (["--send", "a", "--expect", "b", "--timeout", "0.3"], ExitCode.UNEXPECTED, b"'b' was not found within 0.3 s"),
        (["--expect", "("], ExitCode.USAGE, b"no regular expression"),
        (["--script", "/missing"], ExitCode.USAGE, b"No such file"),
        (["--json", "--hex"], ExitCode.USAGE, b"exclude each other"),
        (["--count", "0"], ExitCode.USAGE, b"--count"),
        (
            ["--count", "3", "--send", "a", "--expect", "a", "--quit-after", "0.3"],
            ExitCode.UNEXPECTED,
            b"2 short of the 3",
        ),
    ],
)
def test_exit_codes(echo: str, steps: list[str], code: ExitCode, why: bytes) -> None:
    run = sockctl("connect", echo, *steps)
    assert run.returncode == code
    assert why in run.stderr
    assert b"Traceback" not in run.stderr


def test_an_expectation_not_met_at_the_end() -> None:
    with server(saying(framed(kind="say", text="something else"))) as target:
        run = sockctl("connect", f"sockctl://{target}", "--expect", "what was wanted")
    assert run.returncode == ExitCode.UNEXPECTED
    assert b"before the server ended the connection" in run.stderr
    assert b"something else" in run.stderr
    assert run.stdout == b"something else\n"


def test_the_end_before_the_last_line_was_sent(tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text("expect first\nwait 60\nsend late\n")
    with server(saying(framed(kind="say", text="first"))) as target:
        run = sockctl("connect", f"sockctl://{target}", "--script", str(script))
    assert run.returncode == ExitCode.BROKEN
    assert b"would have sent 'late'" in run.stderr


def test_waiting_for_the_end(tmp_path: Path, echo: str) -> None:
    script = tmp_path / "script"
    script.write_text("wait\n")
    with server(saying(framed(kind="bye", text="Goodbye."))) as target:
        run = sockctl("connect", f"sockctl://{target}", "--script", str(script))
    assert (run.returncode, run.stdout) == (0, b"Goodbye.\n")
    run = sockctl("connect", echo, "--script", str(script), "--timeout", "0.3")
    assert run.returncode == ExitCode.TIMED_OUT


def test_count_ends_after_so_many_messages() -> None:
    messages = [framed(kind="say", text=str(number)) for number in range(5)]

    def play(sock: socket.socket) -> None:
        greet(sock)
        sock.sendall(b"".join(messages))
        with contextlib.suppress(ConnectionResetError):
            receive_all(sock)

    with server(play) as target:
        run = sockctl("connect", f"sockctl://{target}", "--count", "3")
    assert (run.returncode, run.stdout) == (0, b"0\n1\n2\n")


def test_count_and_steps_are_both_waited_for() -> None:
    messages = [framed(kind="say", text=text) for text in ("a", "b", "c", "d")]

    def play(sock: socket.socket) -> None:
        greet(sock)
        sock.sendall(b"".join(messages) + b"\xff\xff\xff\xff what comes behind the last one doesn't count")
        with contextlib.suppress(ConnectionResetError):
            receive_all(sock)

    for count, pattern, shown in (("1", "c", b"a\nb\nc\n"), ("3", "a", b"a\nb\nc\n"), ("2", "b", b"a\nb\n")):
        with server(play) as target:
            run = sockctl("connect", f"sockctl://{target}", "--count", count, "--expect", pattern)
        assert (run.returncode, run.stdout) == (0, shown), run.stderr


def test_count_and_steps_with_raw_lines() -> None:
    def play(sock: socket.socket) -> None:
        sock.sendall(b"a\nb\nc\nd\nopen")
        with contextlib.suppress(ConnectionResetError):
            receive_all(sock)

    for count, pattern, shown in (("1", "c", b"a\nb\nc\n"), ("3", "a", b"a\nb\nc\n"), ("2", "b", b"a\nb\n")):
        with server(play) as target:
            run = sockctl("connect", target, "--count", count, "--expect", pattern)
        assert (run.returncode, run.stdout) == (0, shown), run.stderr


def test_count_of_raw_lines(echo: str) -> None:
    with process("connect", echo, "--count", "2", stdin=-1) as run:  # subprocess.PIPE: its end is not the point
        assert run.process.stdin is not None
        assert run.process.stdout is not None
        run.process.stdin.write(b"one\ntwo\nthree\n")
        run.process.stdin.flush()
        assert run.wait() == 0
        assert run.process.stdout.read() == b"one\ntwo\n"
        run.process.stdin.close()


def test_json_lines(echo: str) -> None:
    with server(
        saying(framed(kind="say", text="hällo", sender="ann", id=7, extra=[1]), framed(kind="novelty"))
    ) as target:
        run = sockctl("connect", f"sockctl://{target}", "--json")
    assert [json.loads(line) for line in run.stdout.splitlines()] == [
        {"kind": "say", "text": "hällo", "sender": "ann", "id": 7, "extra": [1]},
        {"kind": "novelty"},
    ]
    raw = sockctl("connect", echo, "--json", "--send", "one", "--send", "two", "--count", "2")
    assert [json.loads(line) for line in raw.stdout.splitlines()] == [{"text": "one"}, {"text": "two"}]
