"""The frames of a WebSocket client: cut anywhere, in fragments, wrong; the same as the library's own decoder gives."""

import random
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.frames import Opcode
from websockets.protocol import State
from websockets.server import ServerProtocol

from sockctl.errors import (
    BadTextError,
    MessageTooLargeError,
    ProtocolError,
    TruncatedMessageError,
    WebSocketError,
)
from sockctl.protocol.web_decoder import WebDecoder, WebFrame, parse_close
from sockctl.protocol.web_frames import (
    BINARY,
    CLOSE,
    CONTINUATION,
    NO_CODE,
    PING,
    PONG,
    TEXT,
    encode_close,
    encode_web_frame,
)
from tests.support.cuts import cuts, pieces
from tests.support.web import encode_client_frame, mask

UNLIMITED = 1 << 63
frames = st.builds(
    encode_client_frame,
    st.binary(max_size=300),
    st.sampled_from([CONTINUATION, TEXT, BINARY, PING, PONG, CLOSE]),
    fin=st.booleans(),
)
streams = (
    st.lists(frames, max_size=12).map(b"".join)
    | st.binary(max_size=80)
    | st.tuples(st.lists(frames, max_size=4).map(b"".join), st.binary(max_size=20)).map(b"".join)
)


def decode_all(data: bytes, sizes: list[int], ways: list[bool], limit: int = UNLIMITED) -> tuple[list[WebFrame], int]:
    """Return the messages and control frames of a stream, and the code for the error behind them; 0 for none."""
    decoder = WebDecoder(limit_bytes=limit)
    found: list[WebFrame] = []
    try:
        for piece, alone in zip(pieces(data, sizes), ways, strict=False):
            frame = decoder.decode_alone(memoryview(piece)) if alone else None
            if frame is not None:
                found.append(frame)
                continue
            decoder.feed(memoryview(piece))
            while some := decoder.decode(3):
                found += some
    except ProtocolError as error:
        with pytest.raises(type(error)):
            decoder.decode()
        return [one for one in found if one[0] != CONTINUATION], error.close_code
    return [one for one in found if one[0] != CONTINUATION], 0


def decode_by_library(data: bytes) -> tuple[list[WebFrame], int]:
    protocol = ServerProtocol(state=State.OPEN, max_size=None)
    protocol.receive_data(data)
    found: list[WebFrame] = []
    begun: list[bytes] = []
    opcode = 0
    for frame in protocol.events_received():
        assert not isinstance(frame, type(None))
        kind, payload = int(frame.opcode), bytes(frame.data)  # type: ignore[union-attr]  # it is past the handshake
        if kind in {TEXT, BINARY, CONTINUATION}:
            opcode = kind or opcode
            begun.append(payload)
            if frame.fin:  # type: ignore[union-attr]  # as above
                found.append((opcode, b"".join(begun)))
                begun = []
        else:
            found.append((kind, payload))
    sent = protocol.close_sent
    broke = protocol.parser_exc is not None and sent is not None
    return found, int(sent.code) if broke and sent is not None else 0


@settings(deadline=None, max_examples=100)
@given(streams, cuts, st.lists(st.booleans(), min_size=41, max_size=41))
def test_any_bytes_give_what_the_library_gives(data: bytes, sizes: list[int], ways: list[bool]) -> None:
    compare_with_library(data, sizes, ways)


def compare_with_library(data: bytes, sizes: list[int], ways: list[bool]) -> None:
    """See that both decoders give the same. Ours refuses some frames by their header, the library at their end."""
    if _closes_in_a_message(data):
        return  # the library refuses that, and the RFC lets a Close frame stand between fragments
    found, code = decode_all(data, sizes, ways)
    expected, expected_code = decode_by_library(data)
    assert found == expected
    assert code or not expected_code


def _closes_in_a_message(data: bytes) -> bool:
    protocol = ServerProtocol(state=State.OPEN, max_size=None)
    protocol.receive_data(data)
    return "incomplete fragmented message" in str(protocol.parser_exc)


@pytest.mark.slow
@pytest.mark.torture
@pytest.mark.timeout(1_800)
def test_two_hundred_thousand_mutated_streams_give_what_the_library_gives() -> None:
    """Mutate valid streams; every one decodes or fails as in the library, and none takes memory."""
    compare_mutated(200_000)


def test_mutated_streams_give_what_the_library_gives() -> None:
    compare_mutated(1_000)


def compare_mutated(count: int) -> None:
    rng = random.Random(21)
    seeds = [
        encode_client_frame(b"hello"),
        encode_client_frame(b"a", fin=False) + encode_client_frame(b"", PING) + encode_client_frame(b"b", CONTINUATION),
        encode_client_frame(b"x" * 200) + encode_client_frame(b"\x03\xe8bye", CLOSE),
        encode_client_frame(b"\xc3\xbc" * 130, BINARY) * 2,
    ]
    tracemalloc.start()
    for _ in range(count):
        data = bytearray(rng.choice(seeds) + rng.choice(seeds))
        for _ in range(rng.randint(1, 4)):
            at = rng.randrange(len(data))
            match rng.randrange(3):
                case 0:
                    data[at] = rng.randrange(256)
                case 1:
                    del data[at:]
                    data += rng.randbytes(rng.randrange(1, 8))
                case _:
                    data.insert(at, rng.choice((0, 0x80, 0x81, 0x88, 0xFF)))
        stream = bytes(data)
        compare_with_library(stream, [rng.randrange(1, 40)], [True, False])
    assert tracemalloc.get_traced_memory()[0] < 4_000_000
    tracemalloc.stop()


