"""A reader asks for bytes, and waits for those that are missing."""

import pytest

from sockctl.proxy.byte_feed import ByteFeed, EndOfBytesError, NotUnderstoodError, Reading


def run(reading: Reading[object], feed: ByteFeed, *pieces: bytes) -> object:
    """Return what a reader returns, given bytes in pieces and then the end."""
    for piece in [b"", *pieces]:
        feed.put(memoryview(bytearray(piece)))
        try:
            next(reading)
        except StopIteration as done:
            return done.value
        feed.settle()
    feed.ended = True
    try:
        next(reading)
    except StopIteration as done:
        return done.value
    raise AssertionError("the reader goes on behind the end")


def test_bytes_are_taken_whole() -> None:
    feed = ByteFeed()
    assert run(feed.take(4), feed, b"a", b"bc", b"def") == b"abcd"
    assert feed.take_available(9) == b"ef"
    with pytest.raises(EndOfBytesError):
        run(feed.take(4), feed, b"abc")


def test_bytes_are_skipped_without_being_kept() -> None:
    feed = ByteFeed()
    run(feed.skip(5), feed, b"ab", b"cdefg")
    assert feed.peek(9) == b"fg"
    with pytest.raises(EndOfBytesError):
        run(feed.skip(5), feed, b"h")


def test_lines_are_found_wherever_they_are_cut() -> None:
    feed = ByteFeed()
    assert run(feed.take_line(10), feed, b"a", b"b\nc") == b"ab\n"
    assert run(feed.take_line(10), feed, b"d", b"\n\n") == b"cd\n"
    assert run(feed.take_line(10), feed) == b"\n"
    with pytest.raises(EndOfBytesError):
        run(feed.take_line(10), feed, b"x")


def test_a_line_has_a_limit() -> None:
    feed = ByteFeed()
    assert run(feed.take_line(3), feed, b"ab\n") == b"ab\n"
    with pytest.raises(NotUnderstoodError, match="more than 3 bytes"):
        run(feed.take_line(3), feed, b"abc\n")


def test_waiting_says_whether_bytes_came() -> None:
    feed = ByteFeed()
    assert run(feed.wait(2), feed, b"a", b"b") is True
    feed.drop()
    assert run(feed.wait(1), feed) is False
