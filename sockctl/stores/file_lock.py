"""The lock of a store's file: one thread of one process at a time holds it, to change the file."""

import contextlib
import os
import threading
from collections.abc import Iterator
from pathlib import Path

from sockctl.deadline import Deadline
from sockctl.stores.faults import convert_errors, make_lock_error, make_write_error
from sockctl.stores.files import make_private_folder, take_lock


class FileLock:
    """The lock ``FILE.lock`` of a file. Any thread may use it.

    Args:
        path: The file; the first lock creates its folder.
        timeout_s: Seconds that `hold` waits for other threads and processes.
    """

    def __init__(self, path: Path, timeout_s: float) -> None:
        self._path = path
        self._timeout_s = timeout_s
        self._changing = threading.Lock()  # held with the file's lock: this process's other threads queue here

    @contextlib.contextmanager
    def hold(self, timeout_s: float | None = None) -> Iterator[None]:
        """Hold the lock inside the block. Waits for `timeout_s` at most; None means the timeout of the constructor.

        Raises:
            StoreLockedError: Another thread or process has held the lock all the time.
            StoreWriteError: The lock file can't be created.
        """
        timeout_s = self._timeout_s if timeout_s is None else timeout_s
        until = Deadline.after(timeout_s)
        if not self._changing.acquire(timeout=timeout_s):
            raise make_lock_error(self._path, timeout_s)
        try:
            with convert_errors(self._path, make_write_error):
                make_private_folder(self._path.parent)
                try:
                    descriptor = take_lock(f"{self._path}.lock", until)
                except BlockingIOError as error:
                    raise make_lock_error(self._path, timeout_s) from error
            try:
                yield
            finally:
                os.close(descriptor)  # unlocks the file, as the end of the process does
        finally:
            self._changing.release()
