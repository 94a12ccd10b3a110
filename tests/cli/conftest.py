"""Fixtures of the tests of commands."""

import os
from collections.abc import Iterator

import pytest

from sockctl.terminal import STDIN


@pytest.fixture
def keyboard() -> Iterator[int]:
    """Put a terminal in the place of standard input; return the descriptor that types at it."""
    before = os.dup(STDIN)
    typing, terminal = os.openpty()
    os.dup2(terminal, STDIN)
    yield typing
    os.dup2(before, STDIN)
    for descriptor in (before, typing, terminal):
        os.close(descriptor)
