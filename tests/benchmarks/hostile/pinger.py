"""A polite client of an echo: small messages on a clock, each timed until it is back."""

import socket
import statistics
import time
from collections import deque
from collections.abc import Iterator
from typing import Any

from tests.benchmarks.hostile.part import asked, take_part

MESSAGE = b"a polite message"
PER_S = 50.0
GRACE_S = 10.0


def ping(sock: socket.socket, seconds: float) -> dict[str, Any]:
    """Send on a clock, and return what it took; what hasn't come back at the end counts as if it came then."""
    under_way: deque[float] = deque()
    took: list[float] = []
    received = 0
    began = time.monotonic()
    due, end = began, began + seconds
    while (now := time.monotonic()) < end or (under_way and now < end + GRACE_S):
        if due <= now and due < end:
            sock.sendall(MESSAGE)
            under_way.append(due)
            due += 1 / PER_S
            continue
        sock.settimeout(max(0.001, min(due if due < end else end + GRACE_S, now + 0.1) - now))
        try:
            data = sock.recv(1 << 16)
        except TimeoutError:
            continue
        if not data:
            break
        received += len(data)
        while under_way and received >= len(MESSAGE):
            received -= len(MESSAGE)
            took.append(time.monotonic() - under_way.popleft())
    lost = len(under_way)
    took += [time.monotonic() - sent for sent in under_way]
    return {"p50": statistics.median(took), "p99": statistics.quantiles(took, n=100)[98], "lost": lost}


def work(*, port: int, seconds: float) -> Iterator[Any]:
    """Connect, and send each time it is wanted."""
    with socket.create_connection(("127.0.0.1", port), 60) as sock:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        yield None
        while asked():
            yield ping(sock, seconds)


if __name__ == "__main__":
    take_part(work)
