"""Sessions over WebSocket without a socket: messages, pings, and how either side ends."""

import random
import re
from pathlib import Path
from typing import Any

import pytest
from websockets.frames import Close

from sockctl.cli.exit_codes import ExitCode, find_exit_code
from sockctl.client.script_steps import Expect, Send
from sockctl.client.session_events import EndReason, LastBytes, Signal, WebMessageToShow
from sockctl.errors import (
    BadTextError,
    ConnectionBrokenError,
    ConnectTimeoutError,
    ExpectationError,
    MessageTooLargeError,
    ProtocolError,
    SockctlError,
    StreamError,
    UnsendableError,
    WebSocketClosedError,
    WebSocketError,
)
from sockctl.protocol.web_decoder import WebDecoder, WebFrame
from sockctl.protocol.web_frames import BINARY, CLOSE, CONTINUATION, FIN, PING, PONG, TEXT, encode_close
from sockctl.protocol.web_frames import encode_web_frame as frame
from tests.support.session import Played

LAST_PING = (PING, b"end")


def opened(tmp_path: Path, **options: Any) -> Played:
    played = Played(tmp_path, web=True, **options)
    played.connect()
    return played


def decode(data: bytes) -> list[WebFrame]:
    decoder = WebDecoder()
    decoder.feed(data)
    return decoder.decode(1_000)


def sent(played: Played) -> list[WebFrame]:
    return decode(played.sent)


def shown(played: Played) -> list[tuple[bytes, bool]]:
    return [(event.data, event.is_text) for event in played.events if isinstance(event, WebMessageToShow)]


def error_of(played: Played) -> SockctlError:
    assert played.ended is not None
    assert played.ended.error is not None
    return played.ended.error


def end(played: Played) -> None:
    """Answer the last Ping, and close."""
    played.receive(frame(b"end", PONG))
    played.receive(encode_close(1000))


def last_code(played: Played) -> int | None:
    """Return the code of the Close frame with which the session says goodbye."""
    assert played.ended is not None
    reason = played.ended.reason
    played.step(lambda now: played.session.close(reason, now))
    last = [event.data for event in played.events if isinstance(event, LastBytes)]
    return int(Close.parse(decode(last[0])[0][1]).code) if last else None


def test_each_line_is_a_text_and_each_text_is_shown(tmp_path: Path) -> None:
    played = opened(tmp_path)
    played.type(b"one\r\ntwo \xc3\xa4\n\nthr")
    assert sent(played) == [(TEXT, b"one"), (TEXT, "two ä".encode()), (TEXT, b"")]
    played.receive(frame(b"a\nb") + frame(b"\xff", BINARY)[:2], b"\xff")
    assert shown(played) == [(b"a\nb", True), (b"\xff", False)]
    played.type(b"")
    assert sent(played)[3:] == [(TEXT, b"thr"), LAST_PING], "the last line needs no end"


def test_binary_sends_each_portion_as_it_is(tmp_path: Path) -> None:
    played = opened(tmp_path, binary=True)
    played.type(b"a\xff\nb")
    played.type(b"c")
    assert sent(played) == [(BINARY, b"a\xff\nb"), (BINARY, b"c")]


def test_fragments_and_pings_among_them(tmp_path: Path) -> None:
    played = opened(tmp_path)
    first, last = bytearray(frame(b"a")), frame(b"b", CONTINUATION)
    first[0] &= ~FIN
    played.receive(bytes(first), frame(b"?", PING), frame(b"!", PONG), last)
    assert shown(played) == [(b"ab", True)]
    assert sent(played) == [(PONG, b"?")]
    assert [name for name in played.emitted if name.endswith("ng_received")] == ["ping_received", "pong_received"]


def test_the_end_of_the_input_waits_for_the_pong(tmp_path: Path) -> None:
    played = opened(tmp_path)
    played.type(b"one\n")
    played.type(b"")
    assert sent(played) == [(TEXT, b"one"), LAST_PING]
    assert Signal.SENDING_ENDED not in played.events, "the connection stays whole"
    played.receive(frame(b"another", PONG))
    assert sent(played)[2:] == []
    played.receive(frame(b"end", PONG))
    assert sent(played)[2:] == [(CLOSE, b"\x03\xe8")]
    played.receive(frame(b"late"), encode_close(1000))
    assert shown(played) == [(b"late", True)]
    assert played.ended == (EndReason.WEBSOCKET_CLOSED, None)
    assert last_code(played) is None, "it has said goodbye already"


