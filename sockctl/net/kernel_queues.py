"""Asks the kernel how many bytes of a connection wait in its queues."""

import fcntl
import sys
import termios


def count_unread_bytes(fd: int) -> int:
    """Return how many bytes wait in the kernel's receive buffer."""
    return int.from_bytes(fcntl.ioctl(fd, termios.FIONREAD, bytes(4)), sys.byteorder)


def count_unacked_bytes(fd: int) -> int:
    """Return how many bytes the other side's kernel has not acknowledged yet (SIOCOUTQ, as Linux calls it)."""
    try:
        return int.from_bytes(fcntl.ioctl(fd, termios.TIOCOUTQ, bytes(4)), sys.byteorder)
    except OSError:
        return 1  # this system doesn't tell: there may be some
