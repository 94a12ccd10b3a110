"""Looks names up by getaddrinfo, which has no deadline, and which no signal interrupts.

So a thread calls it, which may outlive those who wait. All who want the same at once share one thread: else many
clients of a proxy, while the name service is silent, would leave as many threads behind.
"""

import select
import socket
import threading
from typing import Any

from sockctl.errors import ConnectTimeoutError, UnreachableError
from sockctl.net.address import Endpoint, is_address
from sockctl.net.wait import Wait

Found = list[tuple[Any, ...]]
"""What getaddrinfo returns."""
_Key = tuple[str, int, int]


class _LookUp:
    """A look-up that is under way.

    Attributes:
        ends: For each one that waits, a socket whose close ends the wait.
        found: The result.
        failure: Why there is none.
    """

    def __init__(self) -> None:
        self.ends: set[socket.socket] = set()
        self.found: Found = []
        self.failure: OSError | UnicodeError | None = None


class NameLookUps:
    """The look-ups that are under way. Threads may share it."""

    def __init__(self) -> None:
        self._lock = threading.Lock()  # guards the look-ups and their ends
        self._running: dict[_Key, _LookUp] = {}

    def find(self, endpoint: Endpoint, family: socket.AddressFamily, timeout_s: float, wait: Wait) -> Found:
        """Return the result of getaddrinfo for a stream; `wait` waits for it.

        Raises:
            OSError: The name is unknown, or the address is none of this system's.
            UnicodeError: It is no name.
            UnreachableError: The system has no thread or descriptor left.
            ConnectTimeoutError: The name service did not answer in time.
        """
        try:  # an address needs no look-up
            return socket.getaddrinfo(
                endpoint.host, endpoint.port, family, socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST
            )
        except OSError:
            if is_address(endpoint.host):  # such as one of an interface that there isn't
                raise
        try:
            done, end = socket.socketpair()
        except OSError as error:
            raise UnreachableError(f"{endpoint.host!r} can't be looked up: {error.strerror}.") from error
        with done:
            look_up = self._join((endpoint.host, endpoint.port, family), end)
            try:
                wait(done.fileno(), select.POLLIN, timeout_s)
            except TimeoutError as error:
                raise ConnectTimeoutError(
                    f"The name service did not answer in {timeout_s:g} s for {endpoint.host!r}. Is this machine's "
                    f"network up? An address in place of the name needs no name service."
                ) from error
            finally:
                self._leave(look_up, end)
        if look_up.failure is not None:
            raise look_up.failure
        return look_up.found

    def _join(self, key: _Key, end: socket.socket) -> _LookUp:
        """Wait for a look-up, which begins if none is under way; the close of `end` tells that it is done."""
        with self._lock:
            look_up = self._running.get(key)
            if look_up is None:
                look_up = _LookUp()
                try:
                    threading.Thread(
                        target=self._run, args=(key, look_up), name="sockctl-resolver", daemon=True
                    ).start()
                except RuntimeError as error:
                    end.close()
                    raise UnreachableError(f"{key[0]!r} can't be looked up: the system has no thread left.") from error
                self._running[key] = look_up
            look_up.ends.add(end)
        return look_up

    def _leave(self, look_up: _LookUp, end: socket.socket) -> None:
        with self._lock:
            if end in look_up.ends:
                look_up.ends.remove(end)
                end.close()

    def _run(self, key: _Key, look_up: _LookUp) -> None:
        host, port, family = key
        try:
            look_up.found = socket.getaddrinfo(host, port, family, socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            look_up.failure = error
        with self._lock:  # `_join` holds it until the look-up is known
            del self._running[key]
            for end in look_up.ends:
                end.close()
            look_up.ends.clear()