def test_a_server_without_pongs_is_told_after_a_while(tmp_path: Path) -> None:
    played = opened(tmp_path)
    played.type(b"")
    played.wait(1.9)
    assert sent(played) == [LAST_PING]
    played.wait(0.2)
    assert sent(played)[1:] == [(CLOSE, b"\x03\xe8")]


def test_a_server_that_does_not_answer_the_close_frame(tmp_path: Path) -> None:
    played = opened(tmp_path, timeout_s=10.0)
    played.type(b"")
    played.receive(frame(b"end", PONG))
    played.wait(8.0)
    played.receive(frame(b"still talking"))
    played.wait(8.0)
    assert played.ended is None
    played.wait(3.0)
    assert isinstance(error_of(played), ConnectTimeoutError)
    assert "has not answered the Close frame within 10 s" in str(error_of(played))


def test_a_person_does_not_wait_for_the_answer(tmp_path: Path) -> None:
    played = opened(tmp_path, terminal=True)
    played.type(b"hello\nexit\n")
    assert sent(played) == [(TEXT, b"hello"), LAST_PING]
    assert Signal.TYPING_ENDED in played.events
    played.receive(frame(b"end", PONG))
    played.wait(2.1)
    assert played.ended == (EndReason.CLIENT_EXIT, None)


@pytest.mark.parametrize("seconds", [0.0, 3.0])
def test_quit_after_is_when_the_close_frame_goes(tmp_path: Path, seconds: float) -> None:
    played = opened(tmp_path, quit_after_s=seconds)
    played.type(b"")
    if seconds:
        assert sent(played) == []
        played.wait(seconds)
    assert sent(played) == [(CLOSE, b"\x03\xe8")]
    played.wait(2.1)
    assert played.ended == (EndReason.QUIT_AFTER, None)


@pytest.mark.parametrize(
    ("close", "code"), [(encode_close(1000, "bye"), 1000), (encode_close(1001), 1001), (frame(b"", CLOSE), 1005)]
)
def test_a_server_that_closes_as_it_should(tmp_path: Path, close: bytes, code: int) -> None:
    played = opened(tmp_path)
    played.type(b"one\n")
    played.receive(frame(b"last") + close + frame(b"nothing follows a Close frame"))
    assert shown(played) == [(b"last", True)]
    assert played.ended == (EndReason.WEBSOCKET_CLOSED, None)
    assert last_code(played) == code


@pytest.mark.parametrize(
    ("close", "words"),
    [
        (encode_close(1011, "disk \x1b[2J full"), "the code 1011 (internal error): disk \u241b[2J full"),
        (encode_close(1008), "the code 1008 (policy violation), without a reason."),
        (encode_close(4001, "kicked"), "the code 4001 (private use): kicked"),
        (b"", "without a Close frame (1006)"),
    ],
)
def test_a_server_that_closes_with_a_failure(tmp_path: Path, close: bytes, words: str) -> None:
    played = opened(tmp_path)
    played.receive(close)
    error = error_of(played)
    assert isinstance(error, WebSocketClosedError)
    assert words in str(error)
    assert find_exit_code(error) is ExitCode.BROKEN
    assert played.ended is not None
    assert played.ended.reason is EndReason.WEBSOCKET_CLOSED


@pytest.mark.parametrize(
    ("data", "kind", "code"),
    [
        (b"\x81\x7f" + (64 << 20).to_bytes(8), MessageTooLargeError, 1009),
        (frame(b"\xff"), BadTextError, 1007),
        (b"\x81\x81\0\0\0\0a", WebSocketError, 1002),
        (b"\xc1\x01a", WebSocketError, 1002),
        (frame(b"\x00", CLOSE), WebSocketError, 1002),
        (b"HTTP/1.1 200 OK\r\n\r\n", ProtocolError, 1002),
    ],
)
def test_a_server_that_breaks_the_protocol_is_told(
    tmp_path: Path, data: bytes, kind: type[SockctlError], code: int
) -> None:
    played = opened(tmp_path)
    played.receive(data)
    assert isinstance(error_of(played), kind)
    assert find_exit_code(error_of(played)) is ExitCode.BROKEN
    assert last_code(played) == code


def test_a_server_that_ends_before_it_has_taken_everything(tmp_path: Path) -> None:
    played = opened(tmp_path, sends=False)
    played.type(b"one\n")
    played.receive(encode_close(1000))
    assert isinstance(error_of(played), ConnectionBrokenError)
    assert "9 bytes were not sent" in str(error_of(played))


def test_a_pong_that_is_not_sent_is_no_loss(tmp_path: Path) -> None:
    played = opened(tmp_path)
    played.receive(frame(b"?", PING) + encode_close(1000))
    assert played.ended == (EndReason.WEBSOCKET_CLOSED, None)


