"""Writing all to a descriptor that takes a part at a time."""

import os
import threading

import pytest

from sockctl.terminal import write_all
from tests.support.running import TIMEOUT_S

MUCH = bytes(range(256)) * 4096


@pytest.mark.parametrize("blocking", [True, False])
def test_all_is_written_however_little_is_taken_at_once(blocking: bool) -> None:
    receiver, sender = os.pipe()
    os.set_blocking(sender, blocking)
    received = bytearray()

    def read() -> None:
        while part := os.read(receiver, 1000):
            received.extend(part)

    reader = threading.Thread(target=read)
    reader.start()
    write_all(sender, MUCH)
    os.close(sender)
    reader.join(TIMEOUT_S)
    os.close(receiver)
    assert received == MUCH


def test_where_nobody_reads() -> None:
    receiver, sender = os.pipe()
    os.close(receiver)
    with pytest.raises(BrokenPipeError):
        write_all(sender, b"x")
    os.close(sender)
