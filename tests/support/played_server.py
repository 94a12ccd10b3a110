"""A message service for one connection, which the test plays."""

import contextlib
import json
import socket
import threading
from collections.abc import Callable, Iterator

from tests.support.running import TIMEOUT_S, receive_exactly

GREETING = b"sockctl/1 test\r\n"
Play = Callable[[socket.socket], None]


@contextlib.contextmanager
def server(play: Play) -> Iterator[str]:
    """Play a server for one connection; return HOST:PORT."""
    failures: list[BaseException] = []

    def serve() -> None:
        try:
            sock, _ = listener.accept()
            with sock:
                sock.settimeout(TIMEOUT_S)
                play(sock)
        except BaseException as error:
            failures.append(error)
            raise

    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(TIMEOUT_S)
        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield f"127.0.0.1:{listener.getsockname()[1]}"
        finally:
            thread.join(TIMEOUT_S)
    assert not failures


def read_frame(sock: socket.socket) -> dict[str, object]:
    message: dict[str, object] = json.loads(receive_exactly(sock, int.from_bytes(receive_exactly(sock, 4))))
    return message


def greet(sock: socket.socket) -> None:
    sock.sendall(GREETING + b"text that comes again\r\n")
    hello = read_frame(sock)
    assert hello.pop("session", False) is False
    assert hello == {"kind": "hello", "text": "", "client": "sockctl"}