def test_a_server_that_floods_with_pings(tmp_path: Path) -> None:
    played = opened(tmp_path, sends=False, max_answers_bytes=1_000)
    played.receive(frame(b"x" * 100, PING) * 20)
    assert "asks for answers and takes none" in str(error_of(played))


def test_scripts_see_whole_messages(tmp_path: Path) -> None:
    played = opened(tmp_path, steps=[Send("hello"), Expect(re.compile("a\nb")), Expect(re.compile("c"))])
    assert sent(played) == [(TEXT, b"hello")]
    played.receive(frame(b"a\nb"))
    assert sent(played)[1:] == []
    played.receive(frame(b"c", BINARY))
    assert sent(played)[1:] == [LAST_PING]
    played.receive(frame(b"end", PONG), encode_close(1000))
    assert played.ended == (EndReason.WEBSOCKET_CLOSED, None)


def test_a_script_sends_binary_messages(tmp_path: Path) -> None:
    played = opened(tmp_path, steps=[Send("hello"), Expect(re.compile("a"))], binary=True)
    assert sent(played) == [(BINARY, b"hello")]


def test_an_expectation_that_is_not_met(tmp_path: Path) -> None:
    played = opened(tmp_path, steps=[Expect(re.compile("a"))])
    played.receive(frame(b"b"), encode_close(1000))
    assert isinstance(error_of(played), ExpectationError)


def test_a_count_is_of_messages(tmp_path: Path) -> None:
    played = opened(tmp_path, count=2)
    played.receive(frame(b"a\nb") + frame(b"c") + frame(b"d"))
    assert shown(played) == [(b"a\nb", True), (b"c", True)]
    assert played.ended == (EndReason.STOPPED, None)
    assert last_code(played) == 1000


def test_an_interrupted_session_says_so(tmp_path: Path) -> None:
    played = opened(tmp_path)
    played.step(lambda now: played.session.close(EndReason.INTERRUPTED, now))
    assert [decode(event.data) for event in played.events if isinstance(event, LastBytes)] == [[(CLOSE, b"\x03\xe9")]]


def test_input_that_can_not_be_sent(tmp_path: Path) -> None:
    played = opened(tmp_path)
    played.type(b"ok\n\xff\nlate\n")
    assert sent(played) == [(TEXT, b"ok"), LAST_PING]
    end(played)
    assert isinstance(error_of(played), StreamError)
    assert "Line 2 of the input is not UTF-8 at its byte 0" in str(error_of(played))
    person = opened(tmp_path, terminal=True)
    person.type(b"\xff\nok\n")
    assert person.remarks == [
        "Line 1 of the input is not UTF-8 at its byte 0: it can't be sent as text. --binary sends bytes."
    ]
    assert sent(person) == [(TEXT, b"ok")]
    script = opened(tmp_path, steps=[Send("\udcff")])
    assert isinstance(error_of(script), UnsendableError)


@pytest.mark.parametrize("line_end", [b"", b"\n"])
def test_a_line_that_is_too_long(tmp_path: Path, line_end: bytes) -> None:
    played = opened(tmp_path)
    played.type(b"ok\n" + b"x" * 16_777_217 + line_end)
    assert sent(played) == [(TEXT, b"ok"), LAST_PING]
    end(played)
    assert isinstance(error_of(played), UnsendableError)
    assert "Line 2 of the input is longer" in str(error_of(played))


def test_a_line_that_is_too_long_by_hand(tmp_path: Path) -> None:
    person = opened(tmp_path, terminal=True)
    person.type(b"x" * 16_777_217 + b"\nok\n")
    assert "Line 1 of the input is longer" in person.remarks[0]
    assert sent(person) == [(TEXT, b"ok")]


def test_rubbish_ends_in_an_error_or_a_close(tmp_path: Path) -> None:
    rng = random.Random(21)
    seeds = [frame(b"hello"), frame(b"x" * 200), frame(b"?", PING), encode_close(1000, "bye"), frame(b"\xff", BINARY)]
    for _ in range(300):
        data = bytearray(b"".join(rng.choices(seeds, k=3)))
        for _ in range(rng.randint(1, 4)):
            data[rng.randrange(len(data))] = rng.randrange(256)
        played = opened(tmp_path)
        while data and played.ended is None:
            size = rng.randint(1, len(data))
            played.receive(bytes(data[:size]))
            del data[:size]
        if played.ended is None:
            played.end()
        assert played.ended is not None
        assert played.ended.error is None or find_exit_code(played.ended.error) is ExitCode.BROKEN
