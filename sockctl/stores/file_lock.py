"""The lock of a store's file, which one process has at a time while it changes the file."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from sockctl.stores.faults import convert_errors, make_lock_error, make_write_error
from sockctl.stores.files import make_private_folder, take_lock

__all__ = ["file_lock"]


@contextlib.contextmanager
def file_lock(path: Path, until: float, timeout_s: float) -> Iterator[None]:
    """Hold the lock ``FILE.lock`` of a file; its folder is made where it isn't there. Blocks.

    Args:
        path: The file.
        until: When to give up, on the monotonic clock.
        timeout_s: In how many seconds that is, for the error.

    Raises:
        StoreLockedError: Another process has had the lock all the time.
        StoreWriteError: The lock can't be made.
    """
    with convert_errors(path, make_write_error):
        make_private_folder(path.parent)
        try:
            descriptor = take_lock(f"{path}.lock", until)
        except BlockingIOError as error:
            raise make_lock_error(path, timeout_s) from error
    try:
        yield
    finally:
        os.close(descriptor)  # which unlocks it, as the end of the process does
