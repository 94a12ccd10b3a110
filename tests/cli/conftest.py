"""Fixtures of the tests of commands."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from sockctl.terminal import STDIN
from tests.support.bots import Bot
from tests.support.descriptors import in_place_of
from tests.support.engine_fixtures import engine, engine_server

__all__ = ["bots", "engine", "engine_server", "folder", "keyboard"]


@pytest.fixture
def keyboard(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """Put a terminal in the place of standard input; return the descriptor that types at it."""
    monkeypatch.setattr(os, "tcgetpgrp", lambda _: os.getpgrp())  # it is not the terminal of this session
    typing, terminal = os.openpty()
    with in_place_of(STDIN, terminal):
        yield typing
    for descriptor in (typing, terminal):
        os.close(descriptor)


@pytest.fixture
def bots() -> Iterator[list[Bot]]:
    """Return the list of the bots that a test starts, which end with it."""
    started: list[Bot] = []
    yield started
    for bot in started:
        bot.kill()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the folder of the configuration file, which is the test's own."""
    monkeypatch.setenv("SOCKCTL_CONFIG", str(tmp_path))
    return tmp_path
