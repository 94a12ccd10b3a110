"""Keeps a node's lease, buries other nodes whose lease is over, and measures the engine's clock; one thread runs it."""

import threading
import time
from collections.abc import Callable

from sockctl.cluster.engine import Engine
from sockctl.cluster.health import Health, Lag
from sockctl.cluster.registry import beat, bury
from sockctl.errors import EngineError, EngineReplyError


class Heart:
    """The heart of a node.

    Args:
        engine: A connection that the heart alone uses.
        health: Hears whether the engine answers.
        lease_s: The length of the node's lease.
        retry_s: The pause after a failure.

    Attributes:
        clock_offset_s: What the engine's clock shows more than this machine's, in seconds.
        is_buried: Set when the engine says that the node was buried.
    """

    def __init__(self, engine: Engine, health: Health, *, lease_s: float, retry_s: float) -> None:
        self._engine = engine
        self._health = health
        self._lease_s = lease_s
        self._retry_s = retry_s
        self.clock_offset_s = 0.0
        self.is_buried = threading.Event()

    def note_clock(self, engine_us: int, asked_at: float) -> None:
        """Note what the engine's clock showed in the answer to a question, and when this machine's asked."""
        self.clock_offset_s = engine_us / 1e6 - (asked_at + time.time()) / 2

    def run(
        self,
        stopping: threading.Event,
        look: Callable[[], tuple[str, int, int]],
        on_lag: Callable[[float], None],
    ) -> None:
        """Renew the lease now, and then every third of its length, until the node stops.

        Args:
            stopping: Set when the node stops.
            look: Returns the node's name, the last id that it has read, and how many of its postings wait.
            on_lag: Called once, with the seconds, until the node has caught up with the log.
        """
        lag = Lag(on_lag)
        while not stopping.is_set():
            pause_s = self._lease_s / 3
            try:
                self._beat(*look(), lag)
            except EngineError as error:
                if isinstance(error, EngineReplyError) and error.code == "BURIED":
                    self.is_buried.set()
                else:
                    self._health.note_failure("heart", error)
                    pause_s = self._retry_s
            else:
                self._health.note_success("heart")
            stopping.wait(pause_s)

    def _beat(self, name: str, read: int, waiting: int, lag: Lag) -> None:
        asked_at = time.time()
        beaten = beat(self._engine, name, read=read, waiting=waiting, lease_s=self._lease_s)
        self.note_clock(beaten.engine_us, asked_at)
        lag.note(read=read, last_id=beaten.last_id)
        for node in beaten.expired:
            bury(self._engine, node)
