"""How many bytes wait in the kernel."""

import os
import socket
import sys

import pytest

from sockctl.net.kernel_queues import count_unacked_bytes, count_unread_bytes
from tests.support.running import wait_until


def test_what_was_not_read_is_counted() -> None:
    near, far = socket.socketpair()
    with near, far:
        assert count_unread_bytes(near.fileno()) == 0
        far.sendall(bytes(1_000))
        assert count_unread_bytes(near.fileno()) == 1_000
        near.recv(400)
        assert count_unread_bytes(near.fileno()) == 600


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells it for sockets")
def test_what_the_other_kernel_has_is_counted_no_more() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        socket.create_connection(listener.getsockname()) as near,
        listener.accept()[0] as far,
    ):
        near.sendall(bytes(1_000))
        wait_until(lambda: count_unacked_bytes(near.fileno()) == 0)
        assert count_unread_bytes(far.fileno()) == 1_000
        near.setblocking(False)
        while True:
            try:
                near.send(bytes(65_536))
            except BlockingIOError:
                break
        assert count_unacked_bytes(near.fileno()) > 0


def test_where_the_system_does_not_tell_there_may_be_some() -> None:
    reader, writer = os.pipe()
    try:
        assert count_unacked_bytes(writer) == 1
    finally:
        os.close(reader)
        os.close(writer)
