"""What of a chat survives a restart: ``chat.json`` and ``chat-history.jsonl``, written by one thread of their own.

Whoever speaks, sets a topic or bans somebody leaves it in memory and goes on. The writer takes what has come, ten times
a second at most, as one batch. Only the last messages of a room are kept, so what waits of a room is never more than
that; and what is in memory is the truth, so a disk that is full for a while loses nothing: it is all written when there
is room again. A process that is killed loses what it was told in its last moments, a tenth of a second on a good disk;
the history is synced once a second.
"""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from sockctl.errors import StoreError
from sockctl.services.chat.history_file import HistoryFile
from sockctl.services.chat.room_tail import RecentMessages
from sockctl.services.chat.state import ChatState
from sockctl.services.chat.state_file import VERSION, check_rulings, no_rulings
from sockctl.stores.json_store import JsonStore
from sockctl.stores.timestamps import Clock, utc_now

__all__ = ["ChatStore", "OnFailure", "OnRecovery", "StoredRoom"]

FILE_NAME = "chat.json"
CAPACITY_BYTES = 16 << 20
"""Bytes of messages that may wait to be written, all rooms together; beyond it a room that speaks loses its oldest one.

No room ever has more waiting than its history, so that takes many busy rooms and a slow disk.
"""
PAUSE_S = 0.1
"""What the writer waits at least between two batches."""
RETRY_S = 1.0
"""The same after one that could not be written."""
SYNC_EVERY_S = 1.0
LOCK_TIMEOUT_S = 2.0
CLOSE_TIMEOUT_S = 5.0
_TOO_FAST = "More is said in more rooms than can be written: what waited longest is lost."

OnFailure = Callable[[str, int], None]
"""Called with a sentence that says why, and how many messages aren't on the disk because of it."""
OnRecovery = Callable[[int], None]
"""Called with how many messages were lost for good."""


@dataclass(frozen=True, slots=True)
class StoredRoom:
    """What is kept of a room.

    Attributes:
        frames: Its last messages, each the JSON text of a `say` message, in order.
        last_id: The id of the last one: whoever has seen it must never see another one with it.
    """

    frames: tuple[bytes, ...]
    last_id: int


