"""What every test is held to: it leaves no thread and no descriptor behind."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("patient", settings(), deadline=None)  # how long an example takes says nothing here
settings.load_profile("patient")

DESCRIPTORS = Path("/dev/fd")


def open_descriptors() -> int:
    return sum(1 for _ in DESCRIPTORS.iterdir())


@pytest.fixture(autouse=True)
def nothing_leaks() -> Iterator[None]:
    threads = set(threading.enumerate())
    descriptors = open_descriptors()
    yield
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        left = [thread for thread in threading.enumerate() if thread not in threads]
        more = open_descriptors() - descriptors
        if not left and more <= 0:
            return
        time.sleep(0.01)  # a thread that has done its work still needs a moment to end
    pytest.fail(f"left behind: threads {left}, {more} descriptors")
