"""Stands between a program and a server for one connection, and lets the inspector look at what passes."""

import contextlib
import selectors
import socket
import threading
from collections.abc import Iterator

from sockctl.proxy.inspector import Inspector
from sockctl.proxy.seen import Seen
from tests.support.running import START_S, TIMEOUT_S


class Recorder:
    """Passes on what comes on one connection.

    Args:
        target_port: Where it goes, on loopback.
        messages: As for the inspector.

    Attributes:
        port: Where it listens.
        seen: What the inspector has said; complete when the connection has ended.
        passed: The bytes from the target, and those towards it.
    """

    def __init__(self, target_port: int, *, messages: bool = False) -> None:
        self._target_port = target_port
        self._inspector = Inspector(messages=messages)
        self.seen: list[Seen] = []
        self.passed = (bytearray(), bytearray())
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.settimeout(START_S)
        self.port: int = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._run, name="recorder")
        self._thread.start()

    def wait(self) -> list[Seen]:
        """Wait for the end of the connection; return what the inspector has said."""
        self._thread.join(TIMEOUT_S)
        assert not self._thread.is_alive(), "the connection goes on"
        return self.seen

    def close(self) -> None:
        """End the connection."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._thread.join(TIMEOUT_S)
        self._listener.close()

    def _run(self) -> None:
        try:
            client, _ = self._listener.accept()
        except OSError:
            return
        target = socket.create_connection(("127.0.0.1", self._target_port))
        with client, target, selectors.DefaultSelector() as selector:
            selector.register(client, selectors.EVENT_READ, (True, client, target))
            selector.register(target, selectors.EVENT_READ, (False, target, client))
            while selector.get_map():
                ready = selector.select(TIMEOUT_S)
                for key, _ in ready:
                    if not self._pass_on(*key.data):
                        selector.unregister(key.fileobj)
                if not ready:
                    return

    def _pass_on(self, towards_target: bool, source: socket.socket, sink: socket.socket) -> bool:
        with contextlib.suppress(OSError):
            if data := source.recv(65_536):
                sink.sendall(data)
                self.passed[towards_target].extend(data)
                self.seen += self._inspector.inspect(towards_target, data)
                return True
        with contextlib.suppress(OSError):
            sink.shutdown(socket.SHUT_WR)
        self.seen += self._inspector.end(towards_target)
        return False


@contextlib.contextmanager
def recording(target_port: int, *, messages: bool = False) -> Iterator[Recorder]:
    recorder = Recorder(target_port, messages=messages)
    try:
        yield recorder
    finally:
        recorder.close()
