"""The errors of the stores: each sentence names the file, and says what to do."""

import contextlib
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

from sockctl.errors import StoreError, StoreExposedError, StoreLockedError, StoreReadError, StoreWriteError
from sockctl.stores.files import describe_mending, find_exposure, find_folder_exposure


def make_read_error(path: Path, why: str) -> StoreReadError:
    """Return the error of a file that can't be read."""
    return StoreReadError(f"{path} can't be read: {why}. See to its place and its permissions.")


def make_write_error(path: Path, why: str) -> StoreWriteError:
    """Return the error of a file that can't be written."""
    return StoreWriteError(f"{path} can't be written: {why}. It is as it was; see to the disk and the permissions.")


def make_lock_error(path: Path, timeout_s: float) -> StoreLockedError:
    """Return the error of a file that another process has been changing for `timeout_s` seconds."""
    return StoreLockedError(
        f"{path} is being changed by another process for more than {timeout_s:g} s: nothing was changed. See which one "
        f"holds {path}.lock, and try again."
    )


@contextlib.contextmanager
def convert_errors(path: Path, error_of: Callable[[Path, str], StoreError]) -> Iterator[None]:
    """Turn an OSError of the block into an error of the stores, which `error_of` makes."""
    try:
        yield
    except OSError as error:
        raise error_of(path, error.strerror or str(error)) from error


def refuse_unusable(path: Path, status: os.stat_result, *, private: bool) -> None:
    """Refuse a file that is no regular file, and a private file that is exposed.

    Raises:
        StoreReadError: The file is no regular file.
        StoreExposedError: Other users may read or replace the file.
    """
    if not stat.S_ISREG(status.st_mode):
        raise make_read_error(path, "it is no regular file")
    if private:
        refuse_exposed(path, status)


def refuse_exposed(path: Path, status: os.stat_result) -> None:
    """Refuse a private file that other users may read or write, or that another user owns.

    Raises:
        StoreExposedError: It is such a file; the error ends with the command that mends it.
    """
    if problem := find_exposure(status):
        raise StoreExposedError(f"{path} is not used: {problem}. {describe_mending(path, status)}")


def refuse_replaceable(path: Path, *, with_companions: bool = False) -> None:
    """Refuse a private file that other users could replace.

    Args:
        path: The file.
        with_companions: Whether to refuse it also if other users could put files beside it.

    Raises:
        StoreExposedError: Other users could do so; the error ends with the command that mends it.
    """
    if problem := find_folder_exposure(path, with_companions=with_companions):
        raise StoreExposedError(f"{path} is not used: {problem}")
