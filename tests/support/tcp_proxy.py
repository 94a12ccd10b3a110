"""A TCP proxy with faults: it stands between a node and its engine, and breaks what a network breaks.

Each connection has two threads, one for each direction, which pass on what they receive. A fault holds them, slows them
down, or ends the connection. So the bytes of a connection are never out of order, as with TCP.
"""

import contextlib
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from functools import partial

CHUNK_BYTES = 65_536
SLOW_CHUNK_BYTES = 1_024
"""What a slow proxy passes on in one piece."""
_RESET = struct.pack("ii", 1, 0)
"""SO_LINGER with no time: closing sends a reset (socket(7))."""


class TcpProxy:
    """Passes on what comes to a free port of loopback. Any thread may use it.

    Args:
        target_port: Where everything goes, on loopback.

    Attributes:
        port: Where it listens.
        cut_replies: How many replies it has cut off.
    """

    def __init__(self, target_port: int) -> None:
        self._target_port = target_port
        self._changed = threading.Condition()  # guards all that follows
        self._is_hole = False
        self._delay_s = 0.0
        self._bytes_per_s = 0.0
        self._to_cut = self._to_hold = b""
        self._links: set[_Link] = set()
        self.cut_replies = 0
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._accepting = threading.Thread(target=self._accept, name="proxy", daemon=True)
        self._accepting.start()

    @property
    def holds(self) -> bool:
        """Whether a hole holds something back."""
        with self._changed:
            return self._is_hole and any(link.holds for link in self._links)

    # The faults.

    def open_hole(self) -> None:
        """Let no byte through from now on; connections stay, and new ones are accepted."""
        with self._changed:
            self._is_hole = True

    def close_hole(self, *, late: bool) -> None:
        """Let everything through again.

        Args:
            late: What was held arrives now, as after a pause of TCP. Otherwise it has vanished: a connection that has
                lost bytes is reset.
        """
        with self._changed:
            self._is_hole = False
            if not late:
                for link in self._links:
                    if link.holds:
                        link.reset()
            self._changed.notify_all()

    def reset(self) -> None:
        """Reset all connections."""
        with self._changed:
            for link in self._links:
                link.reset()
            self._changed.notify_all()

    def cut_reply(self, request: bytes) -> None:
        """Pass on the next request that has these bytes in it, and of its reply the first half; then reset."""
        with self._changed:
            self._to_cut = request

    def hold_replies(self, request: bytes) -> None:
        """Hold back the replies to requests that have these bytes in them, from the next one on; ``b""`` ends that."""
        with self._changed:
            self._to_hold = request
            for link in self._links:
                link.is_held = False
            self._changed.notify_all()

    def slow_down(self, *, delay_s: float = 0.0, bytes_per_s: float = 0.0) -> None:
        """Delay each piece from now on, and pass on so many bytes a second; 0 for no delay, and no limit."""
        with self._changed:
            self._delay_s = delay_s
            self._bytes_per_s = bytes_per_s

    def heal(self) -> None:
        """End all faults."""
        self.slow_down()
        self.cut_reply(b"")
        self.hold_replies(b"")
        self.close_hole(late=True)

    def close(self) -> None:
        """End all connections, and stop."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._accepting.join()
        self._listener.close()
        with self._changed:
            links = list(self._links)
            for link in links:
                link.reset()
                link.end_sending()
            self._changed.notify_all()
        for link in links:
            link.join()

    # What its threads do.

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(("127.0.0.1", self._target_port))
            except OSError:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                client.close()
                continue
            link = _Link(client, server)
            with self._changed:
                self._links.add(link)
            link.start(
                partial(self._pump_requests, link), partial(self._pump_replies, link), partial(self._forget, link)
            )

    def _forget(self, link: "_Link") -> None:
        with self._changed:
            self._links.discard(link)
            link.close()

    def _pump_requests(self, link: "_Link") -> None:
        while data := link.client.recv(self._piece_bytes()):
            with self._changed:
                if self._to_cut and self._to_cut in data:
                    self._to_cut = b""
                    link.is_to_cut = True
                link.is_held = bool(self._to_hold) and self._to_hold in data
            if not self._pass_on(link, link.server, data):
                return

    def _pump_replies(self, link: "_Link") -> None:
        while data := link.server.recv(self._piece_bytes()):
            if link.is_to_cut:
                self._pass_on(link, link.client, data[: len(data) // 2])
                with self._changed:
                    self.cut_replies += 1
                    link.reset()
                return
            if not self._pass_on(link, link.client, data):
                return

    def _piece_bytes(self) -> int:
        with self._changed:
            return SLOW_CHUNK_BYTES if self._bytes_per_s else CHUNK_BYTES

    def _pass_on(self, link: "_Link", to: socket.socket, data: bytes) -> bool:
        """Send `data` when no fault holds it any more; return False where it has vanished."""
        with self._changed:
            pause_s = self._delay_s + (len(data) / self._bytes_per_s if self._bytes_per_s else 0.0)
        if pause_s:
            time.sleep(pause_s)
        with self._changed:
            link.holds += self._is_hole
            self._changed.wait_for(lambda: link.is_reset or not (self._is_hole or (link.is_held and to is link.client)))
            if link.is_reset:
                return False
        to.sendall(data)
        return True


class _Link:
    """A connection on both sides of the proxy; the proxy's lock guards what its attributes say.

    Attributes:
        holds: How many pieces a hole holds back, or has held back.
        is_reset: Nothing goes on here any more.
        is_to_cut: The next reply is to be cut off.
        is_held: Replies are held back.
    """

    def __init__(self, client: socket.socket, server: socket.socket) -> None:
        self.client, self.server = client, server
        self.holds = 0
        self.is_reset = self.is_to_cut = self.is_held = False
        self._left = 2  # directions that are open
        self._lock = threading.Lock()  # guards the number
        self._threads: list[threading.Thread] = []
        for sock in (client, server):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def start(self, requests: Callable[[], None], replies: Callable[[], None], at_the_end: Callable[[], None]) -> None:
        """Start a thread for each direction; the last one to end calls `at_the_end`."""
        for pump, to in ((requests, self.server), (replies, self.client)):
            thread = threading.Thread(target=self._run, args=(pump, to, at_the_end), name="proxy", daemon=True)
            self._threads.append(thread)
        for thread in self._threads:
            thread.start()

    def reset(self) -> None:
        """Reset both sides: wake the threads, which close the sockets."""
        self.is_reset = True
        for sock in (self.client, self.server):
            with contextlib.suppress(OSError):
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
                sock.shutdown(socket.SHUT_RD)  # sends nothing

    def end_sending(self) -> None:
        """Wake a thread that waits until the other side reads."""
        for sock in (self.client, self.server):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close both sides."""
        self.client.close()
        self.server.close()

    def join(self) -> None:
        """Wait for the end of both threads."""
        for thread in self._threads:
            thread.join()

    def _run(self, pump: Callable[[], None], to: socket.socket, at_the_end: Callable[[], None]) -> None:
        try:
            pump()
            if not self.is_reset:
                to.shutdown(socket.SHUT_WR)
        except OSError:  # one side has reset the connection: so does the other
            self.reset()
        with self._lock:
            self._left -= 1
            is_last = not self._left
        if is_last:
            at_the_end()


@contextlib.contextmanager
def tcp_proxy(target_port: int) -> Iterator[TcpProxy]:
    """Run a proxy in front of a port of loopback."""
    proxy = TcpProxy(target_port)
    try:
        yield proxy
    finally:
        proxy.close()