class ChatStore(ChatState):
    """Keeps topics, bans, mutes and the last messages of each room. Any thread may use it.

    Nothing but `start` and `close` waits for a disk.

    Args:
        data_dir: Where the files are; made when there is something to keep.
        history: How many messages of each room are kept.
        on_failure: Told once, and again when the reason changes, that something can't be written; at the end once more
            if it was never written. Called by the writer, as is the next one: neither may raise.
        on_recovery: Told that everything can be written again.
        clock: Returns the time, with a time zone.
        capacity_bytes: How many bytes of messages may wait to be written.
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        history: int,
        on_failure: OnFailure,
        on_recovery: OnRecovery = lambda lost: None,  # noqa: ARG005
        clock: Clock = utc_now,
        capacity_bytes: int = CAPACITY_BYTES,
    ) -> None:
        super().__init__(clock=clock)
        self._history = history
        self._capacity_bytes = capacity_bytes
        self._on_failure = on_failure
        self._on_recovery = on_recovery
        self._store = JsonStore(
            data_dir / FILE_NAME,
            version=VERSION,
            empty=no_rulings,
            check=check_rulings,
            lock_timeout_s=LOCK_TIMEOUT_S,
            private=True,
        )
        self._file = HistoryFile(data_dir, history=history)
        self._queue_lock = threading.Lock()  # guards the six below
        self._said: dict[str, RecentMessages] = {}
        self._waiting_bytes = 0  # of the messages in _said
        self._remembered: dict[str, int] = {}  # of those rooms, where it is said
        self._overflowed = 0
        self._decided = False
        self._woken = False
        self._wake = threading.Event()
        self._closing = threading.Event()
        self._writer = threading.Thread(target=self._write_until_closed, name="sockctl-chat-keeper", daemon=True)
        # The writer's own.
        self._rulings_due = False
        self._lost = 0
        self._told: dict[str, str] = {}  # what goes wrong with what
        self._synced_at = 0.0

    def start(self) -> dict[str, StoredRoom]:
        """Read the files, begin to write, and return what is kept of each room, the one spoken in last at the end.

        A room's next message must have an id above `last_id`; a server that leaves a gap there never gives an id
        twice, whatever a crash has swallowed.

        Raises:
            StoreError: A file can't be used, or another server uses it. Nothing was changed.
        """
        self._take(self._store.read())
        rooms = self._file.open()
        kept = {room: StoredRoom(tuple(tail.frames), tail.last_id) for room, tail in rooms.items()}
        self._writer.start()
        return kept

    def said(self, room: str, first_id: int, frames: Sequence[bytes], *, remembered: int | None = None) -> None:
        """Keep what was said in a room. Never blocks; for one room the calls must come in order (under its lock).

        Args:
            room: The room.
            first_id: The id of the first message; that of each following one is larger by 1. An id that was there
                already means that the room was made anew: what was said in it before is forgotten.
            frames: The messages: of each the JSON text, UTF-8 without a line feed, as the members get it.
            remembered: How many messages of the room are still remembered, these included; None for as many as may be.
        """
        if not self._history or not frames:
            return
        with self._queue_lock:
            tail = self._said.get(room)
            if tail is None:
                tail = self._said[room] = RecentMessages(self._history)
            before = tail.size_bytes
            tail.add(first_id, first_id + len(frames) - 1, frames)
            if remembered is not None:
                tail.keep(max(1, remembered))  # the last one stays, and with it the id
                self._remembered[room] = max(1, remembered)
            self._waiting_bytes += tail.size_bytes - before
            if self._waiting_bytes > self._capacity_bytes:
                self._drop_oldest(tail)
            woken, self._woken = self._woken, True
        if not woken:
            self._wake.set()

    def keep_last(self, room: str, remembered: int) -> None:
        """Keep no more of a room than its last messages. Never blocks; called in order with `said`."""
        with self._queue_lock:
            self._remembered[room] = max(1, remembered)  # the last one stays, and with it the id
            if (tail := self._said.get(room)) is not None:
                before = tail.size_bytes
                tail.keep(self._remembered[room])
                self._waiting_bytes += tail.size_bytes - before

    def forget(self, room: str) -> None:
        """Keep nothing any more of what was said in a room. Never blocks; called in order with `said`."""
        with self._queue_lock:
            before = self._said.pop(room, None)
            self._waiting_bytes -= 0 if before is None else before.size_bytes
            tail = self._said[room] = RecentMessages(self._history)
            tail.forgotten = True
            woken, self._woken = self._woken, True
        if not woken:
            self._wake.set()

    def close(self, timeout_s: float = CLOSE_TIMEOUT_S) -> None:
        """Write all that waits, for `timeout_s` seconds at most, and end the writer. It may not have been started."""
        if self._writer.ident is None:
            return
        self._closing.set()
        self._wake.set()
        self._writer.join(timeout_s)
        if self._writer.is_alive():
            with self._queue_lock:
                waiting = sum(len(tail.frames) for tail in self._said.values())
            self._on_failure(f"The disk has taken nothing for {timeout_s:g} s: what waited for it is lost.", waiting)

    def _changed(self) -> None:
        with self._queue_lock:
            self._decided = self._woken = True
        self._wake.set()

    def _drop_oldest(self, tail: RecentMessages) -> None:
        """Make room at the cost of a room that speaks; its last message stays, and with it the id."""
        before = tail.size_bytes
        surplus = self._waiting_bytes - self._capacity_bytes
        while before - tail.size_bytes < surplus and len(tail.frames) > 1:
            tail.drop_first()
            self._overflowed += 1
        self._waiting_bytes -= before - tail.size_bytes

    # The writer.

    def _write_until_closed(self) -> None:
        while not self._closing.is_set():
            self._wake.wait(self._patience_s())
            self._wake.clear()
            self._write()
            self._closing.wait(RETRY_S if self._told else PAUSE_S)
        self._write(last=True)
        self._file.close()

    def _patience_s(self) -> float | None:
        """Return how long the writer may wait for something to write."""
        if self._told:
            return 0
        return max(0.0, self._synced_at + SYNC_EVERY_S - time.monotonic()) if self._file.unsynced else None

    def _write(self, *, last: bool = False) -> None:
        with self._queue_lock:
            said, self._said = self._said, {}
            remembered, self._remembered = self._remembered, {}
            overflowed, self._overflowed = self._overflowed, 0
            self._rulings_due |= self._decided
            self._waiting_bytes = 0
            self._decided = self._woken = False
        was_told = bool(self._told)
        self._lost += overflowed
        self._note("queue", _TOO_FAST if overflowed else "", self._lost)
        self._note("rulings", self._write_rulings(), 0, again=last)
        self._file.add(said, remembered)
        problem = self._write_history(sync_now=last)
        self._note("history", problem, self._file.behind, again=last)
        if was_told and not self._told:
            self._on_recovery(self._lost)
            self._lost = 0

    def _write_rulings(self) -> str:
        """Write ``chat.json`` if something was decided, and return what is in the way."""
        if not self._rulings_due:
            return ""
        try:
            with self._store.update() as content:
                content.update(self._content())
        except StoreError as error:
            return f"{error} Topics, bans and mutes hold all the same, as long as the server runs."
        self._rulings_due = False
        return ""

    def _write_history(self, *, sync_now: bool) -> str:
        """Write the history, and return what is in the way."""
        try:
            self._file.write()
            now = time.monotonic()
            if self._file.unsynced and (sync_now or now - self._synced_at >= SYNC_EVERY_S):
                self._synced_at = now
                self._file.sync()
        except OSError as error:
            return (
                f"{self._file.path} can't be written: {error.strerror or error}. The last {self._history} messages of "
                f"each room are in memory, and written when that is possible; see to the disk and the permissions."
            )
        return ""

    def _note(self, what: str, problem: str, missing: int, *, again: bool = False) -> None:
        """Tell a problem if it is a new one, or the last time it can be told; none is the end of it."""
        if not problem:
            self._told.pop(what, None)
            return
        if again or self._told.get(what) != problem:
            self._on_failure(problem, missing)
        self._told[what] = problem
