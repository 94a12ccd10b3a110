"""Files and folders for the user alone, written so that they outlast a crash, and a lock between processes."""

import contextlib
import errno
import fcntl
import os
import stat
import time
from pathlib import Path

__all__ = ["exposure_of", "make_private_folder", "sync_folder", "take_lock", "write_private_file"]

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.001, 0.02
"""How long a process waits before it tries a lock again: at first, and at most."""


def take_lock(path: str | Path, until: float) -> int:
    """Lock a file, which is made where it isn't there, and return its descriptor: closing it unlocks.

    The end of the process unlocks it, too. Blocks until the time `until` of ``time.monotonic()`` at most.

    Raises:
        BlockingIOError: Another holder has had it all the time.
        OSError: The file can't be made or locked.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    pause_s = FIRST_PAUSE_S
    try:
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if time.monotonic() >= until:
                    raise
            else:
                return descriptor
            time.sleep(pause_s)
            pause_s = min(pause_s * 2, LONGEST_PAUSE_S)
    except BaseException:
        os.close(descriptor)
        raise


def write_private_file(path: str | Path, data: bytes) -> None:
    """Write a new file (0600), in place of one that is there; when this returns, its content is on the disk.

    Raises:
        OSError: It can't be written; nothing is left of it.
    """
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)  # noqa: PTH108  the path may be text
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        view = memoryview(data)
        while view:
            view = view[os.write(descriptor, view) :]
        os.fsync(descriptor)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(path)  # noqa: PTH108  as above
        raise
    finally:
        os.close(descriptor)


def exposure_of(status: os.stat_result) -> str:
    """Return why a file is not its user's alone, such as "others may read it"; empty where it is."""
    if status.st_uid != os.geteuid():
        return "another user owns it"
    open_to_others = stat.S_IMODE(status.st_mode) & 0o077
    return f"others may use it (its mode is {stat.S_IMODE(status.st_mode):04o})" if open_to_others else ""


def make_private_folder(folder: Path) -> None:
    """Make a folder and those above it, for the user alone, so that they last: mkdir(parents=True) does neither.

    Raises:
        OSError: It can't be made.
    """
    missing = []
    while not folder.exists():
        missing.append(folder)
        folder = folder.parent
    for one in reversed(missing):
        with contextlib.suppress(FileExistsError):  # another process was quicker
            one.mkdir(0o700)
        sync_folder(one.parent)


def sync_folder(folder: Path) -> None:
    """Make it last which files are in a folder, and under which names.

    Raises:
        OSError: The disk failed.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno != errno.EINVAL:  # a file system that can't sync folders
            raise
    finally:
        os.close(descriptor)
