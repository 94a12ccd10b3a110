"""How a node's threads go on: steps again and again, with pauses after failures, and how far the node has read."""

import threading
import time
from collections.abc import Callable

from sockctl.cluster.health import Health
from sockctl.cluster.node_settings import NodeTimes
from sockctl.errors import EngineError


class Repeater:
    """Takes steps again and again until the node stops, with pauses while the engine is away. Any thread may use it.

    Args:
        health: Hears how the steps go.
        stopping: Set when the node stops.
        times: The pauses.
        timeout_s: How long a request may have waited before it failed.
    """

    def __init__(self, health: Health, stopping: threading.Event, times: NodeTimes, *, timeout_s: float) -> None:
        self._health = health
        self._stopping = stopping
        self._times = times
        self._timeout_s = timeout_s

    def run(self, source: str, step: Callable[[], bool]) -> None:
        """Take a step again and again. After an error of another kind the engine counts as away, for good.

        Args:
            source: What takes it.
            step: Returns whether the engine has answered something.
        """
        pause_s = self._times.first_pause_s
        while not self._stopping.is_set():
            began = time.monotonic()
            try:
                answered = step()
            except EngineError as error:
                waited_s = min(time.monotonic() - began, self._timeout_s)
                self._health.note_failure(source, error, waited_s=waited_s)
                self._stopping.wait(pause_s)
                pause_s = min(pause_s * 2, self._times.longest_pause_s)
            except Exception as error:
                # A flaw: without this thread the node is deaf or mute, so its clients must go to another one.
                failure = EngineError(f"The {source} of this server has failed ({error!r}): restart it")
                self._health.note_failure(source, failure, waited_s=self._times.away_after_s)
                raise
            else:
                pause_s = self._times.first_pause_s
                if answered:
                    self._health.note_success(source)


class ReadMark:
    """The last entry that a node has read, and told of. Any thread may use it; one moves it.

    Attributes:
        entry_id: The entry's id.
    """

    def __init__(self, entry_id: int) -> None:
        self.entry_id = entry_id
        self._moved = threading.Condition()  # guards the id against a waiter that has just looked

    def move(self, entry_id: int) -> None:
        """Note that the node has told of an entry, and of all before it."""
        if self.entry_id != entry_id:
            with self._moved:
                self.entry_id = entry_id
                self._moved.notify_all()

    def wait_for(self, entry_id: int, timeout_s: float) -> bool:
        """Wait until the node has told of an entry; return whether it has."""
        with self._moved:
            return self._moved.wait_for(lambda: self.entry_id >= entry_id, timeout_s)
