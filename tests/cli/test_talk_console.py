"""The operator's console of ``serve talk``: the prompt shows which client gets the line."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.frames import frame_client
from tests.support.running import free_port
from tests.support.terminal import ended


@pytest.fixture
def editor(terminal: Any) -> Iterator[tuple[Any, int]]:
    port = free_port()
    child = terminal("serve", "talk", "--port", str(port), "--strict-port", "--quiet", NO_COLOR="1")
    child.expect("0 clients")
    yield child, port
    child.sendintr()  # the line is empty
    assert ended(child) == 0


def test_a_half_typed_line_stays_addressed(editor: tuple[Any, int]) -> None:
    child, port = editor
    with frame_client(port) as one, frame_client(port) as two:
        one.expect("welcome")
        two.expect("welcome")
        one.line("I am one")
        child.expect("<1> I am one")
        child.expect("→1")
        child.send("for one")
        child.expect("for one")
        two.line("I am two")
        child.expect(r"<2> I am two\r\n.*→1\S*>\S* \S*for one")
        child.sendline(" alone")
        one.expect("say", text="for one alone")
        child.expect(r"\d\d:\d\d →1 for one alone\r\n")
        child.expect("→2")  # the line is empty
        child.sendline("for two")
        two.expect("say", text="for two")
        child.sendline("@1 again")
        one.expect("say", text="again")
        child.expect("→1 again")
        child.sendline("@1\tcompleted")
        one.expect("say", text="completed")
        child.sendline("/be\t")
        child.expect("The bell is on")
        child.sendline("/events")
        child.expect("Events are not shown")


def test_the_addressee_leaves_while_a_line_is_typed(editor: tuple[Any, int]) -> None:
    child, port = editor
    with frame_client(port) as two_first, frame_client(port) as one:
        two_first.expect("welcome")
        one.expect("welcome")
        one.line("I go")
        child.expect("<2> I go")
        child.expect("→2")
        child.send("too late")
        child.expect("too late")
        one.sock.close()
        child.expect(r"client 2 left.*→2 \(not here\)")
        child.sendline("")
        child.expect("There is no client 2: nothing was sent. Connected: 1.")
        child.expect(r"→2 \(not here\)\S*>\S* \S*too late")
        child.sendline("")  # it doesn't go to anybody else
        child.expect("There is no client 2")
        child.expect("too late")
        child.sendintr()
        child.expect(r"1\x1b\[0m>")  # only what has changed is drawn
        child.sendline("for you")
        two_first.expect("say", text="for you")


def test_a_paste_goes_to_one_client_as_lines(editor: tuple[Any, int]) -> None:
    child, port = editor
    with frame_client(port) as one:
        one.expect("welcome")
        child.expect("→1")
        child.send("\x1b[200~@7 first\n/help\x1b[201~")
        child.expect("/help")
        child.send("\r")
        child.expect(r"nd\? \[y/N\]")
        child.sendline("y")
        one.expect("say", text="@7 first")
        one.expect("say", text="/help")
        child.expect("→1 @7 first\r\n {6}→1 /help")
