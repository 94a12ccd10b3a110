"""``serve talk`` as a process: its operator, with a line editor and without."""

import contextlib
import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.frames import frame_client
from tests.support.running import free_port
from tests.support.terminal import ended


@pytest.fixture(params=["xterm", "dumb"])
def operator(request: pytest.FixtureRequest, terminal: Any) -> Iterator[tuple[Any, int]]:
    port = free_port()
    options = ("--port", str(port), "--strict-port", "--quiet")
    child = terminal("serve", "talk", *options, TERM=request.param, NO_COLOR="1")
    child.expect("Type lines.*Ctrl-C")
    yield child, port
    child.sendintr()
    assert ended(child) == 0


def clear(child: Any, text: str) -> None:
    """Clear the line to which a text has come back, where there is an editor."""
    if "xterm" in str(child.env):
        child.expect(text)
        child.sendintr()


def test_the_operator_and_several_clients_answer_each_other(operator: tuple[Any, int]) -> None:
    child, port = operator
    child.sendline("hello?")
    child.expect("Nobody is connected")
    clear(child, r"hello\?")
    with frame_client(port) as one, contextlib.ExitStack() as stack:
        child.expect(r"\* client 1 joined from 127.0.0.1")
        two = stack.enter_context(frame_client(port))
        child.expect(r"\* client 2 joined")
        one.expect("welcome")
        two.expect("welcome")
        two.line("\x1b[31mhi\u202e\n<3> fake [/x]")
        child.expect(r"<2> \[31mhi <3> fake \[/x\]\r\n")
        child.sendline("hello two")
        two.expect("say", text="hello two", sender="operator")
        child.sendline("@1 hello one")
        one.expect("say", text="hello one")
        child.sendline("@7 hello seven")
        child.expect("There is no client 7.*Connected: 1, 2")
        clear(child, "@7 hello seven")
        for number in range(5):
            one.line(f"question {number}")
            child.expect(f"<1> question {number}")
            child.sendline(f"answer {number}")
            one.expect("say", text=f"answer {number}")
    child.expect(r"\* client [12] left\r?\n")
    child.expect(r"\* client [12] left\r?\n")


def test_the_operator_leaves_and_the_server_stays(operator: tuple[Any, int]) -> None:
    child, port = operator
    child.sendeof()
    child.expect("input has ended")
    with frame_client(port) as client:
        client.expect("welcome")
        client.line("anybody there?")
        child.expect(r"<1> anybody there\?")


def test_connect_talks_with_the_operator(operator: tuple[Any, int], terminal: Any) -> None:
    child, port = operator
    client = terminal("connect", "localhost", str(port), NO_COLOR="1")
    client.expect(r"\* You are client 1")
    client.sendline("hello operator")
    child.expect("<1> hello operator")
    child.sendline("hello client")
    client.expect("<operator> hello client")
    client.sendline("exit")
    assert ended(client) == 0
    child.expect(r"client 1 left\r?\n")
    assert not re.search("Traceback", str(child.before))
