"""What was typed to a server, kept in a file for the next time: one entry a line, as a JSON string, the newest last.

Several clients may add at once: each does so under the file's lock. A file that has grown too long is made anew from
its newest entries. A file that can't be used is told once, and done without. The caller keeps secrets out.
"""

import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path

from sockctl.client.file_names import name_folder_of
from sockctl.errors import StoreError
from sockctl.net.address import Endpoint
from sockctl.stores.faults import convert_errors, make_write_error, refuse_unusable
from sockctl.stores.file_lock import FileLock
from sockctl.stores.files import append_lines, replace_file

FOLDER = "typed"
MAX_ENTRIES = 1_000
MAX_BYTES = 1 << 20
"""How much is kept: so many entries, and so many bytes of the file."""
MAX_ENTRY_BYTES = 32_768
"""A larger entry is not kept."""
LOCK_TIMEOUT_S = 1.0


class TypedEntries:
    """The entries for one server. Not thread-safe.

    Args:
        state_dir: Where they are kept, in the folder ``typed``.
        servers: The servers of one chat, as the user has named them.

    Attributes:
        remark: Tells the user something; the line editor sets it.
    """

    def __init__(self, state_dir: Path, servers: Sequence[Endpoint]) -> None:
        self._path = state_dir / FOLDER / f"{name_folder_of(servers)}.jsonl"
        self._lock = FileLock(self._path, LOCK_TIMEOUT_S)
        self.remark: Callable[[str], None] = lambda _: None
        self._fails = False

    def load(self) -> list[str]:
        """Return the entries, the newest first."""
        try:
            with convert_errors(self._path, make_write_error):
                descriptor = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
                try:
                    refuse_unusable(self._path, os.fstat(descriptor), private=True)
                    return [text for line in reversed(_read_newest(descriptor)) if (text := _decode(line))]
                finally:
                    os.close(descriptor)
        except StoreError as error:
            if not isinstance(error.__cause__, FileNotFoundError):
                self._do_without(error)
            return []

    def add(self, text: str) -> None:
        """Add an entry."""
        line = json.dumps(text).encode() + b"\n"
        if self._fails or len(line) > MAX_ENTRY_BYTES:
            return
        try:
            with self._lock.hold(), convert_errors(self._path, make_write_error):
                self._append(line)
        except StoreError as error:
            self._do_without(error)

    def _append(self, line: bytes) -> None:
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
        descriptor = os.open(self._path, flags, 0o600)
        try:
            status = os.fstat(descriptor)
            refuse_unusable(self._path, status, private=True)
            append_lines(descriptor, line)
            newest = _read_newest(descriptor) if status.st_size > MAX_BYTES else []
        finally:
            os.close(descriptor)
        if newest:
            replace_file(self._path, b"".join(newest))

    def _do_without(self, error: StoreError) -> None:
        self._fails = True
        self.remark(f"What you type isn't kept for the next time: {error}")


def _read_newest(descriptor: int) -> list[bytes]:
    """Return the lines that are kept, the oldest first."""
    size = os.fstat(descriptor).st_size
    start = max(0, size - MAX_BYTES // 2)
    lines = os.pread(descriptor, size - start, start).splitlines(keepends=True)
    return lines[1 if start else 0 :][-MAX_ENTRIES:]


def _decode(line: bytes) -> str:
    """Return the entry in a line; nothing where it is none."""
    try:
        text = json.loads(line)
    except ValueError:
        return ""
    return text if isinstance(text, str) else ""
