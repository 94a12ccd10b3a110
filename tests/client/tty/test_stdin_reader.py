"""Tests for `sockctl.client.tty.stdin_reader`."""

import contextlib
import os
import time
from collections.abc import Iterator

import pytest

from sockctl.client.tty.background import Background
from sockctl.client.tty.stdin_reader import StdinReader

LIGHT = "\x1b]11;rgb:ffff/ffff/ffff\x1b\\"
"""An answer of the terminal."""


class Typed:
    """Keys of a terminal, and what the reader makes of them."""

    def __init__(self, background: Background) -> None:
        self._near, self._far = os.pipe()
        self.reader = StdinReader(self._near, encoding="utf-8", background=background)

    def read(self, typed: str = "") -> str:
        os.write(self._far, typed.encode(errors="surrogateescape"))
        return self.reader.read()

    def close(self) -> None:
        os.close(self._near)
        os.close(self._far)


@pytest.fixture
def late() -> Iterator[Typed]:
    typed = Typed(Background(None, "be", reply_may_come=True))
    yield typed
    typed.close()


def test_what_was_typed_before_comes_first(late: Typed) -> None:
    assert late.reader.is_ahead
    assert late.read("fore") == "before"
    assert not late.reader.is_ahead


def test_a_letter_whose_bytes_come_before_and_after() -> None:
    with contextlib.closing(Typed(Background(None, "Jos\udcc3", reply_may_come=True))) as typed:
        assert typed.read() == "Jos"
        assert typed.read("\udca9") == "é"


def test_one_late_answer_is_dropped_however_it_is_cut(late: Typed) -> None:
    assert late.read(f"x{LIGHT[:4]}") == "bex"
    assert late.read(LIGHT[4:10]) == ""
    assert late.read(f"{LIGHT[10:]}y") == "y"
    assert late.read(LIGHT) == LIGHT, "that is none of ours"


def test_what_only_looks_like_an_answer_is_typed(late: Typed) -> None:
    assert late.read("\x1b]") == "be"
    assert late.read("x") == "\x1b]x"


def test_no_answer_is_awaited_for_ever(monkeypatch: pytest.MonkeyPatch, late: Typed) -> None:
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now + 60)
    assert late.read(LIGHT) == f"be{LIGHT}"


def test_a_terminal_whose_reads_fail_has_gone() -> None:
    near, far = os.openpty()
    reader = StdinReader(near, encoding="utf-8", background=Background(None, "", reply_may_come=False))
    try:
        assert reader.read() == ""
        assert not reader.closed
        os.close(far)  # from here on, a read fails with EIO
        assert reader.read() == ""
        assert reader.closed
    finally:
        os.close(near)
