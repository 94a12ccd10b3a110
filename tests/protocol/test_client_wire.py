"""The client's side: every row of its table."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sockctl.errors import (
    BadMessageError,
    BadTextError,
    MessageTooLargeError,
    NotGreetedError,
    ProtocolError,
    TruncatedMessageError,
    UnsendableError,
)
from sockctl.protocol.client_wire import ClientWire, Phase
from sockctl.protocol.messages import Message, make_message
from tests.support.cuts import cuts, pieces
from tests.support.frames import framed

GREETING = b"sockctl/1 test\r\n"


@settings(deadline=None)
@given(cuts, st.sampled_from([b"", b"text that comes again\r\n", b"sockctl/1 no greeting any more\r\n"]))
def test_any_cuts_give_the_same_messages(sizes: list[int], text: bytes) -> None:
    wire = ClientWire(insist=True)
    heard: list[Message] = []
    for piece in pieces(GREETING + text + framed(kind="say", text="one") + framed(kind="say", text="two"), sizes):
        assert wire.feed(piece) == b""
        heard += wire.decode()
    assert heard == [make_message("say", "one"), make_message("say", "two")]
    assert (wire.phase, wire.service) == (Phase.FRAMED, "test")
    assert wire.end() == b""


@settings(deadline=None)
@given(
    st.binary(max_size=80)
    | st.binary(max_size=30).map(lambda junk: GREETING + junk)
    | st.binary(max_size=30).map(lambda junk: GREETING + framed(kind="say") + b"\0\0\0\5" + junk)
    | st.text("sockctl/12 a\r\n\0", max_size=80).map(lambda junk: f"sockctl/{junk}".encode()),
    cuts,
    st.booleans(),
)
def test_junk_is_shown_or_an_error(junk: bytes, sizes: list[int], insist: bool) -> None:
    wire = ClientWire(insist=insist)
    shown = b""
    try:
        for piece in pieces(junk, sizes):
            shown += wire.feed(piece)
            while wire.decode():
                pass
        shown += wire.end()
    except ProtocolError:
        return
    if wire.phase is Phase.RAW:
        assert shown == junk, "nothing is lost"


@pytest.mark.parametrize("insist", [True, False])
@pytest.mark.parametrize("end", [b"\r\n", b"\n"])
def test_the_greeting_is_known_wherever_it_is_cut(insist: bool, end: bytes) -> None:
    line = b"sockctl/1 test" + end
    for cut in range(len(line) + 1):
        wire = ClientWire(insist=insist)
        assert wire.feed(line[:cut]) == b""
        assert wire.phase is (Phase.GREETED if cut == len(line) else Phase.LISTENING)
        assert wire.feed(line[cut:]) == b""
        assert (wire.phase, wire.service) == (Phase.GREETED, "test")


@pytest.mark.parametrize("said", [b"hello\r\n", b"\0\0\0\1a", b"sockctl/2 test\r\n", b"sockctl/1 " + b"x" * 80])
def test_who_insists_stays_refused(said: bytes) -> None:
    wire = ClientWire(insist=True)
    for more in (said, b"", GREETING, framed(kind="say", text="one")):
        with pytest.raises(NotGreetedError):
            wire.feed(more)
    assert wire.decode() == []
    with pytest.raises(NotGreetedError):
        wire.end()


@pytest.mark.parametrize("size", [1, 100])
@pytest.mark.parametrize(
    "said", [b"hello\r\n", b"sockctl/1\r\n", b"sockctl/1 " + b"x" * 80, b"sockctl/2 test\r\n", b"\0\0\0\1a"]
)
def test_something_else_than_a_greeting(said: bytes, size: int) -> None:
    wire = ClientWire(insist=False)
    shown = b"".join(wire.feed(said[start : start + size]) for start in range(0, len(said), size)) + wire.end()
    assert shown == said
    assert wire.phase is Phase.RAW
    insisting = ClientWire(insist=True)

    def insist() -> None:
        for start in range(0, len(said), size):
            insisting.feed(said[start : start + size])

    with pytest.raises(NotGreetedError, match="version 2" if b"/2" in said else "no message service"):
        insist()


def test_speaking_first() -> None:
    wire = ClientWire(insist=False)
    assert wire.feed(b"sock") == b""
    assert wire.speak_raw() == b"sock"
    assert wire.feed(GREETING) == GREETING


def test_the_greeting_and_pings_are_answered() -> None:
    services: list[str] = []

    def opening(service: str) -> bytes:
        services.append(service)
        return b"opening"

    wire = ClientWire(insist=True, opening=opening)
    wire.feed(GREETING[:5])
    assert wire.outgoing == b""
    ping = framed(kind="ping", text="")
    wire.feed(GREETING[5:] + ping + framed(kind="say", text="one") + ping + framed(kind="say", text="two"))
    assert (bytes(wire.outgoing), len(services)) == (b"opening", 1)
    assert [one.text for one in wire.decode_all()] == ["one", "two"]
    assert wire.outgoing == b"opening" + 2 * ClientWire.encode(make_message("pong"))


def test_a_server_that_ends_in_text() -> None:
    wire = ClientWire(insist=True)
    wire.feed(GREETING + b"Too many ")
    wire.feed(b"clients.\r\n")
    assert wire.phase is Phase.GREETED
    assert wire.end() == GREETING + b"Too many clients.\r\n"


def test_the_end_before_a_greeting() -> None:
    with pytest.raises(NotGreetedError, match="without a greeting"):
        ClientWire(insist=True).end()
    held = ClientWire(insist=False)
    held.feed(b"sockctl/")
    assert held.end() == b"sockctl/"


def test_text_without_end_is_not_kept_without_end() -> None:
    wire = ClientWire(insist=True)
    wire.feed(GREETING)
    for _ in range(100):
        wire.feed(b"x" * 10_000)
    assert len(wire.end()) <= 70_000


def test_the_end_in_the_middle_of_a_frame() -> None:
    wire = ClientWire(insist=True)
    wire.feed(GREETING + framed(kind="say", text="one")[:-1])
    assert wire.decode() == []
    with pytest.raises(TruncatedMessageError):
        wire.end()


def test_good_ones_before_a_bad_one() -> None:
    wire = ClientWire(insist=True)
    wire.feed(GREETING + framed(kind="say", text="one") + framed(text="no kind"))
    assert wire.decode() == [make_message("say", "one")]
    for call in (wire.decode, wire.decode, wire.end):
        with pytest.raises(BadMessageError):
            call()


def test_an_error_that_was_not_asked_for_comes_at_the_end() -> None:
    wire = ClientWire(insist=True)
    wire.feed(GREETING + framed(kind="say", text="one") + b"\0\0\0\1\xff")
    assert wire.decode() == [make_message("say", "one")]
    with pytest.raises(BadTextError):
        wire.end()


def test_a_frame_that_claims_too_much() -> None:
    wire = ClientWire(insist=True)
    wire.feed(GREETING + b"\0\xff\xff\xff")
    with pytest.raises(MessageTooLargeError):
        wire.decode()


def test_what_is_too_large_cannot_be_sent() -> None:
    with pytest.raises(UnsendableError):
        ClientWire.encode(make_message("line", "x" * 65_536))


def test_what_is_sent() -> None:
    assert ClientWire.hello() == b'\0\0\0\x2d{"kind":"hello","text":"","client":"sockctl"}'


def test_the_bytes_of_an_incomplete_frame_can_be_taken_back() -> None:
    wire = ClientWire(insist=True)
    assert wire.take_rest() == b""
    wire.feed(b"sockctl/1 chat\r\n")
    frame = ClientWire.encode(make_message("say", "hello"))
    wire.feed(frame + frame[:7])
    assert [one.text for one in wire.decode_all()] == ["hello"]
    assert wire.take_rest() == frame[:7]
    assert not wire.has_partial_message
    wire.feed(frame)
    assert [one.text for one in wire.decode_all()] == ["hello"]
