"""Fixtures of the tests of commands."""

import os
from collections.abc import Iterator

import pytest

from sockctl.terminal import STDIN


@pytest.fixture
def keyboard(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """Put a terminal in the place of standard input; return the descriptor that types at it."""
    monkeypatch.setattr(os, "tcgetpgrp", lambda _: os.getpgrp())  # it is not the terminal of this session
    before = os.dup(STDIN)
    typing, terminal = os.openpty()
    os.dup2(terminal, STDIN)
    yield typing
    os.dup2(before, STDIN)
    for descriptor in (before, typing, terminal):
        os.close(descriptor)
