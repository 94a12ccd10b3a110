import math

import pytest

from sockctl.proxy.line import LINE_BYTES, LINE_PIECES, SLICES_PER_S, Line


def pop(line: Line, now: float) -> bytes:
    piece = line.pop(now)
    assert piece is not None
    return bytes(piece)


def test_bytes_go_in_their_order_when_their_time_has_come() -> None:
    line = Line(delay_s=0.5, bytes_per_s=None)
    assert line.due_at == math.inf
    line.put(b"one", 10.0)
    line.put(b"two", 10.2)
    assert line.due_at == 10.5
    assert line.pop(10.4) is None
    assert pop(line, 10.6) == b"one"
    assert line.pop(10.6) is None
    assert pop(line, 10.7) == b"two"
    assert line.is_empty


def test_a_rate_lets_bytes_pass_evenly() -> None:
    line = Line(delay_s=0.0, bytes_per_s=1_000)
    line.put(b"x" * 1_000, 50.0)
    now, passed = 50.0, 0
    while not line.is_empty:
        now = max(now, line.due_at)
        piece = line.pop(now)
        assert piece is not None
        assert len(piece) <= 1_000 / SLICES_PER_S
        passed += len(piece)
    assert passed == 1_000
    assert now == pytest.approx(51.0, abs=2.5 / SLICES_PER_S)


def test_a_rate_forgives_a_late_timer_and_no_long_rest() -> None:
    line = Line(delay_s=0.0, bytes_per_s=1_000)
    line.put(b"x" * 1_000, 50.0)
    passed = 0
    while (piece := line.pop(60.0)) is not None:
        passed += len(piece)
    assert passed <= 2 * 1_000 / SLICES_PER_S


def test_a_line_is_full_at_its_bound() -> None:
    line = Line(delay_s=1.0, bytes_per_s=None)
    line.put(b"x" * (LINE_BYTES - 1), 0.0)
    assert not line.is_full
    line.put(b"x", 0.0)
    assert line.is_full
    line.pop(1.0)
    assert not line.is_full


def test_a_line_is_full_at_its_bound_of_small_pieces() -> None:
    line = Line(delay_s=1.0, bytes_per_s=None)
    for _ in range(LINE_PIECES):
        assert not line.is_full
        line.put(b"x", 0.0)
    assert line.is_full
    line.pop(1.0)
    assert not line.is_full


def test_the_end_is_held_back_as_bytes_are() -> None:
    line = Line(delay_s=1.0, bytes_per_s=5)
    line.put(b"", 0.0)
    assert not line.is_empty
    assert line.pop(0.5) is None
    assert pop(line, 1.0) == b""
    assert line.is_empty
