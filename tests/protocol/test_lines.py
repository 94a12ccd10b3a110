"""Lines: any ends, any cuts, telnet's commands, and what is too long or no text."""

import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sockctl.errors import BadTextError, MessageTooLargeError
from sockctl.protocol.lines import LineDecoder
from tests.support.cuts import check_junk, cuts, pieces

lines = st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n"), max_size=20), max_size=8)
TELNET = [
    b"\xff\xf1",
    b"\xff\xfb\x01",
    b"\xff\xfc\x01",
    b"\xff\xfd\xff",
    b"\xff\xfe\x03",
    b"\xff\xfa\x18\x00xterm\xff\xf0",
    b"\xff\xff",
]


@settings(deadline=None)
@given(
    lines,
    cuts,
    st.sampled_from([b"\n", b"\r\n"]),
    st.sampled_from([b"", *TELNET]),
    st.lists(st.booleans(), min_size=41, max_size=41),
)
def test_any_cuts_give_the_same_lines(
    said: list[str], sizes: list[int], end: bytes, telnet: bytes, ways: list[bool]
) -> None:
    decoder = LineDecoder()
    heard: list[str] = []
    coming = pieces(b"".join(telnet + line.encode() + end for line in said), sizes)
    for piece, one_by_one in zip(coming, ways, strict=False):
        decoder.feed(memoryview(piece))
        if not one_by_one:
            heard += decoder.decode()
        elif (line := decoder.decode_next()) is not None:
            heard.append(line)
    heard += decoder.decode()
    assert heard == said
    assert decoder.end() is None


@settings(deadline=None)
@given(st.binary(max_size=60) | st.lists(st.sampled_from([*TELNET, b"a", b"\n", b"\xff"])).map(b"".join), cuts)
def test_junk_is_an_error_or_lines(junk: bytes, sizes: list[int]) -> None:
    check_junk(LineDecoder(limit_bytes=20), pieces(junk, sizes), limit_bytes=20)


@settings(deadline=None, max_examples=200)
@given(
    st.lists(st.sampled_from([*TELNET, b"a", b"\xfa", b"\xff", b"\xff\xfa", b"\xff\xf0", b"\xf0", b"\xfb"])).map(
        b"".join
    ),
    cuts,
)
def test_commands_are_dropped_alike_in_whatever_pieces(data: bytes, sizes: list[int]) -> None:
    whole, cut, bytewise = LineDecoder(), LineDecoder(), LineDecoder()
    dropped = whole.feed(data)
    assert sum(cut.feed(piece) for piece in pieces(data, sizes)) == dropped
    assert sum(bytewise.feed(data[place : place + 1]) for place in range(len(data))) == dropped
    text = _text_of(whole)
    assert _text_of(cut) == _text_of(bytewise) == text
    assert b"\xff" not in text


def _text_of(decoder: LineDecoder) -> bytes:
    decoder.feed(b"\xff\xf0")  # the end of what may be open
    try:
        return (decoder.end() or "").encode()
    except BadTextError as error:
        return str(error).encode()


@pytest.mark.parametrize("command", TELNET)
def test_a_command_is_dropped_wherever_it_is_cut(command: bytes) -> None:
    data = "grü".encode() + command + b"n\r" + command + b"\n"
    for first in range(len(data)):
        for second in range(first, len(data)):
            decoder = LineDecoder()
            for piece in (data[:first], data[first:second], data[second:]):
                decoder.feed(piece)
            assert decoder.decode() == ["grün"]


@pytest.mark.parametrize("command", [b"\xff", b"\xff\xfb", b"\xff\xfa", b"\xff\xfa\x18x", b"\xff\xfa\x18x\xff"])
def test_the_end_in_a_command(command: bytes) -> None:
    decoder = LineDecoder()
    decoder.feed(b"one" + command)
    assert decoder.decode() == []
    assert decoder.end() == "one"


def test_a_command_without_end_fills_no_memory() -> None:
    decoder = LineDecoder(limit_bytes=10)
    decoder.feed(b"\xff\xfa")
    piece = b"x" * 10_000
    tracemalloc.start()
    try:
        for _ in range(20):
            decoder.feed(piece)
            assert decoder.decode() == []
        assert tracemalloc.get_traced_memory()[1] < 100_000
    finally:
        tracemalloc.stop()


def test_a_last_line_without_an_end() -> None:
    decoder = LineDecoder()
    decoder.feed(b"one\ntwo\r")
    assert decoder.decode() == ["one"]
    assert decoder.has_partial_message
    assert decoder.end() == "two"
    assert decoder.end() is None


def test_a_subnegotiation_that_holds_commands() -> None:
    decoder = LineDecoder()
    decoder.feed(b"a\xff\xfa\x18x\xff\xf1y\n\xff\xf0b\n")
    assert decoder.decode() == ["ab"]


@pytest.mark.parametrize("data", [b"x" * 11, b"x" * 11 + b"\n", b"x" * 11 + b"\r\n", b"x" * 12 + b"\r"])
def test_too_long(data: bytes) -> None:
    decoder = LineDecoder(limit_bytes=10)
    decoder.feed(b"good\r\n" + data)
    assert decoder.decode() == ["good"]
    for _ in range(2):
        with pytest.raises(MessageTooLargeError, match="10 are allowed"):
            decoder.decode()


def test_the_limit_is_that_of_the_moment_of_asking() -> None:
    decoder = LineDecoder(limit_bytes=5)
    decoder.feed(b"12345678\n12345678\n12345678")
    decoder.limit_bytes = 8
    assert decoder.decode_next() == "12345678"
    decoder.limit_bytes = 7
    with pytest.raises(MessageTooLargeError):
        decoder.decode()
    decoder.limit_bytes = 8
    assert decoder.decode() == ["12345678"]
    decoder.limit_bytes = 7
    with pytest.raises(MessageTooLargeError):
        decoder.end()


@pytest.mark.parametrize("data", [b"x" * 10, b"x" * 10 + b"\r", b"x" * 10 + b"\r\n"])
def test_just_short_enough(data: bytes) -> None:
    decoder = LineDecoder(limit_bytes=10)
    decoder.feed(data)
    assert [*decoder.decode(), decoder.end()][0] == "x" * 10


@pytest.mark.parametrize("end", [b"\n", b""])
def test_what_is_not_utf8(end: bytes) -> None:
    decoder = LineDecoder()
    decoder.feed(b"good\ncaf\xe9" + end)
    assert decoder.decode() == ["good"]
    for call in (decoder.decode if end else decoder.end, decoder.end):
        with pytest.raises(BadTextError, match="at its byte 3"):
            call()


def test_a_long_line_in_pieces_is_searched_once() -> None:
    decoder = LineDecoder(limit_bytes=1 << 20)
    for _ in range(1000):
        decoder.feed(b"x" * 1000)
        assert decoder.decode_next() is None
    decoder.feed(b"\nnext\n")
    assert decoder.decode() == ["x" * 1_000_000, "next"]


def test_many_lines() -> None:
    decoder = LineDecoder()
    said = [f"line {number}" for number in range(20_000)]
    decoder.feed("".join(f"{line}\n" for line in said).encode())
    heard = []
    while batch := decoder.decode():
        heard += batch
    assert heard == said
