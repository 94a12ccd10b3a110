"""A cable of our own between two hosts: it takes its time, and loses packets. For systems whose `tc` has no netem.

Run as ``python cable.py END END ONE_WAY_S LOSS``: END is the descriptor of a TUN device, which gives each packet
of its host and takes those of the other. Both directions are alike. It ends when its standard input does.
"""

import contextlib
import os
import random
import select
import sys
import time
from collections import deque

PACKET_BYTES = 1 << 16
SEED = 7
"""The same packets are lost each time, as far as the hosts send the same ones."""


class Cable:
    """Two ends, and the packets on their way between them."""

    def __init__(self, ends: tuple[int, int], one_way_s: float, loss: float) -> None:
        self._other = dict(zip(ends, reversed(ends), strict=True))
        self._one_way_s = one_way_s
        self._loss = loss
        self._chance = random.Random(SEED)
        self._on_its_way: deque[tuple[float, int, bytes]] = deque()  # all take the same time: so it is in order
        for end in ends:
            os.set_blocking(end, False)

    def run(self, stop_fd: int) -> None:
        """Carry packets until `stop_fd` ends."""
        poll = select.poll()
        for fd in (*self._other, stop_fd):
            poll.register(fd, select.POLLIN)
        while stop_fd not in {fd for fd, _ in poll.poll(self._wait_ms())}:
            for end in self._other:
                self._take_from(end)
            self._deliver(time.monotonic())

    def _wait_ms(self) -> float | None:
        return max(0.0, self._on_its_way[0][0] - time.monotonic()) * 1000 if self._on_its_way else None

    def _take_from(self, end: int) -> None:
        due_at = time.monotonic() + self._one_way_s
        with contextlib.suppress(OSError):  # nothing more is there, or the device is down
            while packet := os.read(end, PACKET_BYTES):
                if self._chance.random() >= self._loss:
                    self._on_its_way.append((due_at, self._other[end], packet))

    def _deliver(self, now: float) -> None:
        while self._on_its_way and self._on_its_way[0][0] <= now:
            _, end, packet = self._on_its_way.popleft()
            with contextlib.suppress(OSError):  # the device is down, and what is sent to it is lost
                os.write(end, packet)


if __name__ == "__main__":
    first, second, one_way_s, loss = sys.argv[1:]
    Cable((int(first), int(second)), float(one_way_s), float(loss)).run(sys.stdin.fileno())
