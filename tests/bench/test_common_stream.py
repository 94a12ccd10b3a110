"""What a server sends to all its members alike."""

import pytest

from sockctl.bench.common_stream import CommonStream
from sockctl.bench.said import Said

SAID = [Said(0, number, float(number), 10 + number) for number in range(4)]
FRAMES = [b"aaaa", b"bb", b"cccccc", b"d"]
WHOLE = b"".join(FRAMES)


@pytest.fixture(params=[0, 2])
def stream(request: pytest.FixtureRequest) -> CommonStream:
    """A stream of the four messages; with two more before them, which are forgotten."""
    one = CommonStream()
    one.extend([Said(1, number, 1.0, 64) for number in range(request.param)], [b"zz"] * request.param)
    one.forget(request.param)
    one.extend(SAID, FRAMES)
    return one


@pytest.mark.parametrize("piece", [1, 2, 3, 5, 13])
def test_bytes_cut_anywhere_lead_on(stream: CommonStream, piece: int) -> None:
    start = stream.end - 4
    at, matched = start, 0
    for begin in range(0, len(WHOLE), piece):
        data = WHOLE[begin : begin + piece]
        at, matched, known = stream.match(at, matched, data)
        assert known == len(data)
    assert (at, matched) == (start + 4, 0)


def test_other_bytes_are_not_known_and_those_beyond_the_end_are_not_yet(stream: CommonStream) -> None:
    start = stream.end - 4
    assert stream.match(start, 0, b"aaab") == (start, 0, 0)
    assert stream.match(start, 2, b"aab") == (start + 1, 1, 3)
    assert stream.match(start, 2, b"bb") == (start, 2, 0)
    assert stream.match(start, 0, WHOLE + b"e") == (start + 4, 0, len(WHOLE))
    assert stream.match(start + 4, 0, b"e") == (start + 4, 0, 0)
    assert stream.get_bytes(start + 2, 3) == b"ccc"


def test_what_there_is_between_two_positions(stream: CommonStream) -> None:
    start = stream.end - 4
    assert stream.get_said(start + 1, start + 3) == SAID[1:3]
    assert stream.get_dues_ns(start + 1, start + 3) == [10**9, 2 * 10**9]
    assert stream.get_size(start + 1, start + 3) == 23


def test_it_forgets_what_all_have_heard(stream: CommonStream) -> None:
    start = stream.end - 4
    stream.forget(start + 3)
    stream.forget(start)
    assert stream.match(start + 3, 0, b"d") == (start + 4, 0, 1)
    stream.forget(start + 99)
    assert stream.end == start + 4
    stream.extend(SAID[:1], [b"x"])
    assert stream.match(start + 4, 0, b"x") == (start + 5, 0, 1)
    assert stream.get_size(start + 4, start + 5) == 10