def test_a_message_waits_for_its_last_fragment() -> None:
    decoder = WebDecoder()
    decoder.feed(encode_client_frame(b"a", fin=False))
    assert decoder.decode() == [(CONTINUATION, b"")]
    assert decoder.has_partial_message
    decoder.feed(encode_client_frame(b"?", PING) + encode_client_frame(b"b", CONTINUATION))
    assert decoder.decode() == [(PING, b"?"), (TEXT, b"ab")]
    assert not decoder.has_partial_message
    decoder.end()


def test_the_limit_holds_for_all_fragments_together_and_when_decoding() -> None:
    decoder = WebDecoder(limit_bytes=10)
    decoder.feed(encode_client_frame(b"x" * 6, fin=False) + encode_client_frame(b"x" * 5, CONTINUATION))
    assert decoder.decode() == [(CONTINUATION, b"")]
    with pytest.raises(MessageTooLargeError, match="11 bytes is too large: 10"):
        decoder.decode()
    decoder.limit_bytes = 11
    assert decoder.decode() == [(TEXT, b"x" * 11)]


def test_a_claim_of_many_bytes_is_refused_by_its_header() -> None:
    decoder = WebDecoder(limit_bytes=65_536)
    tracemalloc.start()
    decoder.feed(b"\x82\xff" + (1 << 62).to_bytes(8, "big"))
    with pytest.raises(MessageTooLargeError):
        decoder.decode()
    assert tracemalloc.get_traced_memory()[1] < 100_000
    tracemalloc.stop()


def test_empty_fragments_take_no_memory() -> None:
    decoder = WebDecoder()
    decoder.feed(encode_client_frame(b"", fin=False))
    tracemalloc.start()
    for _ in range(20):
        decoder.feed(encode_client_frame(b"", CONTINUATION, fin=False) * 100)
        assert len(decoder.decode()) in {100, 101}
    assert tracemalloc.get_traced_memory()[0] < 20_000
    tracemalloc.stop()


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"\xc1\x80" + mask(b""), "reserved bit"),
        (b"\x83\x80", "opcode 3"),
        (b"\x81\x05", "isn't masked"),
        (b"\x09\x80", "control frame"),
        (b"\x89\xfe", "control frame"),
        (encode_client_frame(b"", CONTINUATION), "has not begun"),
        (encode_client_frame(b"", CLOSE)[:1] + b"\x81" + b"\0\0\0\0" + b"x", "Close frame"),
        (encode_client_frame((999).to_bytes(2, "big"), CLOSE), "Close frame"),
    ],
)
def test_what_the_rfc_forbids_is_refused_from_the_header(data: bytes, why: str) -> None:
    decoder = WebDecoder()
    decoder.feed(data)
    for _ in range(2):
        with pytest.raises(WebSocketError, match=why):
            decoder.decode()


def test_a_new_message_within_another_is_refused() -> None:
    decoder = WebDecoder()
    decoder.feed(encode_client_frame(b"a", fin=False) + encode_client_frame(b"b"))
    decoder.decode()
    with pytest.raises(WebSocketError, match="not complete yet"):
        decoder.decode()


def test_nothing_follows_a_close_frame() -> None:
    decoder = WebDecoder()
    decoder.feed(encode_client_frame(b"\x03\xe8", CLOSE) + b"\xff\xff")
    assert decoder.decode() == [(CLOSE, b"\x03\xe8")]
    decoder.feed(b"\xff\xff")
    assert decoder.decode() == []
    decoder.end()


@pytest.mark.parametrize("data", [b"\x81", encode_client_frame(b"abc")[:-1], encode_client_frame(b"a", fin=False)])
def test_an_end_in_the_middle_is_told(data: bytes) -> None:
    decoder = WebDecoder()
    decoder.feed(data)
    decoder.decode()
    with pytest.raises(TruncatedMessageError):
        decoder.end()


def test_close_codes() -> None:
    assert parse_close(b"") == NO_CODE
    assert parse_close(encode_close(4001, "ü")[2:]) == 4001
    with pytest.raises(BadTextError):
        parse_close(b"\x03\xe8\xff")
    assert Opcode.CLOSE == CLOSE


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.binary(max_size=70_000), st.sampled_from([TEXT, BINARY, PING, PONG]))), cuts)
def test_frames_of_a_server_are_not_masked(messages: list[tuple[bytes, int]], sizes: list[int]) -> None:
    wanted = [(opcode, data[:125] if opcode in {PING, PONG} else data) for data, opcode in messages]
    decoder = WebDecoder(limit_bytes=UNLIMITED, masked=False)
    found: list[WebFrame] = []
    for piece in pieces(b"".join(encode_web_frame(data, opcode) for opcode, data in wanted), sizes):
        decoder.feed(piece)
        while some := decoder.decode():
            found += some
    assert found == wanted
    assert not decoder.has_partial_message


def test_a_server_that_masks_breaks_the_protocol() -> None:
    decoder = WebDecoder(masked=False)
    decoder.feed(encode_client_frame(b"a"))
    with pytest.raises(WebSocketError, match="frame of a server is masked"):
        decoder.decode()
