"""Many bytes both ways, with half-closes at random places: ``pytest -m torture tests/proxy``."""

import hashlib
import random
import socket
import threading
from typing import Any

import pytest

from sockctl.proxy.settings import Impairments
from tests.support.proxies import proxied

pytestmark = pytest.mark.torture
MOST_BYTES = 100_000_000


class Stream(threading.Thread):
    """Sends random bytes in pieces of random sizes, then ends; keeps their digest."""

    def __init__(self, sock: socket.socket, size: int, seed: int) -> None:
        super().__init__()
        self._sock, self._size = sock, size
        self._random = random.Random(seed)
        self.digest = hashlib.sha256()

    def run(self) -> None:
        block, left = self._random.randbytes(1 << 20), self._size
        while left:
            begin = self._random.randrange(1000)
            piece = memoryview(block)[begin : begin + min(left, self._random.choice((1, 777, 65_536, 900_000)))]
            self._sock.sendall(piece)
            self.digest.update(piece)
            left -= len(piece)
        self._sock.shutdown(socket.SHUT_WR)


class Receiver(threading.Thread):
    """Receives until the end, with a pause now and then; keeps the digest."""

    def __init__(self, sock: socket.socket, seed: int) -> None:
        super().__init__()
        self._sock = sock
        self._random = random.Random(seed)
        self.digest = hashlib.sha256()
        self.pause = threading.Event()

    def run(self) -> None:
        while data := self._sock.recv(self._random.choice((100, 10_000, 262_144))):
            self.digest.update(data)
            if self._random.random() < 0.001:
                self.pause.wait(0.05)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("settings", [{}, {"hex_dump": True}, {"impairments": Impairments(delay_s=0.01)}])
def test_every_byte_arrives_whatever_the_ends(seed: int, settings: dict[str, Any]) -> None:
    most = MOST_BYTES // 20 if settings else MOST_BYTES
    sizes = random.Random(seed)
    with proxied(**settings) as proxy, proxy.pair() as (client, there):
        up = Stream(client, most if seed == 0 else sizes.randrange(most), seed)
        down = Stream(there, most if seed == 0 else sizes.randrange(most), seed + 100)
        receivers = Receiver(there, seed), Receiver(client, seed + 1)
        for sock in (client, there):
            sock.settimeout(60.0)
        for thread in (up, down, *receivers):
            thread.start()
        for thread in (up, down, *receivers):
            thread.join()
        assert [one.digest.digest() for one in receivers] == [up.digest.digest(), down.digest.digest()]
        proxy.told("client_disconnected")
