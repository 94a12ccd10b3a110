"""One JSON file that several processes and threads read and change, and that no crash can spoil.

A change takes the lock, reads the file afresh, writes a temporary file beside it, and puts that in the file's place:

    lock (flock on FILE.lock) → read → write FILE.tmp → fsync → rename onto FILE → fsync of the folder → unlock

So a reader sees the old content or the new one, whole; a writer that is killed leaves the old one; two writers never
start from the same content; and when a change has returned, it is on the disk. A file that can't be understood is
refused, and never overwritten: whoever wrote it may mend it.
"""

import contextlib
import copy
import errno
import fcntl
import json
import os
import stat
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from sockctl.errors import StoreFormatError, StoreLockedError, StoreReadError, StoreWriteError

__all__ = ["Content", "JsonStore"]

Content = dict[str, Any]

MAX_BYTES = 64 * 1024 * 1024
"""A larger file is none of ours."""
LOCK_TIMEOUT_S = 10.0
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.001, 0.02
"""How long a process waits before it tries the lock again: at first, and at most."""
TICK_NS = 50_000_000
"""A file changed more recently than that is read again, however it looks."""
_ADVICE = "It was left as it is: mend it, or move it away to begin anew."


class JsonStore:
    """A JSON file. Any thread may use it; other processes may use the file at the same time.

    Args:
        path: The file; it and its folder are made at the first change.
        version: The version of the content's form, kept in the file beside it.
        empty: Returns what a file that isn't there stands for.
        check: Raises StoreFormatError, saying where, if content (without the version) is not of the right form.
        lock_timeout_s: Seconds that a change waits for another process to end its own.
    """

    def __init__(
        self,
        path: Path,
        *,
        version: int,
        empty: Callable[[], Content],
        check: Callable[[Content], None],
        lock_timeout_s: float = LOCK_TIMEOUT_S,
    ) -> None:
        self._path = Path(os.path.realpath(path))  # a link stays a link: what it points to is replaced
        self._version = version
        self._empty = empty
        self._check = check
        self._lock_timeout_s = lock_timeout_s
        self._changing = threading.Lock()  # held while a thread changes the file: the others queue here, and poll not
        self._cache_lock = threading.Lock()  # guards the two below
        self._signature: tuple[int, ...] | None = None
        self._cached: Content = {}

    def read(self) -> Content:
        """Return the content as it is now; it must not be changed. Costs one stat() where the file hasn't changed.

        Raises:
            StoreReadError: The file can't be read.
            StoreFormatError: It can't be understood.
        """
        signature = self._signature_now()
        with self._cache_lock:
            if signature is not None and signature == self._signature:
                return self._cached
        content, signature = self._load()
        with self._cache_lock:
            self._cached, self._signature = content, signature
        return content

    @contextlib.contextmanager
    def update(self) -> Iterator[Content]:
        """Give the content to be changed, and write it at the end; at an exception nothing is written.

        When it has returned, the change is on the disk. What is in the way of that leaves the file as it was.

        Raises:
            StoreLockedError: Another process has held the lock all the time.
            StoreReadError: The file can't be read.
            StoreFormatError: It can't be understood, or the new content is not of the right form.
            StoreWriteError: It can't be written.
        """
        until = time.monotonic() + self._lock_timeout_s
        if not self._changing.acquire(timeout=self._lock_timeout_s):
            raise self._locked()
        try:
            with self._file_lock(until):
                before, _ = self._load()
                content = copy.deepcopy(before)
                yield content
                if content != before:
                    self._check(content)
                    self._write(content)
        finally:
            self._changing.release()

    # Reading.

    def _signature_now(self) -> tuple[int, ...] | None:
        try:
            return _signature_of(os.stat(self._path))  # noqa: PTH116  a Path makes it slower, and it is asked often
        except OSError:
            return None  # not there, or in the way: reading will tell

    def _load(self) -> tuple[Content, tuple[int, ...] | None]:
        """Return the content, and the signature of the file that it was read from."""
        try:
            # A pipe in the file's place would block without O_NONBLOCK.
            descriptor = os.open(self._path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except FileNotFoundError:
            return self._empty(), None
        except OSError as error:
            raise self._unreadable(error.strerror or str(error)) from error
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise self._unreadable("it is no regular file")
            with open(descriptor, "rb", closefd=False) as file:
                data = file.read(MAX_BYTES + 1)
        except OSError as error:
            raise self._unreadable(error.strerror or str(error)) from error
        finally:
            os.close(descriptor)
        if len(data) > MAX_BYTES:
            raise self._malformed(f"has more than {MAX_BYTES:,} bytes")
        return self._understood(data), _signature_of(status)

    def _understood(self, data: bytes) -> Content:
        document = self._parsed(data)
        if type(document) is not dict:
            raise self._malformed("holds JSON, but no object")
        version = document.pop("version", None)
        if type(version) is not int or version < 1:
            raise self._malformed('has no "version", a whole number from 1 on')
        if version > self._version:
            raise StoreFormatError(
                f"{self._path} was written by a newer sockctl (version {version}, this one knows up to "
                f"{self._version}): update sockctl. It was left as it is."
            )
        try:
            self._check(document)
        except StoreFormatError as error:
            raise self._malformed(f"is not of the right form: {error}") from error
        return document

    def _parsed(self, data: bytes) -> Any:
        try:
            text = data.decode()
        except UnicodeDecodeError as error:
            raise self._malformed(f"is not UTF-8 at byte {error.start}") from error
        try:
            return json.loads(text, object_pairs_hook=_object, parse_constant=_refuse_constant)
        except json.JSONDecodeError as error:
            raise self._malformed(f"is no JSON at line {error.lineno}, column {error.colno}: {error.msg}") from error
        except RecursionError as error:
            raise self._malformed("is nested too deeply") from error
        except ValueError as error:
            raise self._malformed(f"is no JSON: {error}") from error

    # Changing.

    @contextlib.contextmanager
    def _file_lock(self, until: float) -> Iterator[None]:
        path = f"{self._path}.lock"
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
        except OSError as error:
            raise self._unwritable(error) from error
        try:
            pause_s = FIRST_PAUSE_S
            while not self._takes(descriptor):
                if time.monotonic() >= until:
                    raise self._locked()
                time.sleep(pause_s)
                pause_s = min(pause_s * 2, LONGEST_PAUSE_S)
            yield
        finally:
            os.close(descriptor)  # which unlocks it, as the end of the process does

    def _takes(self, descriptor: int) -> bool:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError as error:
            raise self._unwritable(error) from error
        return True

    def _write(self, content: Content) -> None:
        document = {"version": self._version, **content}
        data = (json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode()
        temporary = f"{self._path}.tmp"  # under the lock nobody else uses it; what a killed writer left goes
        try:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(temporary)  # noqa: PTH108
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW
            descriptor = os.open(temporary, flags, 0o600)
            try:
                _write_all(descriptor, data)
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            os.replace(temporary, self._path)  # noqa: PTH105
        except OSError as error:
            with contextlib.suppress(OSError):
                os.unlink(temporary)  # noqa: PTH108
            raise self._unwritable(error) from error
        self._sync_folder()

    def _sync_folder(self) -> None:
        """Make the renaming itself last."""
        try:
            descriptor = os.open(self._path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
        except OSError as error:
            if error.errno == errno.EINVAL:
                return  # a file system that can't sync folders
            raise StoreWriteError(
                f"{self._path} was changed, but it is not sure that the change outlasts a crash of the system: "
                f"{error.strerror}. Check the disk."
            ) from error

    # What goes wrong.

    def _unreadable(self, why: str) -> StoreReadError:
        return StoreReadError(f"{self._path} can't be read: {why}. See to its place and its permissions.")

    def _malformed(self, what: str) -> StoreFormatError:
        return StoreFormatError(f"{self._path} {what}. {_ADVICE}")

    def _unwritable(self, error: OSError) -> StoreWriteError:
        return StoreWriteError(
            f"{self._path} can't be written: {error.strerror}. It is as it was; see to the disk and the permissions."
        )

    def _locked(self) -> StoreLockedError:
        return StoreLockedError(
            f"{self._path} is being changed by another process for more than {self._lock_timeout_s:g} s: nothing was "
            f"changed. See which one holds {self._path}.lock, and try again."
        )


def _signature_of(status: os.stat_result) -> tuple[int, ...] | None:
    """Return what changes when the file is replaced or written to; None where the next change might not show.

    A file system's clock ticks in milliseconds, and an inode's number may be used again: two changes in one tick could
    look like none.
    """
    if time.time_ns() - status.st_mtime_ns < TICK_NS:
        return None
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"an object has the key {twice!r} twice")
    return made


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is no number of JSON's")


def _write_all(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]
