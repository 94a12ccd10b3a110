import json
import os
from base64 import b64decode, b64encode

import pytest

from sockctl.client.chat.formatter import MessageFormatter
from sockctl.client.outputs import HexOutput, JsonOutput, Output, PlainOutput
from sockctl.client.screen import Screen
from sockctl.errors import StreamError
from sockctl.protocol.messages import Message, make_message

EVIL = make_message("say", "\x1b[31mred\u202e [/x]\nnext", sender="b\x1bob")


WRITTEN: list[bytes] = []


class KeptScreen(Screen):
    """Keeps what is written."""

    def write(self, data: bytes) -> None:
        WRITTEN.append(data)


@pytest.fixture
def written() -> list[bytes]:
    WRITTEN.clear()
    return WRITTEN


def screen(*, person: bool) -> Screen:
    made = KeptScreen()
    made.person = person
    return made


def text_of(written: list[bytes]) -> str:
    text = b"".join(written).decode()
    written.clear()
    return text


def test_pipe_gets_the_bytes_as_they_are(written: list[bytes]) -> None:
    output = PlainOutput(screen(person=False), None)
    output.show_bytes(b"\x1b[31m\xff\r\n")
    assert written == [b"\x1b[31m\xff\r\n"]


def test_terminal_gets_safe_text(written: list[bytes]) -> None:
    output = PlainOutput(screen(person=True), MessageFormatter(colours=False))
    output.show_bytes("\x1b[31mgrüße".encode()[:-2])
    output.show_bytes(b"e\n")
    output.show_bytes(b"\xc3")  # half a character: nothing to show yet
    assert text_of(written).startswith("\N{SYMBOL FOR ESCAPE}[31mgr")
    output.show_bytes(b"")
    assert text_of(written) == "\N{REPLACEMENT CHARACTER}"


def test_messages_in_a_pipe_are_lines(written: list[bytes]) -> None:
    output = PlainOutput(screen(person=False), None)
    for one in (
        make_message("ask", "Who?"),
        EVIL,
        make_message("error", "No."),
        Message({"kind": "novelty", "sender": "bob"}),
    ):
        output.show_message(one)
    assert text_of(written) == "Who?\n<bob> [31mred [/x] next\nNo.\n"
    output.show_message(make_message("say", "", sender="bob"))
    assert text_of(written) == "<bob> \n", "an empty line that somebody says is a line"


def test_messages_on_a_terminal_tell_who_says_it(written: list[bytes]) -> None:
    output = PlainOutput(screen(person=True), MessageFormatter(colours=False))
    for one in (make_message("welcome", "Hello."), EVIL, make_message("error", "No."), make_message("ask", "Who?")):
        output.show_message(one)
    assert text_of(written) == "* Hello.\n<bob> [31mred [/x] next\n! No.\nWho? "
    PlainOutput(screen(person=True), MessageFormatter(colours=True)).show_message(make_message("error", "\x1b[2J"))
    assert text_of(written) == "\x1b[31m! [2J\x1b[0m\n"


def test_hex_dump(written: list[bytes]) -> None:
    output = HexOutput(screen(person=False))
    output.show_sent(b"abc\n")
    output.show_received(bytes(range(0x3A, 0x4C)))
    output.show_received(b"\x7f")
    output.show_bytes(b"shown already")
    output.show_message(make_message("say", "shown already"))
    assert text_of(written).splitlines() == [
        "> 00000000  61 62 63 0a                                       |abc.|",
        "< 00000000  3a 3b 3c 3d 3e 3f 40 41  42 43 44 45 46 47 48 49  |:;<=>?@ABCDEFGHI|",
        "< 00000010  4a 4b                                             |JK|",
        "< 00000012  7f                                                |.|",
    ]


