"""What the kernel tells of a connection and of a listening socket."""

import socket
import sys

import pytest

from sockctl.net.tcp_info import read_backlog, read_tcp_info
from tests.support.running import TIMEOUT_S, wait_until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="Linux's TCP_INFO")


def test_a_connection() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        with socket.create_connection(listener.getsockname()) as near, listener.accept()[0] as far:
            info = read_tcp_info(near)
            assert info is not None
            assert (info.state, info.retransmits) == ("ESTABLISHED", 0)
            assert 0 < info.rtt_us < 1_000_000
            far.shutdown(socket.SHUT_WR)
            wait_until(lambda: read_tcp_info(near) == info._replace(state="CLOSE_WAIT"))
            wait_until(lambda: (read_tcp_info(far) or info).state == "FIN_WAIT2")
        assert read_tcp_info(near) is None, "it is closed"


def test_a_backlog_of_zero_lets_one_wait() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        with socket.create_connection(listener.getsockname(), TIMEOUT_S):
            wait_until(lambda: read_backlog(listener) == (1, 0))
        backlog = read_backlog(listener)
    assert backlog is not None
    assert backlog.max_waiting == 1


def test_what_waits_in_a_backlog() -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=5) as listener:
        assert read_backlog(listener) == (0, 5)
        with socket.create_connection(listener.getsockname()), socket.create_connection(listener.getsockname()):
            wait_until(lambda: read_backlog(listener) == (2, 5))
            listener.accept()[0].close()
            assert read_backlog(listener) == (1, 5)


def test_what_is_no_tcp_socket() -> None:
    near, far = socket.socketpair()
    with near, far:
        assert read_tcp_info(near) is None
    assert read_tcp_info(object()) is None
