"""Accepts connections for a server, in a thread of its own.

The stock loop of `socketserver` polls twice a second for its end, accepts one connection a round, spins on one core
when the system has no descriptor left, and hangs at its close while one client is idle. This loop waits for all
listening sockets and a wake-up at once, accepts all waiting clients, and pauses while the system has nothing left.
"""

import math
import select
import selectors
import socket
import socketserver
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any

from sockctl.events.acceptance import AcceptPaused, AcceptResumed
from sockctl.events.journal import Journal
from sockctl.events.reasons import RefusalReason
from sockctl.net.accept_errors import PASSED_OVER
from sockctl.net.limits import Limits, Timeouts
from sockctl.net.listener import Listeners
from sockctl.net.refusals import Refusals

ACCEPTS_PER_ROUND = 64
STATE_HOLDS_S = 1.0
"""Accepting counts as paused until it has worked for so long; changes are emitted at most once in so long."""


class Acceptor:
    """Accepts connections from listening sockets, which it closes at its end.

    Args:
        server: The server, whose hooks the acceptor calls: `get_request`, `verify_request`, `process_request`,
            `handle_error` and `close_request`, as `socketserver` divides the work.
        listeners: The listening sockets of each door.
        journal: Takes the events.
        limits: How many refusals the acceptor emits one by one.
        timeouts: How long to pause while the system has nothing left.
        count_clients: Returns how many clients are connected.
    """

    def __init__(
        self,
        server: socketserver.BaseServer,
        listeners: Sequence[Listeners],
        journal: Journal,
        *,
        limits: Limits,
        timeouts: Timeouts,
        count_clients: Callable[[], int],
    ) -> None:
        self._server = server
        self._listeners = listeners
        self._retry_s = timeouts.accept_retry_s
        self._count_clients = count_clients
        self._refusals = Refusals(journal.emit, limits.refusals_per_second)
        self._pauses = _Pauses(journal, timeouts.accept_retry_s)
        self._stopping = threading.Event()
        self._waker, self._woken = socket.socketpair()
        self._selector = selectors.DefaultSelector()
        self._thread = threading.Thread(target=server.serve_forever, name="sockctl-acceptor", daemon=True)

    def start(self) -> None:
        """Start the thread, which calls the server's `serve_forever`."""
        self._thread.start()

    def stop(self) -> None:
        """End the thread, and wait for its end."""
        self._stopping.set()
        self._waker.send(b"\0")
        self._thread.join()
        self._waker.close()
        self._woken.close()

    @property
    def refused(self) -> dict[str, int]:
        """Refused clients by reason, since the start; any thread may ask."""
        return {str(reason): count for reason, count in self._refusals.counts.items() if count}

    def refuse(self, address: Any, reason: RefusalReason) -> None:
        """Emit that a client was refused; the acceptor's thread calls it, from the server's hooks."""
        self._refusals.add(address, reason)

    def run(self) -> None:
        """Accept clients until `stop`."""
        with self._selector as selector:
            selector.register(self._woken, selectors.EVENT_READ)
            for listener in [one for each in self._listeners for one in each.sockets]:
                selector.register(listener, selectors.EVENT_READ, listener)
            while not self._stopping.is_set():
                now = time.monotonic()
                sum_at = self._refusals.limit.due_at
                sum_wait_s = None if sum_at is None else max(0.0, sum_at - now)
                waits_s = [one for one in (sum_wait_s, self._pauses.compute_wait_s()) if one is not None]
                for key, _ in selector.select(min(waits_s, default=None)):
                    if key.data is not None:
                        self._accept_from(key.data)
                self._refusals.limit.emit_sum(time.monotonic())
                self._pauses.emit_change(time.monotonic(), self._count_clients())
        self._refusals.limit.emit_sum(time.monotonic(), ending=True)
        for each in self._listeners:
            each.close()

    def _accept_from(self, listener: socket.socket) -> None:
        """Accept clients that wait at `listener`, only some in a round, so that the other listeners get their turn."""
        server: Any = self._server
        server.socket = listener
        for _ in range(ACCEPTS_PER_ROUND):
            try:
                request, address = server.get_request()
            except OSError as error:
                # Linux needs a free descriptor even if no client waits: the error counts only if one does.
                if error.errno not in PASSED_OVER and _is_readable(listener):
                    self._pauses.add_failure(error, time.monotonic())
                    self._pauses.emit_change(time.monotonic(), self._count_clients())
                    self._stopping.wait(self._retry_s)
                return
            if server.verify_request(request, address):
                try:
                    server.process_request(request, address)
                except Exception as error:  # noqa: BLE001  one client must not stop the acceptor
                    server.handle_error(request, address, error)
            else:
                server.close_request(request)


class _Pauses:
    """Emits when accepting pauses and when it works again. Only the acceptor's thread calls it.

    While the system has hardly anything left, accepting may pause several times a second; the emitted state changes
    once a second at most.
    """

    def __init__(self, journal: Journal, retry_s: float) -> None:
        self._journal = journal
        self._retry_s = retry_s
        self._error = ""
        self._failed_at = self._told_at = -math.inf
        self._paused_at: float | None = None  # the time of the last AcceptPaused; None after AcceptResumed

    def add_failure(self, error: OSError, now: float) -> None:
        """Note that the acceptor could not accept a waiting client."""
        self._error = error.strerror or str(error)
        self._failed_at = now

    def compute_wait_s(self) -> float | None:
        """Return how long until the state may change; None while accepting works."""
        return None if self._paused_at is None and math.isinf(self._failed_at) else self._retry_s

    def emit_change(self, now: float, clients: int) -> None:
        """Emit the state if it differs from the last emitted one."""
        paused = now - self._failed_at < STATE_HOLDS_S
        if not paused and self._paused_at is None:
            self._failed_at = -math.inf
        if paused == (self._paused_at is not None) or now - self._told_at < STATE_HOLDS_S:
            return
        self._told_at = now
        if paused:
            self._paused_at = now
            self._journal.emit(AcceptPaused(error=self._error, clients=clients, retry_s=self._retry_s))
        elif self._paused_at is not None:
            self._journal.emit(AcceptResumed(seconds=round(now - self._paused_at, 3)))
            self._paused_at = None


def _is_readable(listener: socket.socket) -> bool:
    """Return whether a client waits to be accepted, without a new descriptor."""
    poll = select.poll()
    poll.register(listener, select.POLLIN)
    return bool(poll.poll(0))