def test_hex_dumps_of_datagrams_begin_on_lines_of_their_own(written: list[bytes]) -> None:
    output = HexOutput(screen(person=False))
    output.show_datagram(b"abc", is_sent=True)
    output.show_datagram(b"", is_sent=False)
    output.show_datagram(b"d", is_sent=False)
    assert text_of(written).splitlines() == [
        "> a datagram of 3 bytes",
        "> 00000000  61 62 63                                          |abc|",
        "< an empty datagram",
        "< a datagram of 1 byte",
        "< 00000000  64                                                |d|",
    ]


@pytest.mark.parametrize("person", [False, True])
def test_json_is_one_object_a_line(written: list[bytes], person: bool) -> None:
    output = JsonOutput(screen(person=person))
    other = "\x1b\u202e\ud800"
    output.show_message(Message({"kind": "say", "text": "grüße", "other": other}))
    output.show_bytes(b"one\r\ntw")
    output.show_bytes(b"o")
    output.show_bytes(b"")
    lines = text_of(written).splitlines()
    assert [json.loads(line).get("text") for line in lines] == ["grüße", "one", "two"]
    assert json.loads(lines[0])["other"] == other, "escaped, so the value is the same"
    assert "grüße" in lines[0]
    assert "".join(lines).isprintable()


def test_output_that_cannot_be_written(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    output: Output = PlainOutput(Screen(), None)
    with pytest.raises(StreamError, match="Standard output can't be written: No space left"):
        output.show_bytes(b"x")


def test_json_of_a_line_without_an_end(written: list[bytes]) -> None:
    output = JsonOutput(screen(person=False), max_line=1_000)
    for _ in range(1_000):
        output.show_bytes(b"x" * 100)
    output.show_bytes(b"\nnext\n")
    assert [json.loads(line) for line in text_of(written).splitlines()] == [
        {"text": "x" * 1_000, "left_out": 99_000},
        {"text": "next"},
    ]


def test_json_of_lines_that_are_no_text(written: list[bytes]) -> None:
    data = b"a\xff\r\n\xed\xb3\xbf\n\xc3"
    output = JsonOutput(screen(person=False), client=2)
    for byte in data + "\xa4ö\n".encode("latin-1"):
        output.show_bytes(bytes([byte]))
    output.show_bytes(b"end \xe2\x82")
    output.show_bytes(b"")
    shown = [json.loads(line) for line in text_of(written).splitlines()]
    assert [list(each) for each in shown] == [["client", "base64"]] * 4
    assert [b64decode(each["base64"]) for each in shown] == [
        b"a\xff",
        b"\xed\xb3\xbf",
        b"\xc3\xa4\xf6",
        b"end \xe2\x82",
    ]


def test_json_of_a_line_without_an_end_that_is_no_text(written: list[bytes]) -> None:
    output = JsonOutput(screen(person=False), max_line=3)
    output.show_bytes(b"a\xffbcd\n")
    assert json.loads(text_of(written)) == {"base64": b64encode(b"a\xffb").decode(), "left_out": 2}


def test_messages_of_a_websocket(written: list[bytes]) -> None:
    output: Output = PlainOutput(screen(person=False), None)
    output.show_web_message(b"\x1b[2J\nb", is_text=True)
    output.show_web_message(b"\xff", is_text=False)
    assert written == [b"\x1b[2J\nb\n", b"\xff"]
    written.clear()
    output = PlainOutput(screen(person=True), MessageFormatter(colours=False))
    output.show_web_message("\x1b[2J ä".encode(), is_text=True)
    output.show_web_message(b"\xff" * 2_000, is_text=False)
    lines = text_of(written).splitlines()
    assert lines[0] == "␛[2J ä"
    assert lines[1].startswith("< 00000000  ff ff")
    assert len(lines) == 1 + 64, "the rest is counted"
    output = JsonOutput(screen(person=False))
    output.show_web_message(b"a\nb", is_text=True)
    output.show_web_message(b"\xff", is_text=False)
    assert [json.loads(line) for line in text_of(written).splitlines()] == [{"text": "a\nb"}, {"base64": "/w=="}]
