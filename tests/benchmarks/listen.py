"""How fast ``sockctl listen`` takes and gives bytes, beside nc, ncat and socat: ``python -m tests.benchmarks.listen``.

Each listens, and a client of this program gives it a number of bytes, or takes as many from it. Standard input and
output of the listeners are a file in memory and ``/dev/null``. They take turns, several rounds; what is printed is the
median of a round's ratios, sockctl's rate over the other one's, and the median rates. A listener that isn't there is
left out.
"""

import os
import shutil
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Callable

from tests.support.running import UNMEASURED, free_port

MEGABYTES = 400
ROUNDS = 7
PIECE = b"x" * 262_144
LISTENERS = {
    "sockctl": [sys.executable, "-m", "sockctl", "listen", "127.0.0.1:PORT", "-q"],
    "nc": ["nc", "-l", "-N", "127.0.0.1", "PORT"],
    "ncat": ["ncat", "-l", "127.0.0.1", "PORT"],
    "socat": ["socat", "-b", "65536", "TCP-LISTEN:PORT,bind=127.0.0.1,reuseaddr", "-"],
}


def send(sock: socket.socket) -> None:
    """Give the listener its bytes, and wait for its end."""
    for _ in range(MEGABYTES * 4):
        sock.sendall(PIECE)
    sock.shutdown(socket.SHUT_WR)
    while sock.recv(65_536):
        pass


def receive(sock: socket.socket) -> None:
    """Take all bytes of the listener."""
    count, buffer = 0, bytearray(262_144)
    while part := sock.recv_into(buffer):
        count += part
    assert count == MEGABYTES * 4 * len(PIECE), count


def measure(command: list[str], stdin: int, talk: Callable[[socket.socket], None]) -> float:
    """Return the MB in a second that pass through a listener."""
    port = free_port()
    words = [word.replace("PORT", str(port)) for word in command]
    os.lseek(stdin, 0, os.SEEK_SET)
    with subprocess.Popen(words, stdin=stdin, stdout=subprocess.DEVNULL, env=UNMEASURED) as listener:
        try:
            sock = connect(port)
            began = time.perf_counter()
            with sock:
                talk(sock)
            return MEGABYTES * 4 * len(PIECE) / (time.perf_counter() - began) / 1e6
        finally:
            listener.terminate()


def connect(port: int) -> socket.socket:
    """Return a connection with the listener, once it listens."""
    deadline = time.monotonic() + 20
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port))
        except ConnectionRefusedError:
            assert time.monotonic() < deadline
            time.sleep(0.02)


def main() -> None:
    """Measure both directions, and print a line for each listener."""
    names = [name for name, command in LISTENERS.items() if shutil.which(command[0])]
    empty, full = os.memfd_create("empty"), os.memfd_create("full")
    os.truncate(full, MEGABYTES * 4 * len(PIECE))
    print(f"load average {os.getloadavg()[0]:.1f}")
    for title, stdin, talk in (("from a client", empty, send), ("to a client", full, receive)):
        rates: dict[str, list[float]] = {name: [] for name in names}
        for _ in range(ROUNDS):
            for name in names:
                rates[name].append(measure(LISTENERS[name], stdin, talk))
        for name in names:
            ratio = statistics.median(own / other for own, other in zip(rates["sockctl"], rates[name], strict=True))
            print(f"{title}: {name:8} {statistics.median(rates[name]):7.0f} MB/s, sockctl {ratio:.2f} of it")


if __name__ == "__main__":
    main()
