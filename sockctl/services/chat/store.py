"""Saves a chat in ``chat.json`` and ``chat-history.jsonl``, with a writer thread of its own.

The caller leaves a message, a topic or a ban in memory, and goes on. The writer writes all that waits as one batch, at
most ten times a second. Only the last messages of a room are saved, so no room has more than these waiting. A disk that
is full for a while loses nothing: the writer writes all from memory when there is space again. A killed process loses
the messages of its last moments, a tenth of a second on a good disk; the writer syncs the history once a second.
"""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from sockctl.errors import StoreError
from sockctl.services.chat.history import RecentMessages
from sockctl.services.chat.history_file import HistoryFile, HistoryFileLimits
from sockctl.services.chat.state import ChatState
from sockctl.services.chat.state_file import VERSION, check_state, decode_state, encode_state, make_empty_state
from sockctl.stores.json_store import JsonStore
from sockctl.stores.timestamps import Clock, read_utc_clock

FILE_NAME = "chat.json"
TOO_FAST = "More is said in more rooms than can be written: what waited longest is lost."

OnFailure = Callable[[str, int], None]
"""Called with the reason as a sentence, and the number of messages that are therefore not on the disk."""
OnRecovery = Callable[[int], None]
"""Called with the number of messages that were lost for good."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreLimits:
    """The limits and times of the store.

    Attributes:
        capacity_bytes: Bytes of messages that may wait for the writer, all rooms together. Beyond it the room that
            speaks loses its oldest messages: that takes many busy rooms and a slow disk.
        pause_s: The shortest pause between two batches.
        retry_s: The pause after a batch that failed.
        sync_every_s: How often the writer syncs the history.
        lock_timeout_s: How long `start` waits for the lock of ``chat.json``.
        history_file: The limits of the history file.
    """

    capacity_bytes: int = 16 << 20
    pause_s: float = 0.1
    retry_s: float = 1.0
    sync_every_s: float = 1.0
    lock_timeout_s: float = 2.0
    history_file: HistoryFileLimits = field(default_factory=HistoryFileLimits)


DEFAULT_LIMITS = StoreLimits()


@dataclass(frozen=True, slots=True)
class StoredRoom:
    """A room as the files have it.

    Attributes:
        frames: Its last messages, each the JSON text of a `say` message, in order.
        last_id: The id of the last one, which no other message may ever have.
    """

    frames: tuple[bytes, ...]
    last_id: int


class ChatStore:
    """Saves topics, bans, mutes and the last messages of each room. Any thread may use it.

    Only `start` and `close` block, as long as the disk does.

    Args:
        data_dir: The directory of the files; the store creates a missing one.
        history: The most messages of each room that are saved.
        on_failure: The writer calls it when a write fails: once, again when the reason changes, and at the end if the
            failure lasts. It may not raise.
        on_recovery: The writer calls it when writes succeed again. It may not raise.
        clock: Returns the time, with a time zone.
        limits: The limits and times.

    Attributes:
        state: The topics, bans and mutes.
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        history: int,
        on_failure: OnFailure,
        on_recovery: OnRecovery = lambda lost: None,  # noqa: ARG005
        clock: Clock = read_utc_clock,
        limits: StoreLimits = DEFAULT_LIMITS,
    ) -> None:
        self.state = ChatState(clock=clock, on_change=self._wake_for_state)
        self._history = history
        self._limits = limits
        self._on_failure = on_failure
        self._on_recovery = on_recovery
        self._store = JsonStore(
            data_dir / FILE_NAME,
            version=VERSION,
            empty=make_empty_state,
            check=check_state,
            lock_timeout_s=limits.lock_timeout_s,
            private=True,
        )
        self._file = HistoryFile(data_dir, history=history, limits=limits.history_file)
        self._queue_lock = threading.Lock()  # guards the six below
        self._waiting: dict[str, RecentMessages] = {}
        self._waiting_bytes = 0  # of the messages in _said
        self._remembered: dict[str, int] = {}  # messages to keep of a room that may keep fewer than `history`
        self._overflowed = 0
        self._state_changed = False
        self._woken = False
        self._wake = threading.Event()
        self._closing = threading.Event()
        self._writer = threading.Thread(target=self._write_until_closed, name="sockctl-chat-store", daemon=True)
        # The next four belong to the writer.
        self._state_due = False
        self._lost = 0
        self._problems: dict[str, str] = {}  # the reported problem of each kind of write
        self._synced_at = 0.0

    def start(self) -> dict[str, StoredRoom]:
        """Load the files, start the writer, and return the rooms, the one spoken in last at the end.

        A room's next message must have an id above `last_id`. A caller that leaves a gap there never gives an id twice,
        even after a crash.

        Raises:
            StoreError: A file can't be used, or another server uses it. The files stay as they are.
        """
        decode_state(self._store.read(), self.state)
        rooms = self._file.open()
        kept = {room: StoredRoom(tuple(tail.frames), tail.last_id) for room, tail in rooms.items()}
        self._writer.start()
        return kept

    def add_messages(self, room: str, first_id: int, frames: Sequence[bytes], *, remembered: int | None = None) -> None:
        """Save messages of a room. Never blocks; for one room the calls must come in order (under its lock).

        Args:
            room: The room.
            first_id: The id of the first message; each following one has the next id. A repeated id means that the room
                is a new one: the store forgets its earlier messages.
            frames: The messages: the JSON text of each, UTF-8 without a line feed, as the members receive it.
            remembered: How many messages of the room to keep, these included; None for `history`.
        """
        if not self._history or not frames:
            return
        with self._queue_lock:
            tail = self._waiting.get(room)
            if tail is None:
                tail = self._waiting[room] = RecentMessages(self._history)
            before = tail.size_bytes
            tail.add(first_id, first_id + len(frames) - 1, frames)
            if remembered is not None:
                tail.keep(max(1, remembered))  # the last one stays, and with it the id
                self._remembered[room] = max(1, remembered)
            self._waiting_bytes += tail.size_bytes - before
            if self._waiting_bytes > self._limits.capacity_bytes:
                self._drop_oldest(tail)
            woken, self._woken = self._woken, True
        if not woken:
            self._wake.set()

    def keep_last(self, room: str, remembered: int) -> None:
        """Forget all but the last messages of a room. Never blocks; called in order with `add_messages`."""
        with self._queue_lock:
            self._remembered[room] = max(1, remembered)  # the last one stays, and with it the id
            if (tail := self._waiting.get(room)) is not None:
                before = tail.size_bytes
                tail.keep(self._remembered[room])
                self._waiting_bytes += tail.size_bytes - before

    def forget(self, room: str) -> None:
        """Forget the messages of a room. Never blocks; called in order with `add_messages`."""
        with self._queue_lock:
            before = self._waiting.pop(room, None)
            self._waiting_bytes -= 0 if before is None else before.size_bytes
            tail = self._waiting[room] = RecentMessages(self._history)
            tail.forgotten = True
            woken, self._woken = self._woken, True
        if not woken:
            self._wake.set()

    def close(self, timeout_s: float = 5.0) -> None:
        """Write all that waits, for `timeout_s` seconds at most, and stop the writer if it runs."""
        if self._writer.ident is None:
            return
        self._closing.set()
        self._wake.set()
        self._writer.join(timeout_s)
        if self._writer.is_alive():
            with self._queue_lock:
                waiting = sum(len(tail.frames) for tail in self._waiting.values())
            self._on_failure(f"The disk has taken nothing for {timeout_s:g} s: what waited for it is lost.", waiting)

    def _wake_for_state(self) -> None:
        with self._queue_lock:
            self._state_changed = self._woken = True
        self._wake.set()

    def _drop_oldest(self, tail: RecentMessages) -> None:
        """Drop the oldest messages of the room that speaks; its last message stays, and with it the id."""
        before = tail.size_bytes
        surplus = self._waiting_bytes - self._limits.capacity_bytes
        while before - tail.size_bytes < surplus and len(tail.frames) > 1:
            tail.drop_first()
            self._overflowed += 1
        self._waiting_bytes -= before - tail.size_bytes

    # The writer.

    def _write_until_closed(self) -> None:
        while not self._closing.is_set():
            self._wake.wait(self._compute_wait_s())
            self._wake.clear()
            self._write()
            self._closing.wait(self._limits.retry_s if self._problems else self._limits.pause_s)
        self._write(last=True)
        self._file.close()

    def _compute_wait_s(self) -> float | None:
        """Return how long the writer may wait for the next batch; None for no limit."""
        if self._problems:
            return 0
        return max(0.0, self._synced_at + self._limits.sync_every_s - time.monotonic()) if self._file.unsynced else None

    def _write(self, *, last: bool = False) -> None:
        with self._queue_lock:
            waiting, self._waiting = self._waiting, {}
            remembered, self._remembered = self._remembered, {}
            overflowed, self._overflowed = self._overflowed, 0
            self._state_due |= self._state_changed
            self._waiting_bytes = 0
            self._state_changed = self._woken = False
        had_problems = bool(self._problems)
        self._lost += overflowed
        self._report("queue", TOO_FAST if overflowed else "", self._lost)
        self._report("state", self._write_state(), 0, again=last)
        self._file.add(waiting, remembered)
        problem = self._write_history(sync_now=last)
        self._report("history", problem, self._file.behind, again=last)
        if had_problems and not self._problems:
            self._on_recovery(self._lost)
            self._lost = 0

    def _write_state(self) -> str:
        """Write ``chat.json`` if the state has changed; return the problem, empty for none."""
        if not self._state_due:
            return ""
        try:
            with self._store.update() as content:
                content.update(encode_state(self.state))
        except StoreError as error:
            return f"{error} Topics, bans and mutes hold all the same, as long as the server runs."
        self._state_due = False
        return ""

    def _write_history(self, *, sync_now: bool) -> str:
        """Write the history; return the problem, empty for none."""
        try:
            self._file.write()
            now = time.monotonic()
            if self._file.unsynced and (sync_now or now - self._synced_at >= self._limits.sync_every_s):
                self._synced_at = now
                self._file.sync()
        except OSError as error:
            return (
                f"{self._file.path} can't be written: {error.strerror or error}. The last {self._history} messages of "
                f"each room are in memory, and written when that is possible; see to the disk and the permissions."
            )
        return ""

    def _report(self, what: str, problem: str, missing: int, *, again: bool = False) -> None:
        """Report a problem that is new, or any with `again`; an empty one means that the last problem is over."""
        if not problem:
            self._problems.pop(what, None)
            return
        if again or self._problems.get(what) != problem:
            self._on_failure(problem, missing)
        self._problems[what] = problem
