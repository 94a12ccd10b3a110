import math

import pytest

from sockctl.proxy.shaper import SHAPER_BYTES, SHAPER_PIECES, SLICES_PER_S, Shaper


def pop(shaper: Shaper, now: float) -> bytes:
    piece = shaper.pop(now)
    assert piece is not None
    return bytes(piece)


def test_bytes_go_in_their_order_when_their_time_has_come() -> None:
    shaper = Shaper(delay_s=0.5, bytes_per_s=None)
    assert shaper.due_at == math.inf
    shaper.put(b"one", 10.0)
    shaper.put(b"two", 10.2)
    assert shaper.due_at == 10.5
    assert shaper.pop(10.4) is None
    assert pop(shaper, 10.6) == b"one"
    assert shaper.pop(10.6) is None
    assert pop(shaper, 10.7) == b"two"
    assert shaper.is_empty


def test_a_rate_lets_bytes_pass_evenly() -> None:
    shaper = Shaper(delay_s=0.0, bytes_per_s=1_000)
    shaper.put(b"x" * 1_000, 50.0)
    now, passed = 50.0, 0
    while not shaper.is_empty:
        now = max(now, shaper.due_at)
        piece = shaper.pop(now)
        assert piece is not None
        assert len(piece) <= 1_000 / SLICES_PER_S
        passed += len(piece)
    assert passed == 1_000
    assert now == pytest.approx(51.0, abs=2.5 / SLICES_PER_S)


def test_a_rate_forgives_a_late_timer_and_no_long_rest() -> None:
    shaper = Shaper(delay_s=0.0, bytes_per_s=1_000)
    shaper.put(b"x" * 1_000, 50.0)
    passed = 0
    while (piece := shaper.pop(60.0)) is not None:
        passed += len(piece)
    assert passed <= 2 * 1_000 / SLICES_PER_S


def test_a_line_is_full_at_its_bound() -> None:
    shaper = Shaper(delay_s=1.0, bytes_per_s=None)
    shaper.put(b"x" * (SHAPER_BYTES - 1), 0.0)
    assert not shaper.is_full
    shaper.put(b"x", 0.0)
    assert shaper.is_full
    shaper.pop(1.0)
    assert not shaper.is_full


def test_a_line_is_full_at_its_bound_of_small_pieces() -> None:
    shaper = Shaper(delay_s=1.0, bytes_per_s=None)
    for _ in range(SHAPER_PIECES):
        assert not shaper.is_full
        shaper.put(b"x", 0.0)
    assert shaper.is_full
    shaper.pop(1.0)
    assert not shaper.is_full


def test_the_end_is_held_back_as_bytes_are() -> None:
    shaper = Shaper(delay_s=1.0, bytes_per_s=5)
    shaper.put(b"", 0.0)
    assert not shaper.is_empty
    assert shaper.pop(0.5) is None
    assert pop(shaper, 1.0) == b""
    assert shaper.is_empty
