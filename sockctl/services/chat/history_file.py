"""Saves the last messages of each room in ``chat-history.jsonl``, one message a line (see `history_entry`).

The server appends new messages. Once the file has about twice the messages that are kept, the server writes a new file
from memory and puts it in the old one's place; a killed process leaves one of the two. A new file also replaces one
that is in doubt: after a write that failed half-way, or where the last line is torn. A process that is killed while it
appends leaves whole lines, and at most one torn line at the end.

One server at a time uses the file: it holds a lock on ``chat-history.jsonl.lock``.
"""

import contextlib
import os
import stat
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

from sockctl.deadline import Deadline
from sockctl.errors import StoreError, StoreFormatError, StoreLockedError, StoreReadError
from sockctl.services.chat.history import RecentMessages, count_held_bytes
from sockctl.services.chat.history_entry import check_entry
from sockctl.stores.faults import refuse_exposed
from sockctl.stores.files import make_private_folder, replace_file, sync_folder, take_lock
from sockctl.terminal import write_all

FILE_NAME = "chat-history.jsonl"
_ADVICE = "It was left as it is: mend it, or move it away to begin anew."


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryFileLimits:
    """The limits and times of the history file.

    Attributes:
        slack_bytes: How far the file may exceed twice its size after it was last written anew.
        max_kept_bytes: The memory of all messages; beyond it, the file drops the rooms silent for longest.
        max_rooms: The most rooms that the file keeps.
        lock_timeout_s: How long a starting server waits for one that is just stopping.
    """

    slack_bytes: int = 64 * 1024
    max_kept_bytes: int = 64 * 1024 * 1024
    max_rooms: int = 1_000
    lock_timeout_s: float = 2.0


DEFAULT_LIMITS = HistoryFileLimits()


