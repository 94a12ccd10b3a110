"""`sockctl listen` on a terminal: the line editor, several clients, and plain lines."""

import re
from typing import Any

import pytest

from sockctl.cli.exit_codes import ExitCode
from tests.support.running import connect, receive_all, receive_exactly
from tests.support.terminal import ended

PROMPT = r"\x1b\[0m>"


def start(terminal: Any, *options: str) -> tuple[Any, int]:
    """Start a listener, and return it with its port once it can be typed to."""
    child = terminal("listen", "0", *options)
    child.expect(r"Listening on 127\.0\.0\.1:(\d+)\D")
    port = int(child.match[1])
    child.expect("Type lines, Enter sends each")
    if not {"--plain", "--hex"} & set(options):
        child.expect(PROMPT)
    return child, port


def test_the_line_editor(terminal: Any) -> None:
    child, port = start(terminal)
    with connect(port, "127.0.0.1") as client:
        child.expect("client_connected")
        client.sendall(b"hello\x1b[31m\nname: ")
        child.expect("hello.*name: ")
        child.send("a typed line\r")
        assert receive_exactly(client, 13) == b"a typed line\n"
        child.send("exit\r")
        assert receive_all(client) == b""
    child.expect("You ended the connection")
    assert ended(child) == 0
    assert "\x1b[31m" not in child.before


def test_ctrl_d_ends_the_connection_and_then_the_listening(terminal: Any) -> None:
    child, port = start(terminal, "--keep-open")
    child.send("ahead\r")
    child.expect("ahead")
    for word in ("one", "two"):
        with connect(port, "127.0.0.1") as client:
            child.expect("client_connected")
            if word == "one":
                assert receive_exactly(client, 6) == b"ahead\n"
            child.send(f"{word}\r")
            assert receive_exactly(client, 4) == f"{word}\n".encode()
            child.sendeof()
            assert receive_all(client) == b""
        child.expect("disconnected")
    child.expect(PROMPT)
    child.sendeof()
    assert ended(child) == 0


def test_many_clients_are_marked(terminal: Any) -> None:
    child, port = start(terminal, "--many")
    with connect(port, "127.0.0.1") as one, connect(port, "127.0.0.1") as two:
        child.expect("#1 .*?A client connected")
        child.expect("#2 .*?A client connected")
        one.sendall(b"by one\n")
        two.sendall(b"by two\n")
        shown = set()
        for _ in range(2):
            child.expect(r"(#\d) (by \w{3})")
            shown.add(child.match[0])
        assert {re.sub(r"#\d ", "", each) for each in shown} == {"by one", "by two"}
        assert len({each[:2] for each in shown}) == 2
        child.send("to all\r")
        assert receive_exactly(one, 7) == receive_exactly(two, 7) == b"to all\n"
        child.sendcontrol("c")
        child.expect("Ctrl-C again")
        child.sendcontrol("c")
        assert ended(child) == 130


@pytest.mark.parametrize("options", [["--plain"], ["--hex"]])
def test_plain_lines(terminal: Any, options: list[str]) -> None:
    child, port = start(terminal, *options)
    with connect(port, "127.0.0.1") as client:
        child.expect("client_connected")
        child.send("typed\n")
        assert receive_exactly(client, 6) == b"typed\n"
        child.send("exit\n")
        assert receive_all(client) == b""
    assert ended(child) == 0


def test_ctrl_c_while_nobody_has_come(terminal: Any) -> None:
    child, _ = start(terminal)
    child.sendcontrol("c")
    child.expect("Ctrl-C again")
    child.sendcontrol("c")
    assert ended(child) == 130


def test_it_asks_for_the_port(terminal: Any) -> None:
    child = terminal("listen")
    child.expect(r"Port to listen on \[9090\]: ")
    child.send("0\n")
    child.expect("Listening on")
    child.expect("Type lines")
    child.expect(PROMPT)
    child.sendeof()
    assert ended(child) == 0


def test_no_line_of_a_paste_is_a_command(terminal: Any) -> None:
    child, port = start(terminal)
    with connect(port, "127.0.0.1") as client:
        child.expect("client_connected")
        child.send("\x1b[200~one\rexit\rthree\x1b[201~\r")
        assert receive_exactly(client, 15) == b"one\nexit\nthree\n"
        child.expect("> one.*> exit.*> three")
        child.send("exit\r")
        assert receive_all(client) == b""
    assert ended(child) == 0


def test_ctrl_c_ends_its_line(terminal: Any) -> None:
    child, _ = start(terminal, "--plain")
    child.sendintr()
    child.expect_exact("^C\r\n")
    assert ended(child) == ExitCode.INTERRUPTED
