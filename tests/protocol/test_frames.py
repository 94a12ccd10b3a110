"""Frames: cut anywhere, too large, not UTF-8, cut off."""

import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sockctl.errors import BadTextError, MessageTooLargeError, TruncatedMessageError, UnsendableError
from sockctl.protocol.frames import BATCH, LIMIT_BYTES, MAX_LIMIT_BYTES, FrameDecoder, encode_frame
from tests.support.cuts import check_junk, cuts, pieces

texts = st.lists(st.text(st.characters(exclude_categories=["Cs"]), max_size=50), max_size=10)


@settings(deadline=None)
@given(texts, cuts, st.lists(st.booleans(), min_size=41, max_size=41))
def test_any_cuts_give_the_same_texts(said: list[str], sizes: list[int], ways: list[bool]) -> None:
    decoder = FrameDecoder()
    heard: list[str] = []
    for piece, one_by_one in zip(pieces(b"".join(map(encode_frame, said)), sizes), ways, strict=False):
        decoder.feed(memoryview(piece))
        if one_by_one:
            text = decoder.decode_next()
            if text is not None:
                heard.append(text)
        else:
            heard += decoder.decode()
    heard += decoder.decode()
    assert heard == said
    assert not decoder.has_partial_message
    decoder.end()


@settings(deadline=None)
@given(
    st.binary(max_size=60)
    | st.binary(max_size=20).map(lambda junk: b"\0\0\0\x05" + junk)
    | st.lists(st.sampled_from([b"\0\0\0", b"\x05", b"hello", b"\xc3", b"\xff", b"\0\0\0\x15"])).map(b"".join),
    cuts,
)
def test_junk_is_an_error_or_texts(junk: bytes, sizes: list[int]) -> None:
    check_junk(FrameDecoder(limit_bytes=20), pieces(junk, sizes), limit_bytes=20)


@settings(deadline=None)
@given(texts)
def test_it_is_known_how_much_is_missing(said: list[str]) -> None:
    decoder = FrameDecoder()
    coming = b"".join(map(encode_frame, said))
    heard = []
    while missing := decoder.count_missing_bytes():
        if not coming:
            break
        assert missing <= len(coming)
        decoder.feed(coming[:missing])  # never more than one frame needs
        coming = coming[missing:]
        if (text := decoder.decode_next()) is not None:
            heard.append(text)
            assert not decoder.has_partial_message
    assert heard == said


@settings(deadline=None)
@given(texts, st.binary(max_size=8))
def test_it_is_known_how_many_are_complete(said: list[str], rest: bytes) -> None:
    decoder = FrameDecoder()
    decoder.feed(b"".join(map(encode_frame, said)))
    assert decoder.count_complete() == len(said)
    decoder.feed(b"\0\0\xff\0" + rest)
    assert decoder.count_complete() == len(said), "the last one is not complete"
    assert decoder.decode(len(said) + 1) == said


def test_a_frame_beyond_the_limit_does_not_count_as_complete() -> None:
    decoder = FrameDecoder(limit_bytes=4)
    decoder.feed(encode_frame("four") + encode_frame("fifth") + encode_frame("six"))
    assert decoder.count_complete() == 1


def test_the_shape() -> None:
    assert encode_frame("") == b"\0\0\0\0"
    assert encode_frame("aß") == b"\0\0\0\x03a\xc3\x9f"


@pytest.mark.parametrize("claimed", [0xFFFF_FFFF, 0x4745_5420, MAX_LIMIT_BYTES + 1, LIMIT_BYTES + 1])
def test_a_frame_beyond_the_limit_is_refused_at_once(claimed: int) -> None:
    decoder = FrameDecoder()
    header = claimed.to_bytes(4)
    decoder.feed(header[:3])
    assert decoder.decode() == []
    tracemalloc.start()
    try:
        decoder.feed(header[3:])
        with pytest.raises(MessageTooLargeError, match=f"{claimed:,}"):
            decoder.decode()
        for call in (decoder.decode_next, decoder.count_missing_bytes, decoder.end):
            with pytest.raises(MessageTooLargeError):
                call()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 100_000


def test_exactly_the_limit() -> None:
    decoder = FrameDecoder(limit_bytes=10)
    decoder.feed(encode_frame("x" * 10) + encode_frame("x" * 11))
    assert decoder.decode() == ["x" * 10]
    with pytest.raises(MessageTooLargeError):
        decoder.decode()


def test_no_limit_goes_beyond_what_keeps_the_first_byte_zero() -> None:
    decoder = FrameDecoder(limit_bytes=1 << 40)
    decoder.feed(b"\x01\0\0\0")
    with pytest.raises(MessageTooLargeError):
        decoder.decode()


def test_the_limit_is_that_of_the_moment_of_asking() -> None:
    decoder = FrameDecoder(limit_bytes=5)
    decoder.feed(encode_frame("x" * 8))
    decoder.limit_bytes = 8
    assert decoder.decode_next() == "x" * 8
    decoder.feed(encode_frame("x" * 8))
    decoder.limit_bytes = 7
    with pytest.raises(MessageTooLargeError):
        decoder.decode_next()


def test_a_limit_that_changes_between_two_frames() -> None:
    decoder = FrameDecoder(limit_bytes=8)
    decoder.feed(encode_frame("x" * 8) * 2)
    assert decoder.decode_next() == "x" * 8
    decoder.limit_bytes = 7
    with pytest.raises(MessageTooLargeError):
        decoder.decode()


@pytest.mark.parametrize("one_by_one", [True, False])
def test_what_is_not_utf8(one_by_one: bool) -> None:
    decoder = FrameDecoder()
    decoder.feed(encode_frame("good") + b"\0\0\0\x03ab\xff" + encode_frame("never"))
    assert (decoder.decode_next() if one_by_one else decoder.decode()[0]) == "good"
    for call in (
        decoder.decode_next if one_by_one else decoder.decode,
        decoder.decode,
        decoder.decode_next,
        decoder.end,
    ):
        with pytest.raises(BadTextError, match="at its byte 2"):
            call()


@pytest.mark.parametrize("left", [b"\0", b"\0\0\0\x05", b"\0\0\0\x05abcd"])
def test_the_end_in_the_middle(left: bytes) -> None:
    decoder = FrameDecoder()
    decoder.feed(encode_frame("good") + left)
    assert decoder.decode() == ["good"]
    assert decoder.has_partial_message
    with pytest.raises(TruncatedMessageError, match=f"after {len(left)} bytes"):
        decoder.end()


def test_many_asked_for_one_by_one() -> None:
    decoder = FrameDecoder()
    said = [f"message {number}" for number in range(20_000)]
    decoder.feed(b"".join(map(encode_frame, said)))
    assert [decoder.decode_next() for _ in said] == said
    assert decoder.decode_next() is None


def test_many_asked_for_at_once_come_in_batches() -> None:
    decoder = FrameDecoder()
    said = [f"message {number}" for number in range(20_000)]
    decoder.feed(b"".join(map(encode_frame, said)))
    heard = []
    while batch := decoder.decode():
        assert len(batch) <= BATCH
        heard += batch
    assert heard == said


def test_what_cannot_be_sent() -> None:
    with pytest.raises(UnsendableError, match=r"Character 1 .*U\+D800"):
        encode_frame("a\ud800")
    with pytest.raises(UnsendableError, match="11 bytes, and 10 may"):
        encode_frame("x" * 11, limit_bytes=10)
