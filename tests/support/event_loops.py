"""Event loops that find their work in other ways: the same behaviour is expected of each."""

import time
from collections.abc import Mapping
from functools import partial

import pytest

from sockctl.net.connection import Connection
from sockctl.net.event_loop import EventLoop
from sockctl.net.optimistic_reads import OptimisticReads


class AlwaysTrying(OptimisticReads):
    """Tries everybody, whatever comes of it."""

    def __init__(self, connections: Mapping[int, Connection]) -> None:
        super().__init__(connections)
        self.trying = True

    def turn(self) -> list[Connection]:
        time.sleep(0.001)
        return list(self._connections.values())

    def note(self, count: int, in_vain: int) -> None:
        """Go on."""


TRYING = partial(EventLoop, optimistic_reads=AlwaysTrying)
"""Reads from every connection in turn, and never asks which one is ready."""

asking_and_trying = pytest.mark.parametrize(
    "make_event_loop", [pytest.param(EventLoop, id="asking"), pytest.param(TRYING, id="trying")]
)
"""Marks a test of which both must hold: of a loop that asks which connections are ready, and of one that tries them."""
