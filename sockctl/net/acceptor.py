"""Accepts connections for a server, in a thread of its own.

The stock loop of `socketserver` polls twice a second for its end, accepts one connection a round, spins on one core
when the system has no descriptor left, and hangs at its close while one client is idle. This loop waits for all
listening sockets and a wake-up at once, accepts all waiting clients, and pauses while the system has nothing left.
"""

import errno
import math
import select
import selectors
import socket
import socketserver
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from sockctl.events.acceptance import AcceptPaused, AcceptResumed, ClientRefused, ClientsRefused
from sockctl.events.journal import Journal
from sockctl.events.reasons import RefusalReason
from sockctl.net.address import extract_host, format_address
from sockctl.net.limits import Limits, Timeouts
from sockctl.net.listener import Listeners
from sockctl.token_bucket import TokenBucket

ACCEPTS_PER_ROUND = 64
REFUSALS_SUM_S = 1.0
STATE_HOLDS_S = 1.0
"""Accepting counts as paused until it has worked for so long; changes are emitted at most once in so long."""
_PASSED_OVER = frozenset(
    getattr(errno, name)
    for name in (
        *("EAGAIN", "ECONNABORTED", "EINTR", "EPROTO", "ENETDOWN", "ENOPROTOOPT", "EHOSTDOWN", "ENONET"),
        *("EHOSTUNREACH", "EOPNOTSUPP", "ENETUNREACH"),
    )
    if hasattr(errno, name)
)
"""The errors of accept() if no client waits any more, or if the waiting client has gone (accept(2))."""


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
        self._refusals = _Refusals(journal, limits.refusals_per_second)
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
                waits_s = [
                    one
                    for one in (self._refusals.compute_wait_s(now), self._pauses.compute_wait_s())
                    if one is not None
                ]
                for key, _ in selector.select(min(waits_s, default=None)):
                    if key.data is not None:
                        self._accept_from(key.data)
                self._refusals.emit_sum(time.monotonic())
                self._pauses.emit_change(time.monotonic(), self._count_clients())
        self._refusals.emit_sum(time.monotonic(), ending=True)
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
                if error.errno not in _PASSED_OVER and _is_readable(listener):
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


class _Refusals:
    """Emits some refusals a second one by one, and more of them as sums. Only the acceptor's thread calls it.

    Attributes:
        counts: Refused clients by reason, since the start; the table never grows, so other threads may read it.
    """

    def __init__(self, journal: Journal, per_second: int) -> None:
        self._journal = journal
        self._one_by_one = TokenBucket(rate=per_second, burst=per_second)
        self._sum: Counter[RefusalReason] = Counter()
        self._since = 0.0
        self.counts = dict.fromkeys(RefusalReason, 0)

    def add(self, address: Any, reason: RefusalReason) -> None:
        """Emit that a client was refused, or add it to the sum."""
        self.counts[reason] += 1
        now = time.monotonic()
        if not self._sum and self._one_by_one.accept(now):
            self._journal.emit(ClientRefused(peer=format_address(extract_host(address), address[1]), reason=reason))
            return
        if not self._sum:
            self._since = now
        self._sum[reason] += 1

    def compute_wait_s(self, now: float) -> float | None:
        """Return how long the sum may still grow; None if there is none."""
        return max(0.0, self._since + REFUSALS_SUM_S - now) if self._sum else None

    def emit_sum(self, now: float, *, ending: bool = False) -> None:
        """Emit the sum if it has grown for a second, or with `ending` in any case."""
        if not self._sum or (now < self._since + REFUSALS_SUM_S and not ending):
            return
        seconds = round(now - self._since, 3)
        self._journal.emit(ClientsRefused(count=self._sum.total(), seconds=seconds, reasons=dict(self._sum)))
        self._sum.clear()


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
