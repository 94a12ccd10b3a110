import os
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sockctl.client.inputs import CrlfMapper, LineInput, PipeInput
from sockctl.errors import StreamError

Feed = Callable[[list[bytes]], None]


@pytest.fixture
def feed(monkeypatch: pytest.MonkeyPatch) -> Feed:
    """Let reads of standard input return given pieces."""

    def given_pieces(pieces: list[bytes]) -> None:
        left = iter(pieces)
        monkeypatch.setattr(os, "read", lambda *_: next(left))

    return given_pieces


@given(st.lists(st.sampled_from([b"\r", b"\n", b"a"])), st.lists(st.integers(0, 3)))
def test_crlf_does_not_depend_on_the_cuts(parts: list[bytes], sizes: list[int]) -> None:
    data = b"".join(parts)
    whole = CrlfMapper().feed(data)
    mapper = CrlfMapper()
    pieces = b""
    for size in sizes:
        pieces += mapper.feed(data[:size])
        data = data[size:]
    assert pieces + mapper.feed(data) == whole
    assert whole.replace(b"\r\n", b"").count(b"\n") == 0


def test_crlf() -> None:
    assert CrlfMapper().feed(b"a\nb\r\nc\r") == b"a\r\nb\r\nc\r"


def test_pipe(feed: Feed) -> None:
    feed([b"\x00\xff\n", b""])
    source = PipeInput(crlf=False)
    assert source.read() == b"\x00\xff\n"
    assert not source.ended
    assert source.read() == b""
    assert source.ended
    assert source.fileno() == 0


def test_pipe_with_crlf(feed: Feed) -> None:
    feed([b"a\r", b"\nb\n"])
    source = PipeInput(crlf=True)
    assert source.read() + source.read() == b"a\r\nb\r\n"


@pytest.mark.parametrize(
    ("pieces", "sent", "crlf"),
    [
        ([b"hello\n", b""], b"hello\n", False),
        ([b"hello\n", b"exit\n"], b"hello\n", False),
        ([b"one\nexit\nnever\n"], b"one\n", False),
        ([b" exit \n"], b"", False),
        ([b"//exit\n", b"exit\n"], b"exit\n", False),
        ([b"exits\n//exits\n", b""], b"exits\n//exits\n", False),
        ([b"ha", b"lf", b"\n", b""], b"half\n", False),
        ([b"no end", b""], b"no end", False),
        ([b"crlf\n", b""], b"crlf\r\n", True),
    ],
)
def test_lines(pieces: list[bytes], sent: bytes, crlf: bool, feed: Feed) -> None:
    feed(pieces)
    source = LineInput(crlf=crlf)
    got = b""
    while not source.ended:
        got += source.read()
    assert got == sent
    assert source.fileno() == 0


def test_input_that_cannot_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> bytes:
        raise IsADirectoryError(21, "Is a directory")

    monkeypatch.setattr(os, "read", fail)
    with pytest.raises(StreamError, match="Standard input can't be read: Is a directory"):
        PipeInput(crlf=False).read()


def test_input_that_is_not_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    def not_ready(*_: object) -> bytes:
        raise BlockingIOError

    monkeypatch.setattr(os, "read", not_ready)
    for source in (PipeInput(crlf=False), LineInput(crlf=False)):
        assert source.read() == b""
        assert not source.ended, "nothing there yet is no end"
