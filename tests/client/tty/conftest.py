"""Fixtures of the client at a terminal."""

import os
import pty
from collections.abc import Iterator

import pytest


@pytest.fixture
def ends() -> Iterator[tuple[int, int]]:
    """Return the person's end of a terminal, and the program's."""
    person, program = pty.openpty()
    yield person, program
    os.close(person)
    os.close(program)
