"""The inspector says the same wherever bytes are cut, says something of any bytes, and keeps little."""

import random
import tracemalloc

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from sockctl.protocol.web_frames import encode_web_frame
from sockctl.proxy.exchange import AT_ONCE
from sockctl.proxy.inspector import Inspector
from sockctl.proxy.seen import Bytes, GivenUp, More
from sockctl.proxy.websocket_reading import WebSocketFrame
from tests.support.cuts import cuts
from tests.support.inspecting import (
    DIALOGUES,
    FROM,
    OPENING,
    TO,
    Step,
    count_kinds,
    inspect,
    inspect_cut,
    join,
    message,
    record,
)

BYTES = [0, 9, 10, 13, 32, 44, 58, 128, 129, 136, 255]
dialogues = st.sampled_from(sorted(DIALOGUES))


@st.composite
def mutated(draw: st.DrawFn) -> list[Step]:
    """A dialogue in which some bytes are wrong, missing or twice there."""
    steps = []
    for towards, data in DIALOGUES[draw(dialogues)]:
        changed = bytearray(data)
        for at, what in draw(st.lists(st.tuples(st.integers(0, len(data)), st.integers(0, 3)), max_size=2)):
            match what:
                case 0:
                    changed[at : at + 1] = bytes([draw(st.sampled_from(BYTES))])
                case 1:
                    del changed[at : at + 5]
                case 2:
                    changed[at:at] = changed[at : at + 9]
                case _:
                    changed[at:at] = draw(st.binary(max_size=5))
        steps.append((towards, bytes(changed)))
    return steps


rubbish = st.lists(st.tuples(st.booleans(), st.binary(max_size=60)), max_size=6)


@pytest.mark.parametrize("name", DIALOGUES)
def test_every_byte_alone_says_the_same(name: str) -> None:
    steps = DIALOGUES[name]
    assert join(inspect_cut(steps, [1] * 2_000)) == join(inspect(steps))


@given(mutated() | rubbish, cuts, st.booleans())
def test_any_cut_says_the_same(steps: list[Step], sizes: list[int], messages: bool) -> None:
    whole = inspect(steps, messages=messages)
    assume(not any(isinstance(one, More) for one in whole))  # what is counted depends on what came at once
    assert join(inspect_cut(steps, sizes, messages=messages)) == join(whole)
    for one in whole:
        assert one.text
        assert "\n" not in one.text
        assert one.fields["kind"] == one.kind
        assert one.size >= 0


def fuzz(count: int, seed: int) -> None:
    rng = random.Random(seed)
    names = sorted(DIALOGUES)
    for _ in range(count):
        inspector = Inspector(messages=rng.random() < 0.1)
        for towards, data in DIALOGUES[rng.choice(names)]:
            changed = bytearray(data)
            for _ in range(rng.randint(0, 3)):
                at = rng.randrange(len(changed))
                changed[at : at + rng.randint(0, 2)] = rng.choice(
                    [bytes([rng.choice(BYTES)]), rng.randbytes(3), bytes(changed[at : at + 20]), b""]
                )
                changed += b"." * (not changed)
            half = rng.randrange(len(changed))
            for piece in (changed[:half], changed[half:]):
                for one in inspector.inspect(towards, bytes(piece)):
                    assert one.text
        inspector.end(FROM)
        inspector.end(TO)


def test_wrong_dialogues_raise_nothing() -> None:
    fuzz(1_000, 23)


@pytest.mark.slow
@pytest.mark.torture
@pytest.mark.timeout(1_800)
def test_many_wrong_dialogues_raise_nothing() -> None:
    fuzz(500_000, 24)


@pytest.mark.parametrize("name", DIALOGUES)
def test_an_idle_direction_stays_so(name: str) -> None:
    inspector = Inspector()
    for towards, data in DIALOGUES[name]:
        inspector.inspect(towards, data)
        if inspector.is_idle(towards):
            assert inspector.inspect(towards, data) == []
    for towards in (TO, FROM):
        inspector.end(towards)
        assert inspector.is_idle(towards)


