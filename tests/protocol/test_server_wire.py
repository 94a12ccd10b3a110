"""The server's side: the choice, what is said again, and what is discarded."""

from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sockctl.errors import (
    BadMessageError,
    BadTextError,
    HttpRefusedError,
    LateHelloError,
    MessageTooLargeError,
    ProtocolError,
    TlsReceivedError,
    TruncatedMessageError,
    UnsendableError,
)
from sockctl.protocol.messages import Message, make_message
from sockctl.protocol.server_wire import REPLAY_BYTES, ServerWire
from sockctl.protocol.wire import Choice
from tests.support.cuts import cuts, pieces
from tests.support.frames import framed

HELLO = framed(kind="hello", client="test")
said = st.lists(st.text(st.characters(exclude_categories=["C"]), max_size=20), max_size=6)


JUNK = (
    st.binary(max_size=80)
    | st.binary(max_size=20).map(lambda junk: HELLO + junk)
    | st.binary(max_size=20).map(lambda junk: b"\0\0\0\x14" + junk)
    | st.lists(
        st.sampled_from([b"\xff\xfa", b"\xff", b"\xf0", b"\0", b"\n", b"GET / HTTP/1.1\r\n", b'{"kind":', b"\xc3"])
    ).map(b"".join)
)


def feed(wire: ServerWire, data: bytes) -> bytes:
    """Do what a server does with input; return what it must send at once."""
    if not data:
        return b""
    reply = wire.choose(data)
    wire.feed(data)
    return reply


def hear(wire: ServerWire, *, one_by_one: bool) -> list[Message]:
    """Ask for what has come, in one of the two ways."""
    if not one_by_one:
        return wire.decode()
    one = wire.decode_next()
    return [one] if one else []


@settings(deadline=None)
@given(said, cuts, st.lists(st.booleans(), min_size=41, max_size=41))
def test_any_cuts_give_the_same_messages(texts: list[str], sizes: list[int], ways: list[bool]) -> None:
    wire = ServerWire("test")
    wire.encode(make_message("notice", "before"))
    sent = [Message({"kind": "line", "text": text}) for text in texts]
    heard: list[Message] = []
    replies = b""
    coming = pieces(HELLO + b"".join(framed(kind="line", text=text) for text in texts), sizes)
    for piece, one_by_one in zip(coming, ways, strict=False):
        replies += feed(wire, piece)
        heard += hear(wire, one_by_one=one_by_one)
    heard += wire.decode()
    assert heard == [Message({"kind": "hello", "client": "test"}), *sent]
    assert replies == b'\0\0\0\x21{"kind":"notice","text":"before"}'
    assert wire.choice is Choice.FRAMES
    assert wire.end() is None


@settings(deadline=None)
@given(said, cuts, st.lists(st.booleans(), min_size=41, max_size=41))
def test_any_cuts_give_the_same_lines(texts: list[str], sizes: list[int], ways: list[bool]) -> None:
    wire = ServerWire("test")
    heard: list[Message] = []
    coming = pieces(b"".join(f"{text}\r\n".encode() for text in ["hello", *texts]), sizes)
    for piece, one_by_one in zip(coming, ways, strict=False):
        assert feed(wire, piece) == b""
        heard += hear(wire, one_by_one=one_by_one)
    heard += wire.decode()
    assert [one.text for one in heard] == ["hello", *texts]
    assert wire.end() is None


def broken(call: Callable[[], object]) -> ProtocolError | None:
    try:
        call()
    except ProtocolError as error:
        return error
    return None


@settings(deadline=None)
@given(JUNK, cuts, st.booleans())
def test_junk_is_an_error_or_messages(junk: bytes, sizes: list[int], skipping: bool) -> None:
    wire = ServerWire("test", limit_bytes=50)
    errors = []
    for piece in pieces(junk, sizes):
        feed(wire, piece)
        if skipping:
            errors.append(broken(wire.skip))
        errors.append(broken(wire.decode))
    errors += [broken(wire.decode), broken(wire.end)]
    assert len(set(errors) - {None}) <= 1, "a later error is the same one"
    assert not errors[-1] or set(errors[errors.index(errors[-1]) :]) == {errors[-1]}, "nothing is right again"


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (HELLO + b"\0\0\0\1x", "bad_message"),
        (HELLO + b"\0\0\0\1\xff", "bad_utf8"),
        (HELLO + b"\xff\xff\xff\xff", "too_large"),
        (b"hello\ncaf\xe9\n", "bad_utf8"),
        (b"GET / HTTP/1.1\r\nheard?", "http"),
    ],
)
def test_after_an_error_every_further_call_raises_it(data: bytes, code: str) -> None:
    wire = ServerWire("test")
    feed(wire, data)
    errors = [broken(call) for call in (wire.decode, wire.decode, wire.decode_next, wire.skip, wire.end)]
    feed(wire, HELLO + b"\n")
    errors += [broken(call) for call in (wire.decode, wire.decode_next, wire.skip, wire.end)]
    if errors[0] is None:
        del errors[0]  # what came before the error comes first
    assert [error and error.code for error in errors] == [code] * len(errors)


