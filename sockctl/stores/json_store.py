"""One JSON file that several processes and threads read and change, and that no crash can spoil.

A change takes the lock, reads the file afresh, writes a temporary file beside it, and puts that in the file's place:

    lock (flock on FILE.lock) → read → write FILE.tmp → fsync → rename onto FILE → fsync of the folder → unlock

So a reader sees the whole old content or the whole new one; a killed writer leaves the old one; two writers never start
from the same content; and `update` returns only when the change is on the disk. The store refuses a file of a wrong
form, and never overwrites it: its author may mend it.

A running server goes on with the last good content if a user spoils the file (`on_bad`).
"""

import contextlib
import json
import math
import os
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from sockctl.errors import StoreError, StoreFormatError, StoreWriteError
from sockctl.stores.faults import (
    convert_errors,
    make_read_error,
    make_write_error,
    refuse_replaceable,
    refuse_unusable,
)
from sockctl.stores.file_lock import FileLock
from sockctl.stores.files import replace_file, sync_folder

Content = dict[str, Any]

MAX_BYTES = 64 * 1024 * 1024
"""The store neither reads nor writes a larger file, which can't be sockctl's."""
LOCK_TIMEOUT_S = 10.0
TICK_NS = 50_000_000
"""The age at which a changed file counts as settled; until then, each `read` reads it again, even if it looks the same.

A file system's clock ticks in milliseconds, and a new file may get an old inode's number: two changes in one tick could
look like none.
"""
_ADVICE = "It was left as it is: mend it, or move it away to begin anew."


