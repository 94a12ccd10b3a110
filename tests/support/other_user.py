"""Another user of this machine, as which root's tests look at files and ports; without root they are skipped."""

import os
import pwd
import warnings
from collections.abc import Callable

import pytest

OTHER_UID = 65_534
"""Nobody, or at least no user that has anything here."""
OTHER_NAME = pwd.getpwuid(OTHER_UID).pw_name if any(one.pw_uid == OTHER_UID for one in pwd.getpwall()) else "65534"

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root may act as another user")


def as_other_user(call: Callable[[], str]) -> str:
    """Call `call` as that other user, in a process of its own, and return its result, 64 KiB at most."""
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # a fork beside threads: the child takes no lock of theirs
        child = os.fork()
    if not child:
        try:
            os.setgroups([])
            os.setresgid(OTHER_UID, OTHER_UID, OTHER_UID)
            os.setresuid(OTHER_UID, OTHER_UID, OTHER_UID)
            os.write(writing, call().encode())
        except BaseException as error:  # noqa: BLE001  whatever it is, the test is to see it
            os.write(writing, f"{type(error).__name__}: {error}".encode())
        finally:
            os._exit(0)
    os.close(writing)
    try:
        os.waitpid(child, 0)
        return os.read(reading, 65_536).decode()
    finally:
        os.close(reading)