def test_lines() -> None:
    wire = ServerWire("test")
    assert wire.greeting == b"sockctl/1 test\r\n"
    assert wire.encode(make_message("say", "hi", sender="ann")) == b"<ann> hi\r\n"
    assert feed(wire, b"one\r\ntw") == b""
    assert wire.choice is Choice.LINES
    assert wire.decode() == [make_message("line", "one")]
    assert not wire.has_partial_frame
    assert wire.end() == make_message("line", "tw")
    assert wire.encode(make_message("say", "bye")) == b"bye\r\n"


def test_frames_say_everything_again_once() -> None:
    wire = ServerWire("test")
    for number in range(3):
        wire.encode(make_message("notice", str(number)))
    reply = feed(wire, HELLO)
    assert reply == b"".join(b'\0\0\0\x1c{"kind":"notice","text":"%d"}' % number for number in range(3))
    assert feed(wire, HELLO) == b""
    assert wire.encode(make_message("notice", "3")) == b'\0\0\0\x1c{"kind":"notice","text":"3"}'


def test_too_much_to_say_again() -> None:
    wire = ServerWire("test")
    choices = []
    for size in (16_000, 400):
        wire.encode(make_message("notice", "x" * size))
        choices.append(wire.choice)
    assert choices == [Choice.UNDECIDED, Choice.LINES]
    assert feed(wire, HELLO) == b""
    with pytest.raises(LateHelloError):
        wire.decode()


@pytest.mark.parametrize("ask", [ServerWire.decode, ServerWire.decode_next, ServerWire.skip, ServerWire.end])
def test_one_byte_of_a_late_hello_is_enough(ask: Callable[[ServerWire], object]) -> None:
    wire = ServerWire("test")
    wire.encode(make_message("notice", "x" * 20_000))
    feed(wire, b"\0")
    with pytest.raises(LateHelloError):
        ask(wire)


def test_lines_after_too_much_was_said() -> None:
    wire = ServerWire("test")
    wire.encode(make_message("notice", "x" * 20_000))
    feed(wire, b"one\n\0two\n")
    assert [one.text for one in wire.decode()] == ["one", "two"]


def test_exactly_as_much_as_can_be_said_again() -> None:
    wire = ServerWire("test")
    overhead = len(framed(kind="notice", text="")) - 3  # json.dumps puts three spaces that the wire leaves out
    wire.encode(make_message("notice", "x" * (REPLAY_BYTES - overhead)))
    assert wire.choice is Choice.UNDECIDED
    assert len(feed(wire, HELLO)) == REPLAY_BYTES
    assert wire.decode()
    wire = ServerWire("test")
    wire.encode(make_message("notice", "x" * (REPLAY_BYTES - overhead + 1)))
    assert wire.choice is Choice.LINES


def test_telnets_commands_before_a_nul_are_no_hello() -> None:
    wire = ServerWire("test")
    feed(wire, b"\xff\xfb\x01\0hi\n")
    assert wire.decode() == [make_message("line", "hi")]


def test_no_bytes_choose_nothing() -> None:
    wire = ServerWire("test")
    assert wire.choose(b"") == b""
    assert wire.choice is Choice.UNDECIDED


def test_what_is_too_large_for_a_frame_is_not_remembered() -> None:
    wire = ServerWire("test")
    with pytest.raises(UnsendableError):
        wire.encode(make_message("notice", "x" * 70_000))
    wire.encode(make_message("notice", "small"))
    assert feed(wire, HELLO) == b'\0\0\0\x20{"kind":"notice","text":"small"}'


@pytest.mark.parametrize("size", [1, 3, 100])
@pytest.mark.parametrize("line", [b"GET / HTTP/1.1", b"POST /x?y HTTP/1.0", b"PRI * HTTP/2.0"])
def test_a_web_page_is_refused(line: bytes, size: int) -> None:
    wire = ServerWire("test")
    data = line + b"\r\nHost: x\r\n\r\nhello\r\n"
    heard: list[Message] = []

    def hear_all() -> None:
        for start in range(0, len(data), size):
            feed(wire, data[start : start + size])
            heard.extend(wire.decode())

    with pytest.raises(HttpRefusedError):
        hear_all()
    assert heard == []
    with pytest.raises(HttpRefusedError):
        wire.decode_next()