class HistoryFile:
    """The history on disk. One thread at a time may use it; it blocks as long as the disk does.

    Args:
        data_dir: The directory of the file; `open` creates a missing one.
        history: The most messages of each room that the file keeps.
        limits: The limits and times.
    """

    def __init__(self, data_dir: Path, *, history: int, limits: HistoryFileLimits = DEFAULT_LIMITS) -> None:
        self.path = Path(os.path.realpath(data_dir / FILE_NAME))  # a link stays a link
        self._history = history
        self._limits = limits
        self._rooms: dict[str, RecentMessages] = {}  # the room with the latest message comes last
        self._lock_descriptor: int | None = None
        self._descriptor: int | None = None
        self._size = 0  # of the file
        self._kept_size = 0  # of the kept messages, when they were counted last
        self._in_doubt = True  # the file must be written anew
        self._fresh: list[bytes] = []  # messages to append
        self._behind = 0
        self.unsynced = False

    def open(self) -> Mapping[str, RecentMessages]:
        """Lock the file, and return the messages of each room, which the caller must not change.

        Raises:
            StoreLockedError: Another server uses the file.
            StoreReadError: The file can't be read, or other users may read it.
            StoreFormatError: A line other than a torn last one is wrong; the file stays as it is.
        """
        try:
            make_private_folder(self.path.parent)
            self._lock_descriptor = take_lock(f"{self.path}.lock", Deadline.after(self._limits.lock_timeout_s))
            with contextlib.suppress(FileNotFoundError):  # there is no history yet
                self._descriptor = os.open(self.path, os.O_RDWR | os.O_APPEND | os.O_NONBLOCK | os.O_CLOEXEC)
            if self._descriptor is not None:
                self._load(self._descriptor)
        except BlockingIOError as error:
            raise StoreLockedError(
                f"Another server keeps its chat in {self.path}: end it, or give this one a --data-dir of its own."
            ) from error
        except OSError as error:
            self.close()
            raise self._make_error(error.strerror or str(error)) from error
        except StoreError:
            self.close()
            raise
        return self._rooms

    @property
    def behind(self) -> int:
        """How many messages are not in the file yet."""
        return min(self._behind, sum(len(tail.frames) for tail in self._rooms.values()))

    def add(self, said: Mapping[str, RecentMessages], remembered: Mapping[str, int] = MappingProxyType({})) -> None:
        """Add the new messages of each room; `write` writes them.

        Args:
            said: The new messages of each room.
            remembered: How many messages to keep of a room that may keep fewer than the others.
        """
        for room, new in said.items():
            tail = self._rooms.pop(room, None) or RecentMessages(self._history)
            if new.forgotten:
                self._kept_size = max(0, self._kept_size - sum(len(frame) + 1 for frame in tail.frames))
                tail.keep(0)
                if not new.frames:
                    continue  # its lines go when the file is written anew, which is all the sooner
            self._in_doubt |= new.first_id <= tail.last_id
            tail.add(new.first_id, new.last_id, new.frames)
            tail.keep(remembered.get(room, self._history))
            self._rooms[room] = tail
            self._fresh += new.frames
            self._behind += len(new.frames)
        for room in remembered.keys() - said.keys() & self._rooms.keys():
            self._rooms[room].keep(remembered[room])  # its lines go when the file is written anew

    def write(self) -> None:
        """Write the messages that are not in the file yet.

        Raises:
            OSError: The file can't be written; the next call tries again.
        """
        if not self._behind:
            return
        data = _join_lines(self._fresh)
        self._fresh = []
        try:
            if self._must_write_anew(len(data)):
                self._write_anew()
            else:
                self._append(data)
        except OSError:
            self._in_doubt = True
            raise
        self._behind = 0

    def sync(self) -> None:
        """Sync the appended messages to the disk, so that they survive a crash of the system.

        Raises:
            OSError: The file can't be synced: `write` will write all messages again.
        """
        if self._descriptor is None or not self.unsynced:
            return
        self.unsynced = False
        try:
            os.fsync(self._descriptor)
        except OSError:
            self._in_doubt = True  # the messages that the system had not written may be lost
            self._behind = max(self._behind, 1)
            raise

    def close(self) -> None:
        """Close the file, and free its lock."""
        for descriptor in (self._descriptor, self._lock_descriptor):
            if descriptor is not None:
                os.close(descriptor)
        self._descriptor = self._lock_descriptor = None

    # Reading.

    def _load(self, descriptor: int) -> None:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise self._make_error("it is no regular file")
        refuse_exposed(self.path, status)
        self._size = status.st_size
        self._in_doubt = False
        with open(descriptor, "rb", closefd=False) as file:
            for number, line in enumerate(file, 1):
                self._load_line(number, line)
        self._forget_oldest()

    def _load_line(self, number: int, line: bytes) -> None:
        frame = line.removesuffix(b"\n")
        torn = frame == line  # even if only its end is missing
        self._in_doubt |= torn
        try:
            room, own = check_entry(frame)
            tail = self._rooms.pop(room, None) or RecentMessages(self._history)
            self._rooms[room] = tail
            if own <= tail.last_id:
                raise StoreFormatError(f"its id {own} comes after {tail.last_id}")  # noqa: TRY301
        except StoreFormatError as error:
            if not torn:
                raise StoreFormatError(
                    f"{self.path}, line {number}, can't be understood: {error}. {_ADVICE}"
                ) from error
        else:
            tail.add(own, own, (frame,))

    # Writing.

    def _must_write_anew(self, more: int) -> bool:
        return (
            self._in_doubt
            or not self._is_in_place()
            or self._size + more > 2 * self._kept_size + self._limits.slack_bytes
        )

    def _is_in_place(self) -> bool:
        """Return whether the path still leads to the open file: another program may have moved it."""
        try:
            return self._descriptor is not None and os.path.samestat(os.stat(self.path), os.fstat(self._descriptor))  # noqa: PTH116  each batch asks
        except OSError:
            return False

    def _append(self, data: bytes) -> None:
        assert self._descriptor is not None  # noqa: S101  for the type: see _must_write_anew
        write_all(self._descriptor, data)
        self._size += len(data)
        self.unsynced = True

    def _write_anew(self) -> None:
        self._forget_oldest()
        data = _join_lines(frame for tail in self._rooms.values() for frame in tail.frames)
        replace_file(self.path, data)
        fresh = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC)
        if self._descriptor is not None:
            os.close(self._descriptor)
        self._descriptor = fresh
        self._size = self._kept_size = len(data)
        self._in_doubt = self.unsynced = False
        sync_folder(self.path.parent)

    def _forget_oldest(self) -> None:
        sizes = {room: sum(map(count_held_bytes, tail.frames)) for room, tail in self._rooms.items()}
        held = sum(sizes.values())
        for room, size in list(sizes.items())[:-1]:
            if len(self._rooms) <= self._limits.max_rooms and held <= self._limits.max_kept_bytes:
                break
            del self._rooms[room]
            held -= size
        self._kept_size = sum(len(frame) + 1 for tail in self._rooms.values() for frame in tail.frames)

    def _make_error(self, why: str) -> StoreReadError:
        return StoreReadError(f"{self.path} can't be used: {why}. See to its place and its permissions.")


def _join_lines(frames: Iterable[bytes]) -> bytes:
    return b"".join([frame + b"\n" for frame in frames])
