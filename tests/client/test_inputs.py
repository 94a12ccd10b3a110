from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sockctl.client.inputs import CrlfMapper, LineInput, PipeInput


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


def test_pipe() -> None:
    source = PipeInput(crlf=False)
    assert source.feed_raw(b"\x00\xff\n") == b"\x00\xff\n"
    assert not source.ended
    assert source.feed_raw(b"") == b""
    assert source.ended


def test_pipe_with_crlf() -> None:
    source = PipeInput(crlf=True)
    assert source.feed_raw(b"a\r") + source.feed_raw(b"\nb\n") == b"a\r\nb\r\n"


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
def test_lines(pieces: list[bytes], sent: bytes, crlf: bool) -> None:
    source = LineInput(crlf=crlf)
    left = iter(pieces)
    got = b""
    while not source.ended:
        got += source.feed_raw(next(left))
    assert got == sent


@given(st.lists(st.sampled_from([b"exit", b"//exit", b"a", b"\n"]), min_size=1), st.sets(st.integers(1, 40)))
def test_lines_do_not_depend_on_the_cuts(parts: list[bytes], cuts: set[int]) -> None:
    data = b"".join(parts)
    places = [0, *sorted(place for place in cuts if place < len(data)), len(data)]
    whole, cut = LineInput(crlf=False), LineInput(crlf=False)
    lines: list[bytes] = []
    for start, end in pairwise(places):
        if not cut.ended:
            lines += cut.feed(data[start:end])
    assert lines == whole.feed(data)
    assert (cut.ended, cut.open) == (whole.ended, whole.open)
