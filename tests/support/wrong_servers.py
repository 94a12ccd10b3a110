"""Small servers, most of which do something wrong."""

import contextlib
import socket
import struct
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.benchmarks.peers.programs import compile_program
from tests.support.running import TIMEOUT_S, free_port, listens, wait_until
from tests.support.tools import tool

Handle = Callable[[socket.socket], None]


@contextlib.contextmanager
def serving(handle: Handle) -> Iterator[int]:
    """Serve with a thread for each connection; yield the port."""
    threads: list[threading.Thread] = []
    socks: list[socket.socket] = []

    def handled(sock: socket.socket) -> None:
        with sock, contextlib.suppress(OSError, AssertionError):  # the client has gone
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            handle(sock)

    def accept(listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while True:
                sock, _ = listener.accept()
                socks.append(sock)
                threads.append(threading.Thread(target=handled, args=(sock,)))
                threads[-1].start()

    with socket.create_server(("127.0.0.1", 0), backlog=128) as listener:
        acceptor = threading.Thread(target=accept, args=(listener,))
        acceptor.start()
        try:
            yield int(listener.getsockname()[1])
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            acceptor.join(TIMEOUT_S)
            for sock in socks:
                with contextlib.suppress(OSError):
                    sock.shutdown(socket.SHUT_RDWR)
            for thread in threads:
                thread.join(TIMEOUT_S)


def altering(alter: Callable[[bytes], bytes], *, every: int) -> Handle:
    """Return an echo that alters one byte in `every`."""

    def handle(sock: socket.socket) -> None:
        seen = 0
        while data := sock.recv(65_536):
            parts = []
            at = every - seen % every - 1
            start = 0
            while at < len(data):
                parts += [data[start:at], alter(data[at : at + 1])]
                start = at + 1
                at += every
            seen += len(data)
            sock.sendall(b"".join([*parts, data[start:]]))

    return handle


def stalling(*, seconds: float, every: float) -> Handle:
    """Return an echo that stalls so long in every so many seconds."""

    def handle(sock: socket.socket) -> None:
        while data := sock.recv(65_536):
            phase = time.monotonic() % every
            if phase < seconds:
                time.sleep(seconds - phase)
            sock.sendall(data)

    return handle


def resetting(*, after_bytes: int) -> Handle:
    """Return an echo that resets a connection after so many bytes."""

    def handle(sock: socket.socket) -> None:
        seen = 0
        while data := sock.recv(65_536):
            seen += len(data)
            if seen > after_bytes:
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                return
            sock.sendall(data)

    return handle


def silent(sock: socket.socket) -> None:
    """Read, and never answer."""
    while sock.recv(65_536):
        pass


def closing(sock: socket.socket) -> None:
    """Echo once, all but a byte, and end."""
    sock.sendall(sock.recv(65_536)[:-1])
    sock.shutdown(socket.SHUT_WR)
    silent(sock)


def talkative(sock: socket.socket) -> None:
    """Echo, and have one more word at the end."""
    while data := sock.recv(65_536):
        sock.sendall(data)
    sock.sendall(b"bye\n")


@contextlib.contextmanager
def c_echo(folder: Path) -> Iterator[int]:
    """Serve echo in C; yield the port."""
    tool("gcc", "gcc")
    with command(compile_program("epoll_echo", folder), "PORT", "65536") as port:
        yield port


@contextlib.contextmanager
def command(*words: str) -> Iterator[int]:
    """Run a server, with its port in place of PORT; yield the port."""
    port = free_port()
    argv = [word.replace("PORT", str(port)) for word in words]
    with subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as run:
        try:
            wait_until(lambda: listens(port))
            yield port
        finally:
            run.kill()