class JsonStore:
    """A JSON file. Any thread may use it; other processes may use the file at the same time.

    Args:
        path: The file; the first change creates it and its folder.
        version: The version of the content's form, saved beside it.
        empty: Returns the content that stands for a missing file.
        check: Refuses content (without the version) of a wrong form: see `schema`.
        lock_timeout_s: Seconds that a change waits for another process's change.
        private: Whether to refuse a file that others may read, write or replace, or that another user owns.
        max_bytes: The size of the largest file to read or write.
        on_bad: Called, by any thread, once for each new reason why the file can't be read any more. With it, `read`
            goes on with the last good content.
    """

    def __init__(
        self,
        path: Path,
        *,
        version: int,
        empty: Callable[[], Content],
        check: Callable[[Content], None],
        lock_timeout_s: float = LOCK_TIMEOUT_S,
        private: bool = False,
        max_bytes: int = MAX_BYTES,
        on_bad: Callable[[StoreError], None] | None = None,
    ) -> None:
        self._path = Path(os.path.realpath(path))  # a link stays a link: `update` replaces its target
        self._version = version
        self._empty = empty
        self._check = check
        self._lock = FileLock(self._path, lock_timeout_s)
        self._private = private
        self._max_bytes = max_bytes
        self._on_bad = on_bad
        self._cache_lock = threading.Lock()  # guards the three below
        self._signature: tuple[int, ...] | None = None
        self._cached: Content | None = None  # the last good content
        self._told = ""  # why the file can't be read now

    def read(self) -> Content:
        """Return the content as it is now; the caller must not change it. Costs one stat() for an unchanged file.

        Raises:
            StoreReadError: The file can't be read; with `on_bad`, only if it never could.
            StoreFormatError: The file is of a wrong form; with `on_bad`, only if it always was.
        """
        signature = self._read_signature()
        with self._cache_lock:
            if self._cached is not None and signature is not None and signature == self._signature:
                return self._cached
        try:
            content, signature = self._load()
        except StoreError as error:
            return self._fall_back(error)
        with self._cache_lock:
            self._cached, self._signature, self._told = content, signature, ""
        return content

    @contextlib.contextmanager
    def update(self, *, lock_timeout_s: float | None = None) -> Iterator[Content]:
        """Give the block the content to change, and write it to the disk afterwards, unless the block raises.

        After an error the file is as it was.

        Args:
            lock_timeout_s: Seconds that this change waits for others; None for those of the constructor.

        Raises:
            StoreLockedError: Another process has held the lock all the time.
            StoreReadError: The file can't be read.
            StoreFormatError: The file or the new content is of a wrong form.
            StoreWriteError: The file can't be written, or would be larger than `max_bytes`.
        """
        with self._lock.hold(lock_timeout_s):
            content, _ = self._load()
            before = self._encode(content)  # text, not values: to Python 1 == True, and order doesn't count
            yield content
            if self._encode(content) != before:
                self._check_new(content)
                self._write(content)

    # Reading.

    def _fall_back(self, error: StoreError) -> Content:
        """Return the last good content, and report a new reason; without `on_bad`, raise the error."""
        with self._cache_lock:
            good, is_new = self._cached, str(error) != self._told
            self._told = str(error)
            self._signature = None  # so that `read` reads a file that gets its old look again
        if self._on_bad is None or good is None:
            raise error
        if is_new:
            self._on_bad(error)
        return good

    def _read_signature(self) -> tuple[int, ...] | None:
        try:
            return _make_signature(os.stat(self._path))  # noqa: PTH116  a Path makes this frequent call slower
        except OSError:
            return None  # the file is missing or can't be reached: reading it will fail and say so

    def _load(self) -> tuple[Content, tuple[int, ...] | None]:
        """Return the content, and the signature of its file; None while a change might not show."""
        if self._private:
            refuse_replaceable(self._path)
        with convert_errors(self._path, make_read_error):
            try:
                # A pipe in the file's place would block without O_NONBLOCK.
                descriptor = os.open(self._path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
            except FileNotFoundError:
                return self._empty(), None
            try:
                now_ns = time.time_ns()  # before reading, which may take longer than a tick
                status = os.fstat(descriptor)
                refuse_unusable(self._path, status, private=self._private)
                with open(descriptor, "rb", closefd=False) as file:
                    data = file.read(self._max_bytes + 1)
            finally:
                os.close(descriptor)
        if len(data) > self._max_bytes:
            raise self._make_format_error(f"has more than {self._max_bytes:,} bytes")
        settled = now_ns - status.st_mtime_ns >= TICK_NS
        return self._decode(data), _make_signature(status) if settled else None

    def _decode(self, data: bytes) -> Content:
        document = self._parse(data)
        if type(document) is not dict:
            raise self._make_format_error("holds JSON, but no object")
        version = document.pop("version", None)
        if type(version) is not int or version < 1:
            raise self._make_format_error('has no "version", a whole number from 1 on')
        if version > self._version:
            raise StoreFormatError(
                f"{self._path} was written by a newer sockctl (version {version}, this one knows up to "
                f"{self._version}): update sockctl. It was left as it is."
            )
        try:
            self._check(document)
        except StoreFormatError as error:
            raise self._make_format_error(f"is not of the right form: {error}") from error
        return document

    def _parse(self, data: bytes) -> Any:
        try:
            text = data.decode()
        except UnicodeDecodeError as error:
            raise self._make_format_error(f"is not UTF-8 at byte {error.start}") from error
        try:
            return json.loads(
                text, object_pairs_hook=_build_object, parse_constant=_refuse_constant, parse_float=_parse_float
            )
        except StoreFormatError as error:
            raise self._make_format_error(f"is no JSON: {error}") from error
        except json.JSONDecodeError as error:
            raise self._make_format_error(
                f"is no JSON at line {error.lineno}, column {error.colno}: {error.msg}"
            ) from error
        except RecursionError as error:
            raise self._make_format_error("is nested too deeply") from error
        except ValueError as error:  # Python's limit on the digits of an int
            raise self._make_format_error("holds a whole number of far too many digits") from error

    # Changing.

    def _check_new(self, content: Content) -> None:
        if "version" in content:
            raise self._make_content_error('"version" is the store\'s own key')
        try:
            self._check(content)
        except StoreFormatError as error:
            raise self._make_content_error(f"it is not of the right form: {error}") from error

    def _encode(self, content: Content, *, indent: int | None = None) -> bytes:
        try:
            return json.dumps(content, indent=indent, ensure_ascii=False, allow_nan=False).encode()
        except RecursionError as error:
            raise self._make_content_error("it is nested too deeply") from error
        except UnicodeEncodeError as error:
            raise self._make_content_error("a text in it holds half a character (a lone surrogate)") from error
        except (TypeError, ValueError) as error:
            raise self._make_content_error(f"it is no JSON: {error}") from error

    def _write(self, content: Content) -> None:
        data = self._encode({"version": self._version, **content}, indent=2) + b"\n"
        if len(data) > self._max_bytes:
            raise StoreWriteError(
                f"{self._path} would have more than {self._max_bytes:,} bytes, and could not be read any more. It is "
                f"as it was: remove something from it first."
            )
        with convert_errors(self._path, make_write_error):
            replace_file(self._path, data)
        self._sync_folder()

    def _sync_folder(self) -> None:
        """Let the new name survive a crash."""
        try:
            sync_folder(self._path.parent)
        except OSError as error:
            raise StoreWriteError(
                f"{self._path} was changed, but it is not sure that the change outlasts a crash of the system: "
                f"{error.strerror}. Check the disk."
            ) from error

    # What goes wrong.

    def _make_format_error(self, what: str) -> StoreFormatError:
        return StoreFormatError(f"{self._path} {what}. {_ADVICE}")

    def _make_content_error(self, why: str) -> StoreFormatError:
        return StoreFormatError(f"{self._path} can't take its new content: {why}. It was left as it is.")


def _make_signature(status: os.stat_result) -> tuple[int, ...]:
    """Return the values that change when a process replaces, writes or opens the file to others."""
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_mode, status.st_uid


def _build_object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                raise StoreFormatError(f"an object has the key {name!r} twice")
            seen.add(name)
    return made


def _refuse_constant(name: str) -> Any:
    raise StoreFormatError(f"{name} is no number of JSON's")


def _parse_float(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise StoreFormatError("a number in it is too large")
    return number
