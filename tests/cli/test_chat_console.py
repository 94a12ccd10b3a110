"""The operator's console of ``serve chat``, on a pseudo-terminal."""

import signal
from pathlib import Path
from typing import Any

from tests.support.chat_client import client_at
from tests.support.operators import PROMPT, enter, operator
from tests.support.terminal import ended


def test_the_operator_at_the_terminal(terminal: Any, tmp_path: Path) -> None:
    with operator(terminal, tmp_path, NO_COLOR="1") as (child, port), client_at(port) as ann:
        enter(ann, "ann")
        child.expect(r"\d\d:\d\d \* ann joined #lobby")
        ann.line("hello \x1b[2J there")
        child.expect(r"\d\d:\d\d <ann> hello \[2J there")
        child.sendline("hello ann")
        ann.until("say", sender="server", text="hello ann")
        child.expect(r"\d\d:\d\d <server> hello ann")
        ann.send(kind="block", text="a", lines=["one of two", "/quit"])
        child.expect(r"<ann> one of two\r\n {12}/quit")
        child.sendline("/msg ann psst")
        child.expect(r"\d\d:\d\d \[private to ann\] <server> psst")
        child.sendline("/kick nobody")
        child.expect("! .*nobody")
        child.sendline("/kick a\tEnough")
        child.expect("server put ann out: Enough")
        ann.until("bye", reason="kicked")
        child.expect("ann left #lobby")


def test_a_half_typed_line_survives(terminal: Any, tmp_path: Path) -> None:
    with operator(terminal, tmp_path, NO_COLOR="1") as (child, port), client_at(port) as ann:
        enter(ann, "ann")
        child.send("half a li")
        for number in range(5):
            ann.line(f"line {number}")
            child.expect(f"<ann> line {number}\r\n.*" + PROMPT + "[^\n]*half a li")
        child.sendline("ne")
        ann.until("say", sender="server", text="half a line")
        child.send("not this")
        child.expect("not this")
        child.sendintr()  # clears the line, and the server stays
        child.sendline("but that")
        ann.until("say", sender="server", text="but that")
        child.send("half at the end")
        child.expect("half at the end")
        child.kill(signal.SIGTERM)
        ann.until("bye", reason="server_stopping")
        assert ended(child) == 0


def test_several_rooms(terminal: Any, tmp_path: Path) -> None:
    with operator(terminal, tmp_path, NO_COLOR="1") as (child, port), client_at(port) as ann:
        enter(ann, "ann")
        ann.line("/join games")
        ann.line("over here")
        child.expect("#games <ann> over here")  # read along, without being there
        child.sendline("/join games")
        child.expect(r"\[#games\]\S* server>")
        assert "server joined" not in child.before
        child.send("\x1b1")
        child.expect(PROMPT)
        ann.line("server, look")
        child.expect(r"2:#games 1 !1")
        child.send("\x1b2")
        child.expect("<ann> server, look")
        child.expect(r"\[#games\]\S* server>")


def test_the_operators_screen_breaks_at_words(terminal: Any, tmp_path: Path) -> None:
    with operator(terminal, tmp_path, columns=40, NO_COLOR="1") as (child, port), client_at(port) as ann:
        enter(ann, "ann")
        ann.line("one two three four five six seven eight nine ten")
        child.expect("<ann> one two three four five six\r\n {12}seven eight nine ten\r\n")
