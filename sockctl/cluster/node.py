"""A node's share in the log: three threads, each with a connection of its own.

The writer posts what members say, the reader tells what the log says, and the beat renews the node's lease and buries
nodes whose lease is over. A node that was buried itself registers anew, under another name.
"""

import contextlib
import dataclasses
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sockctl.cluster.engine import Engine
from sockctl.cluster.engine_access import EngineAccess
from sockctl.cluster.entry import News
from sockctl.cluster.health import Away, Back, Health
from sockctl.cluster.outbox import Outbox, Posting
from sockctl.cluster.reader import Reader
from sockctl.cluster.registry import LEASE_S, Registration, beat, bury, register, retire
from sockctl.cluster.writer import Writer
from sockctl.errors import EngineError, EngineReplyError


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeTimes:
    """The times of a node, in seconds.

    Attributes:
        lease_s: The length of its lease.
        retired_s: How long its members have to come to another node when it stops.
        away_after_s: How long the engine must be away before that is told.
        refused_after_s: How long a message waits for the engine before it is refused.
        reader_wait_s: How long the engine holds a request of the reader.
        first_pause_s: The pause after the first failure; it doubles.
        longest_pause_s: The longest pause.
    """

    lease_s: float = LEASE_S
    retired_s: float = 5.0
    away_after_s: float = 2.0
    refused_after_s: float = 10.0
    reader_wait_s: float = 1.0
    first_pause_s: float = 0.05
    longest_pause_s: float = 0.5


TIMES = NodeTimes()


@dataclass(frozen=True, slots=True, kw_only=True)
class Callbacks:
    """What a node tells. None of them may raise or block; each comes from one of the node's threads.

    Attributes:
        on_news: What is new in the log, in order; the reader's thread calls it.
        on_refused: Postings that were not said, and never will be; the writer's thread calls it.
        on_buried: The node was buried, and has another name now: its members must claim theirs again.
        on_health: The engine is away, or back.
    """

    on_news: Callable[[Sequence[News]], None]
    on_refused: Callable[[Sequence[Posting]], None]
    on_buried: Callable[[str], None]
    on_health: Callable[[Away | Back], None]


class Node:
    """A node. Any thread may use it.

    Args:
        access: The way to the engine.
        name: What people call the node.
        callbacks: What it tells.
        times: Its times.

    Raises:
        EngineError: The engine can't be used.
    """

    def __init__(self, access: EngineAccess, name: str, callbacks: Callbacks, *, times: NodeTimes = TIMES) -> None:
        self._name = name
        self._callbacks = callbacks
        self._times = times
        self._outbox = Outbox()
        self._health = Health(callbacks.on_health, away_after_s=times.away_after_s)
        self._stopping = threading.Event()
        self._was_buried = threading.Event()  # the beat sets it; the writer then registers anew
        patient = dataclasses.replace(access, timeout_s=access.timeout_s + times.reader_wait_s)
        self._engines = [Engine(access), Engine(patient), Engine(access)]  # the writer's, the reader's, the beat's
        began = time.time()
        try:
            self._place = register(self._engines[0], name, lease_s=times.lease_s)
        except EngineError:
            self._close()
            raise
        self.clock_offset_s = self._place.engine_us / 1e6 - (began + time.time()) / 2
        self._reader = Reader(self._place.last_id)
        self._writer = self._make_writer()
        runs = {"writer": self._run_writer, "reader": self._run_reader, "beat": self._run_beat}
        self._threads = [
            threading.Thread(target=run, name=f"sockctl-cluster-{what}", daemon=True) for what, run in runs.items()
        ]

    @property
    def place(self) -> Registration:
        """The node as the engine knows it now."""
        return self._place

    def start(self) -> None:
        """Start to read, from the entry behind the last one at the time of the registration."""
        for thread in self._threads:
            thread.start()

    def say(self, posting: Posting) -> bool:
        """Post something; return False if too much waits, and it is not said. Never blocks."""
        return self._outbox.add(dataclasses.replace(posting, at=time.monotonic()))

    def stop(self) -> None:
        """Post what waits, leave the other nodes time to take the members over, and stop; blocks for some seconds."""
        self._stopping.set()
        self._outbox.filled.set()
        for thread in self._threads:
            thread.join()
        with contextlib.suppress(EngineError):
            while self._writer.write():
                pass
        with contextlib.suppress(EngineError):
            retire(self._engines[0], self._place.node, lease_s=self._times.retired_s)
        self._close()

    def _close(self) -> None:
        for engine in self._engines:
            engine.close()

    def _make_writer(self) -> Writer:
        return Writer(
            self._engines[0],
            self._place.node,
            self._outbox,
            self._reader,
            on_refused=self._callbacks.on_refused,
        )

    def _repeat(self, step: Callable[[], bool]) -> None:
        """Take a step again and again, with pauses while the engine is away.

        Args:
            step: Returns whether the engine has answered something.
        """
        pause_s = self._times.first_pause_s
        while not self._stopping.is_set():
            try:
                answered = step()
            except EngineError as error:
                self._health.note_failure(error)
                self._stopping.wait(pause_s)
                pause_s = min(pause_s * 2, self._times.longest_pause_s)
            else:
                pause_s = self._times.first_pause_s
                if answered:
                    self._health.note_success()

    # The writer.

    def _run_writer(self) -> None:
        self._repeat(self._write)

    def _write(self) -> bool:
        self._outbox.filled.wait(self._times.longest_pause_s)
        try:
            if self._was_buried.is_set():
                self._was_buried.clear()
                self._writer.greet()
            count = self._writer.write()
            if self._writer.is_buried:
                self._register_again()
        except EngineError:
            late = self._outbox.take_older(time.monotonic() - self._times.refused_after_s)
            if late:
                self._callbacks.on_refused(late)
            raise
        return count > 0

    def _register_again(self) -> None:
        before = self._place.node
        self._place = register(
            self._engines[0], self._name, lease_s=self._times.lease_s, highest_id=self._reader.last_id
        )
        self._writer = self._make_writer()
        self._callbacks.on_buried(before)

    # The reader.

    def _run_reader(self) -> None:
        self._repeat(self._read)

    def _read(self) -> bool:
        if news := self._reader.read(self._engines[1], wait_ms=int(self._times.reader_wait_s * 1000)):
            self._callbacks.on_news(news)
        return True

    # The beat.

    def _run_beat(self) -> None:
        while not self._stopping.wait(self._times.lease_s / 3):
            began = time.time()
            try:
                beaten = beat(
                    self._engines[2],
                    self._place.node,
                    lease_s=self._times.lease_s,
                    highest_id=self._reader.last_id,
                )
                self.clock_offset_s = beaten.engine_us / 1e6 - (began + time.time()) / 2
                for node in beaten.expired:
                    bury(self._engines[2], node)
            except EngineReplyError as error:
                if error.code == "BURIED":
                    self._was_buried.set()
                else:
                    self._health.note_failure(error)
            except EngineError as error:
                self._health.note_failure(error)
            else:
                self._health.note_success()
