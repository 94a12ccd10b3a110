import select
import socket

import pytest

from sockctl.net.wait import wait_for


def test_it_waits_for_one_descriptor_or_for_the_time() -> None:
    one, other = socket.socketpair()
    with one, other:
        with pytest.raises(TimeoutError):
            wait_for(one.fileno(), select.POLLIN, 0.01)
        other.send(b"x")
        wait_for(one.fileno(), select.POLLIN, 60.0)
    with pytest.raises(TimeoutError):
        wait_for(None, 0, 0.01)
