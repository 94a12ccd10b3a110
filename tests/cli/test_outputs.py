import os

import pytest

from sockctl.cli import outputs
from sockctl.cli.outputs import HexOutput, PlainOutput, hex_lines, open_output
from sockctl.errors import StreamError


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    pieces: list[bytes] = []
    monkeypatch.setattr(outputs, "write_all", lambda _, data: pieces.append(bytes(data)))
    return pieces


def test_pipe_gets_the_bytes_as_they_are(written: list[bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outputs, "is_terminal", lambda _: False)
    output = open_output(hex_dump=False)
    output.sent(b"never shown")
    output.received(b"\x1b[31m\xff\r\n")
    assert written == [b"\x1b[31m\xff\r\n"]
    assert not output.in_line


def test_terminal_gets_safe_text(written: list[bytes], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outputs, "is_terminal", lambda _: True)
    output = PlainOutput()
    output.received("\x1b[31mgrüße".encode()[:-2])
    assert output.in_line
    output.received(b"e\n")
    assert not output.in_line
    output.received(b"\xc3")  # half a character: nothing to show yet
    assert b"\x1b" not in b"".join(written)
    assert written[0].decode().startswith("\N{SYMBOL FOR ESCAPE}[31mgr")


def test_hex_dump(written: list[bytes]) -> None:
    output = open_output(hex_dump=True)
    assert isinstance(output, HexOutput)
    output.sent(b"abc\n")
    output.received(bytes(range(0x3A, 0x4C)))
    output.received(b"\x7f")
    assert b"".join(written).decode().splitlines() == [
        "> 00000000  61 62 63 0a                                       |abc.|",
        "< 00000000  3a 3b 3c 3d 3e 3f 40 41  42 43 44 45 46 47 48 49  |:;<=>?@ABCDEFGHI|",
        "< 00000010  4a 4b                                             |JK|",
        "< 00000012  7f                                                |.|",
    ]


def test_hex_of_nothing() -> None:
    assert hex_lines("<", 0, b"") == ""


def test_output_that_cannot_be_written(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(outputs, "is_terminal", lambda _: False)
    monkeypatch.setattr(os, "write", full)
    with pytest.raises(StreamError, match="Standard output can't be written: No space left"):
        PlainOutput().received(b"x")
