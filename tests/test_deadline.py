"""What is left of a time: with and without a limit, and once it has passed."""

import math
import time

from sockctl.deadline import MAX_POLL_MS, Deadline


def test_no_limit() -> None:
    none = Deadline.after(None)
    assert none == math.inf
    assert none.left_s == math.inf
    assert none.left_ms is None
    assert not none.has_passed


def test_a_limit() -> None:
    before = time.monotonic()
    deadline = Deadline.after(60)
    assert before + 60 <= deadline <= time.monotonic() + 60
    assert 59 < deadline.left_s <= 60
    assert deadline.left_ms is not None
    assert 59_000 < deadline.left_ms <= 60_000
    assert not deadline.has_passed
    assert min(deadline, Deadline.after(None)) is deadline


def test_what_has_passed_leaves_nothing() -> None:
    passed = Deadline(time.monotonic() - 1)
    assert (passed.left_s, passed.left_ms) == (0.0, 0)
    assert passed.has_passed


def test_poll_waits_no_longer_than_it_can_count() -> None:
    assert Deadline.after(1e12).left_ms == MAX_POLL_MS


def test_a_moment_is_rounded_up() -> None:
    left_ms = Deadline.after(0.0005).left_ms
    assert left_ms in (0, 1)
