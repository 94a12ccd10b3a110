"""Files and folders for the user alone, written so that they survive a crash, and a lock between processes.

A file with a secret is exposed if another user may read, change or replace it. So these functions check the owner and
the mode of the file, and of all folders above it, as OpenSSH does (sshd_config, StrictModes).
"""

import contextlib
import errno
import fcntl
import os
import pwd
import shlex
import stat
import time
from pathlib import Path

from sockctl.terminal import write_all
from sockctl.text import make_visible

FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.001, 0.02
"""The pause before a process tries a lock again: the first one, and the longest."""


def take_lock(path: str | Path, until: float) -> int:
    """Lock a file, and return its descriptor, which unlocks the file when it is closed; create a missing file.

    The end of the process unlocks it, too. Blocks until the time `until` of ``time.monotonic()`` at most.

    Raises:
        BlockingIOError: Another process has held the lock all the time.
        OSError: The file can't be created or locked.
    """
    return _lock(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600), until)


def take_folder_lock(folder: str | Path, until: float) -> int:
    """As `take_lock`, for a folder itself, in which no file is made.

    Raises:
        BlockingIOError: Another process has held the lock all the time.
        OSError: The folder can't be read.
    """
    return _lock(os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC), until)


def _lock(descriptor: int, until: float) -> int:
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
    """Write a new file (0600) to the disk, in place of an old one.

    Raises:
        OSError: The file can't be written; no part of it remains.
    """
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)  # noqa: PTH108  the path may be text
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        write_all(descriptor, data)
        os.fsync(descriptor)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(path)  # noqa: PTH108  as above
        raise
    finally:
        os.close(descriptor)


def append_lines(descriptor: int, lines: bytes) -> int:
    """Append whole lines to an open file, below a line whose writer was killed in the middle; return the file's size.

    Raises:
        OSError: They can't be written; the file is as it was.
    """
    size = os.fstat(descriptor).st_size
    if size and os.pread(descriptor, 1, size - 1) != b"\n":
        lines = b"\n" + lines
    os.lseek(descriptor, size, os.SEEK_SET)
    try:
        write_all(descriptor, lines)
    except OSError:
        os.ftruncate(descriptor, size)
        raise
    return size + len(lines)


def replace_file(path: str | Path, data: bytes) -> None:
    """Replace a file by new content, at once, by way of FILE.tmp, which no other thread or process may use meanwhile.

    The new name survives a crash once `sync_folder` has returned.

    Raises:
        OSError: The content can't be written; the file is as it was, and FILE.tmp is gone.
    """
    temporary = f"{path}.tmp"  # replaces the one that a killed writer left there
    try:
        write_private_file(temporary, data)
        os.replace(temporary, path)  # noqa: PTH105  the path may be text
    except OSError:
        with contextlib.suppress(OSError):
            os.unlink(temporary)  # noqa: PTH108  as above
        raise


def find_exposure(status: os.stat_result, *, roots_too: bool = False) -> str:
    """Return how a file is exposed, such as "another user owns it"; empty if it is not.

    Args:
        status: The file's.
        roots_too: Whether root may own it, and its group may read it: servers get their keys so, in /etc/ssl/private.
    """
    mode, user = stat.S_IMODE(status.st_mode), os.geteuid()
    of_root = roots_too and status.st_uid == 0 != user
    if status.st_uid != user and not of_root:
        return "another user owns it"
    return f"others may use it (its mode is {mode:04o})" if mode & (0o037 if of_root else 0o077) else ""


def describe_mending(path: str | Path, status: os.stat_result) -> str:
    """Return the sentence that says how to mend an exposed file; it ends with the command."""
    chown = f"chown {_find_user_name()} {_quote(path)} && " if status.st_uid != os.geteuid() else ""
    return f"See who could have read or changed it, then: {chown}chmod 600 {_quote(path)}"


def find_folder_exposure(path: str | Path, *, with_companions: bool = False) -> str:
    """Return why other users could replace the file `path`, and how to mend that; empty if they can't.

    Each folder above it must belong to the user or to root, and be writable for the owner alone. A sticky folder, such
    as /tmp, may be writable for all: no user can replace another user's files there.

    Args:
        path: The file.
        with_companions: Whether files beside it count for its content: then its own folder may not be sticky, either.
    """
    folder = os.path.realpath(path)
    while folder != (folder := os.path.dirname(folder)):  # noqa: PTH120  each reading of a file calls this
        companions, with_companions = with_companions, False
        try:
            status = os.stat(folder)  # noqa: PTH116  as above
        except OSError:
            continue  # it is missing, or closed to this user: reading the file will fail and say so
        mode = stat.S_IMODE(status.st_mode)
        if status.st_uid not in (0, os.geteuid()):
            mending = f"chown {_find_user_name()} {_quote(folder)}"
            return f"another user owns {make_visible(folder)}. Choose another place, or: {mending}"
        if mode & 0o022 and not mode & stat.S_ISVTX:
            return (
                f"others may write to {make_visible(folder)} (its mode is {mode:04o}). See who could have replaced "
                f"something there, then: chmod go-w {_quote(folder)}"
            )
        if companions and mode & 0o022:
            why = f"others may put files beside it in {make_visible(folder)} (its mode is {mode:04o})"
            return f"{why}. Choose another place."
    return ""


def _find_user_name() -> str:
    try:
        return pwd.getpwuid(os.geteuid()).pw_name
    except KeyError:
        return str(os.geteuid())


def _quote(path: str | Path) -> str:
    return shlex.quote(make_visible(str(path)))


def make_private_folder(folder: Path) -> None:
    """Create a folder and those above it, for the user alone, and sync them; mkdir(parents=True) does neither.

    Raises:
        OSError: A folder can't be created.
    """
    missing = []
    while not folder.exists():
        missing.append(folder)
        folder = folder.parent
    for one in reversed(missing):
        with contextlib.suppress(FileExistsError):  # another process has just created it
            one.mkdir(0o700)
        sync_folder(one.parent)


def sync_folder(folder: Path) -> None:
    """Sync a folder, so that the names of its files survive a crash of the system.

    Raises:
        OSError: The disk failed.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno != errno.EINVAL:  # a file system that can't sync folders gives this one
            raise
    finally:
        os.close(descriptor)