def test_bytes_in_no_known_form_are_said_once() -> None:
    inspector = Inspector()
    (seen,) = inspector.inspect(TO, b"\x7fELF" + bytes(100))
    assert isinstance(seen, Bytes)
    assert (seen.size, len(seen.data)) == (104, 64)
    assert inspector.is_idle(TO)
    assert not inspector.is_idle(FROM)


def test_the_end_in_the_middle_is_said() -> None:
    for steps, inside in (
        ([(TO, b"GET / HTTP/1.1\r\nHost: a\r\n")], "an HTTP request"),
        ([*OPENING, (FROM, b"\x82\x05ab")], "a WebSocket frame"),
        ([(FROM, b"\x16\x03\x03\x00\x05a")], "a TLS record"),
        ([(TO, message('{"kind":"line"}')[:-1])], "a frame"),
    ):
        last = inspect(steps)[-1]
        assert last.text == f"This direction ended in the middle of {inside}."


def test_a_flood_is_counted() -> None:
    frames = encode_web_frame(b"x") * 1_000
    inspector = Inspector()
    for towards, data in OPENING:
        inspector.inspect(towards, data)
    seen = inspector.inspect(FROM, frames + b"\x82")
    assert len(seen) == AT_ONCE + 1
    assert seen[-1] == More(towards_target=FROM, size=len(frames) - 3 * AT_ONCE, count=1_000 - AT_ONCE)
    (last,) = inspector.inspect(FROM, b"\0")
    assert isinstance(last, WebSocketFrame)
    assert last.opcode == "binary"


HUGE = 4_000_000
FLOODS: dict[str, list[Step]] = {
    "a line": [(TO, b"GET /"), (TO, b"a" * HUGE)],
    "a head": [(FROM, b"HTTP/1.1 200 OK\r\n"), (FROM, b"A: b\r\n" * (HUGE // 6))],
    "requests": [(TO, b"GET / HTTP/1.1\r\n\r\n" * (HUGE // 18))],
    "behind an upgrade": [OPENING[0], (TO, bytes(HUGE))],
    "a frame": [(FROM, b"sockctl/1 x\r\n"), (TO, b"\0\xff\xff\xff"), (TO, bytes(HUGE))],
    "a WebSocket message": [*OPENING, (FROM, b"\x81\x7f" + (1 << 62).to_bytes(8)), (FROM, b"a" * HUGE)],
    "a handshake": [(TO, b""), *[(TO, record(22, b"\1\0\xff\xff" + bytes(9_000)))] * 400],
    "records": [(TO, record(22, bytes(4)) + record(23, b"") * (HUGE // 400))],
    "text": [(TO, b"a" * HUGE)],
    "chunks": [(FROM, b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1\r\na\r\n" * (HUGE // 400))],
}


@pytest.mark.parametrize("name", FLOODS)
def test_memory_is_bounded(name: str) -> None:
    inspector = Inspector()
    steps = [
        (towards, memoryview(data)[at : at + 65_536])
        for towards, data in FLOODS[name]
        for at in range(0, len(data), 65_536)
    ]
    tracemalloc.start()
    try:
        for towards, data in steps:
            inspector.inspect(towards, data)
        kept, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < 300_000
    assert peak < 1_500_000


def test_what_gives_up_says_why_and_keeps_the_other_direction() -> None:
    seen = inspect(
        [(TO, b"GET / HTTP/1.1\r\nno colon\r\n\r\n"), (FROM, b"HTTP/1.1 400 Bad\r\nContent-Length: 0\r\n\r\n")]
    )
    assert count_kinds(seen) == ["> given_up", "< http_response"]
    assert isinstance(seen[0], GivenUp)
    assert "no colon" in seen[0].text