def test_only_the_first_line_can_be_http() -> None:
    wire = ServerWire("test")
    feed(wire, b"hello\nGET / HTTP/1.1\n")
    assert len(wire.decode()) == 2


def test_a_web_page_is_refused_without_the_end_of_its_line() -> None:
    wire = ServerWire("test")
    feed(wire, b"GET / HTTP/1.1")
    assert wire.decode() == []
    for _ in range(2):
        with pytest.raises(HttpRefusedError):
            wire.end()


@pytest.mark.parametrize("cut", range(1, 14))
def test_a_web_page_is_refused_even_if_its_first_line_is_discarded(cut: int) -> None:
    for ask in (ServerWire.decode, ServerWire.decode_next, ServerWire.skip):
        wire = ServerWire("test")
        request = b"GET / HTTP/1.1\r\nHost: x\r\n\r\nhello\r\n"
        feed(wire, request[:cut])
        wire.skip()
        feed(wire, request[cut:])
        with pytest.raises(HttpRefusedError):
            ask(wire)


@pytest.mark.parametrize("one_by_one", [True, False])
def test_a_discarded_first_line_is_the_first_line(one_by_one: bool) -> None:
    wire = ServerWire("test")
    feed(wire, b"hel")
    wire.skip()
    feed(wire, b"lo\nGET / HTTP/1.1\n")
    assert hear(wire, one_by_one=one_by_one) == [make_message("line", "GET / HTTP/1.1")]


def test_an_error_right_after_what_is_discarded_is_not_missed() -> None:
    wire = ServerWire("test")
    feed(wire, HELLO + HELLO[:5])
    wire.skip()
    feed(wire, HELLO[5:] + b"\0\0\0\1\xff")
    with pytest.raises(BadTextError):
        wire.decode()


def test_skipping_counts_what_a_user_has_said() -> None:
    wire = ServerWire("test")
    feed(wire, HELLO + framed(kind="answer", text="ann") + framed(kind="pong") + framed(kind="line", text="x")[:9])
    assert wire.skip() == (3, 2), "the part of a message counts, and a pong doesn't"
    assert wire.skip() == (0, 0), "it counts once"


@pytest.mark.parametrize("frames", [True, False])
def test_skipping_takes_the_rest_of_a_message_with_it(frames: bool) -> None:
    def coded(text: str) -> bytes:
        return framed(kind="line", text=text) if frames else f"{text}\n".encode()

    wire = ServerWire("test")
    half = coded("half")
    feed(wire, (HELLO if frames else b"") + coded("one") + coded("two") + half[:3])
    if frames:
        wire.decode_next()
    assert wire.decode_next() == make_message("line", "one")
    wire.skip()
    feed(wire, half[3:] + coded("three"))
    assert wire.decode_next() == make_message("line", "three")
    wire.skip()
    feed(wire, coded("four"))
    assert wire.decode() == [make_message("line", "four")]
    feed(wire, half[:3])
    wire.skip()
    if frames:
        with pytest.raises(TruncatedMessageError):
            wire.end()
    else:
        assert wire.end() is None


def test_good_ones_before_a_bad_one() -> None:
    wire = ServerWire("test")
    feed(wire, HELLO + framed(text="no kind") + HELLO)
    assert [one.kind for one in wire.decode()] == ["hello"]
    for _ in range(2):
        with pytest.raises(BadMessageError):
            wire.decode()
        with pytest.raises(BadMessageError):
            wire.decode_next()


def test_the_limit_carries_over_to_frames() -> None:
    wire = ServerWire("test", limit_bytes=100)
    feed(wire, b"\0\0\0\x65")
    with pytest.raises(MessageTooLargeError):
        wire.decode()
    wire = ServerWire("test")
    wire.limit_bytes = 10
    assert wire.limit_bytes == 10
    feed(wire, b"x" * 11)
    with pytest.raises(MessageTooLargeError):
        wire.decode_next()


def test_whether_a_frame_has_begun() -> None:
    wire = ServerWire("test")
    feed(wire, HELLO + b"\0")
    wire.decode()
    assert wire.has_partial_frame


def test_tls_is_an_error_at_its_first_byte() -> None:
    wire = ServerWire("test")
    feed(wire, b"\x16")
    with pytest.raises(TlsReceivedError):
        wire.decode()
    wire = ServerWire("test")
    feed(wire, b"a\n\x16\n")
    assert wire.decode() == [make_message("line", "a"), make_message("line", "")]
