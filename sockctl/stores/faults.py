"""What goes wrong with the files of stores, each in one sentence that says which file and what to do."""

import os
from pathlib import Path

from sockctl.errors import StoreExposedError, StoreLockedError, StoreReadError, StoreWriteError
from sockctl.stores.files import exposure_of, folder_exposure_of, mending_of

__all__ = ["locked", "refuse_exposed", "refuse_replaceable", "unreadable", "unwritable"]


def unreadable(path: Path, why: str) -> StoreReadError:
    """Return the error of a file that can't be read."""
    return StoreReadError(f"{path} can't be read: {why}. See to its place and its permissions.")


def unwritable(path: Path, why: str) -> StoreWriteError:
    """Return the error of a file that can't be written."""
    return StoreWriteError(f"{path} can't be written: {why}. It is as it was; see to the disk and the permissions.")


def locked(path: Path, timeout_s: float) -> StoreLockedError:
    """Return the error of a file that another process has been changing for `timeout_s` seconds."""
    return StoreLockedError(
        f"{path} is being changed by another process for more than {timeout_s:g} s: nothing was changed. See which one "
        f"holds {path}.lock, and try again."
    )


def refuse_exposed(path: Path, status: os.stat_result) -> None:
    """Refuse a private file that others may use, or that another user owns.

    Raises:
        StoreExposedError: It is such a file; the error ends with the command that mends it.
    """
    if problem := exposure_of(status):
        raise StoreExposedError(f"{path} is not used: {problem}. {mending_of(path, status)}")


def refuse_replaceable(path: Path, *, with_companions: bool = False) -> None:
    """Refuse a private file in whose place others could put another one.

    Args:
        path: The file.
        with_companions: Whether others may not put files beside it either.

    Raises:
        StoreExposedError: They could; the error ends with the command that mends it.
    """
    if problem := folder_exposure_of(path, with_companions=with_companions):
        raise StoreExposedError(f"{path} is not used: {problem}")
