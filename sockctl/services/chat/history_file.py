"""The last messages of each room, in memory and in ``chat-history.jsonl``: one message a line (see `history_entry`).

What is said is appended. Once the file has about twice what is kept, it is written anew from memory, beside the old
one and then in its place, so that a killed process leaves one or the other. The same mends a file that is in doubt:
after a write that failed half-way, or where the last line is torn. A process that is killed while it appends leaves
whole lines and at most one torn one, the last.

One server at a time has the file: it holds a lock on ``chat-history.jsonl.lock``.
"""

import contextlib
import os
import stat
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType

from sockctl.errors import StoreError, StoreFormatError, StoreLockedError, StoreReadError
from sockctl.services.chat.history_entry import read_entry
from sockctl.services.chat.room_tail import RecentMessages, held_bytes
from sockctl.stores.faults import refuse_exposed
from sockctl.stores.files import make_private_folder, replace_file, sync_folder, take_lock
from sockctl.terminal import write_all

__all__ = ["HistoryFile"]

FILE_NAME = "chat-history.jsonl"
SLACK_BYTES = 64 * 1024
"""What the file may hold beyond twice what was kept when it was written last."""
MAX_KEPT_BYTES = 64 * 1024 * 1024
MAX_ROOMS = 1_000
"""How much is kept of how many rooms: the rooms in which nothing was said for longest are forgotten first."""
LOCK_TIMEOUT_S = 2.0
"""How long a start waits for a server that is just ending."""
_ADVICE = "It was left as it is: mend it, or move it away to begin anew."


class HistoryFile:
    """The history on disk. One thread at a time may use it; it blocks as long as the disk does.

    Args:
        data_dir: Where the file is; both are made when they aren't there.
        history: How many messages of each room are kept.
    """

    def __init__(self, data_dir: Path, *, history: int) -> None:
        self.path = Path(os.path.realpath(data_dir / FILE_NAME))  # a link stays a link
        self._history = history
        self._rooms: dict[str, RecentMessages] = {}  # the one in which something was said last comes last
        self._lock_descriptor: int | None = None
        self._descriptor: int | None = None
        self._size = 0  # of the file
        self._kept_size = 0  # of what is kept, when it was counted last
        self._in_doubt = True  # the file must be written anew
        self._fresh: list[bytes] = []  # what is to be appended
        self._behind = 0
        self.unsynced = False

    def open(self) -> Mapping[str, RecentMessages]:
        """Take the file's lock, and return what the file has of each room, which must not be changed.

        Raises:
            StoreLockedError: Another server has it.
            StoreReadError: It can't be read, or isn't the user's alone.
            StoreFormatError: A line other than a torn last one can't be understood; the file was left as it is.
        """
        try:
            make_private_folder(self.path.parent)
            self._lock_descriptor = take_lock(f"{self.path}.lock", time.monotonic() + LOCK_TIMEOUT_S)
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
            raise self._unusable(error.strerror or str(error)) from error
        except StoreError:
            self.close()
            raise
        return self._rooms

    @property
    def behind(self) -> int:
        """How many messages that are to be kept are not in the file."""
        return min(self._behind, sum(len(tail.frames) for tail in self._rooms.values()))

    def add(self, said: Mapping[str, RecentMessages], remembered: Mapping[str, int] = MappingProxyType({})) -> None:
        """Take what was said in each room; `write` writes it.

        Args:
            said: What was said in each room.
            remembered: How many messages of a room are still remembered, where these are fewer than might be.
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
        """Write what is not in the file yet. What fails is written by the next call that succeeds.

        Raises:
            OSError: It can't be written.
        """
        if not self._behind:
            return
        data = _lines(self._fresh)
        self._fresh = []
        try:
            if self._must_begin_anew(len(data)):
                self._write_anew()
            else:
                self._append(data)
        except OSError:
            self._in_doubt = True
            raise
        self._behind = 0

    def sync(self) -> None:
        """Let what was appended outlast a crash of the system.

        Raises:
            OSError: It can't be: `write` will write it all again.
        """
        if self._descriptor is None or not self.unsynced:
            return
        self.unsynced = False
        try:
            os.fsync(self._descriptor)
        except OSError:
            self._in_doubt = True  # what the system still had of it may be gone
            self._behind = max(self._behind, 1)
            raise

    def close(self) -> None:
        """Free what is held."""
        for descriptor in (self._descriptor, self._lock_descriptor):
            if descriptor is not None:
                os.close(descriptor)
        self._descriptor = self._lock_descriptor = None

    # Reading.

    def _load(self, descriptor: int) -> None:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise self._unusable("it is no regular file")
        refuse_exposed(self.path, status)
        self._size = status.st_size
        self._in_doubt = False
        with open(descriptor, "rb", closefd=False) as file:
            for number, line in enumerate(file, 1):
                self._load_line(number, line)
        self._forget_oldest()

    def _load_line(self, number: int, line: bytes) -> None:
        frame = line.removesuffix(b"\n")
        torn = frame == line  # it may be whole but for its end, which is wanting all the same
        self._in_doubt |= torn
        try:
            room, own = read_entry(frame)
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

    def _must_begin_anew(self, more: int) -> bool:
        return self._in_doubt or not self._is_in_place() or self._size + more > 2 * self._kept_size + SLACK_BYTES

    def _is_in_place(self) -> bool:
        """Return whether the file that is appended to is still the one of that name: somebody may have moved it."""
        try:
            return self._descriptor is not None and os.path.samestat(os.stat(self.path), os.fstat(self._descriptor))  # noqa: PTH116  as below
        except OSError:
            return False

    def _append(self, data: bytes) -> None:
        assert self._descriptor is not None  # noqa: S101  for the type: see _must_begin_anew
        write_all(self._descriptor, data)
        self._size += len(data)
        self.unsynced = True

    def _write_anew(self) -> None:
        self._forget_oldest()
        data = _lines(frame for tail in self._rooms.values() for frame in tail.frames)
        replace_file(self.path, data)
        fresh = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC)
        if self._descriptor is not None:
            os.close(self._descriptor)
        self._descriptor = fresh
        self._size = self._kept_size = len(data)
        self._in_doubt = self.unsynced = False
        sync_folder(self.path.parent)

    def _forget_oldest(self) -> None:
        sizes = {room: sum(map(held_bytes, tail.frames)) for room, tail in self._rooms.items()}
        held = sum(sizes.values())
        for room, size in list(sizes.items())[:-1]:
            if len(self._rooms) <= MAX_ROOMS and held <= MAX_KEPT_BYTES:
                break
            del self._rooms[room]
            held -= size
        self._kept_size = sum(len(frame) + 1 for tail in self._rooms.values() for frame in tail.frames)

    def _unusable(self, why: str) -> StoreReadError:
        return StoreReadError(f"{self.path} can't be used: {why}. See to its place and its permissions.")


def _lines(frames: Iterable[bytes]) -> bytes:
    return b"".join([frame + b"\n" for frame in frames])
