"""The relay's loop: one thread that waits for both sides of all relayed connections, and moves their bytes.

A thread for each connection is as fast with one client, and a quarter as fast with 50: `tests/benchmarks/proxy.py` has
the figures of today. The handler thread of a connection connects to the target, then hands both sockets over to this
loop. At the end, the loop gives the client's connection back to the server.

The server keeps its limits, deadlines and drain. It ends a client's connection by shutting its socket, and notes the
reason. The loop sees an end of the input then. It also looks for reasons once a second, since it may not be reading.
"""

import contextlib
import math
import threading
import time
from collections import deque
from collections.abc import Callable

from sockctl.errors import PeerGoneError
from sockctl.events.journal import Journal
from sockctl.events.reasons import DisconnectReason, Reason
from sockctl.net.call_queue import CallQueue
from sockctl.net.deadlines import Deadlines
from sockctl.net.limits import READ_BYTES
from sockctl.net.poller import open_poller
from sockctl.proxy.flow import Flow
from sockctl.proxy.relay import Relay
from sockctl.proxy.relay_socket import RelaySocket
from sockctl.proxy.traffic import RelayTraffic

CHECK_S = 1.0
"""How often the loop looks whether the server has ended a connection …"""
CHECK_IN_DRAIN_S = 0.1
"""… and while it stops."""
WAITING_BYTES = 4 << 20
"""Bytes of events that may wait to be written, with ``--hex``, before the loop reads nothing more for a moment."""
_FORGOTTEN = -1


class RelayLoop:
    """Moves the bytes of all relayed connections, in a thread of its own.

    Args:
        journal: Takes the events.
        waits_for_journal: Whether the loop reads no faster than events are written: no byte may be left out.

    Attributes:
        buffer: The buffer for input, which all connections share.
        view: Its view.
    """

    def __init__(self, journal: Journal, *, waits_for_journal: bool) -> None:
        self.buffer = bytearray(READ_BYTES)
        self.view = memoryview(self.buffer)
        self._journal = journal
        self._waits_for_journal = waits_for_journal
        self._poller = open_poller()
        self._calls = CallQueue()
        self._relays: dict[int, tuple[Relay, RelaySocket]] = {}  # by the descriptors of both sides
        self._timers: Deadlines[Relay] = Deadlines()
        self._sums: deque[tuple[float, RelayTraffic, Flow]] = deque()  # in the order in which they are due
        self._check_at = math.inf
        self._changed = False  # whether something may be due earlier than before
        self._draining = False
        self._stopping = False
        self._ending = threading.Lock()  # guards that no relay is added once the loop stops
        self._poller.register(self._calls.fileno(), 1)
        self._thread = threading.Thread(target=self._run, name="sockctl-relay-loop", daemon=True)

    # For every thread.

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def add(self, relay: Relay) -> None:
        """Take over a relay.

        Raises:
            PeerGoneError: The loop has stopped.
        """
        with self._ending:
            if self._stopping:
                raise PeerGoneError("the proxy has stopped")
            self._calls.add_and_wake(self._add, relay)

    def drain(self) -> None:
        """Begin to end all relays in order, and each further one, too."""
        self._draining = True
        self._calls.add_and_wake(lambda _: self._begin_drain(), None)

    def stop(self, timeout_s: float) -> None:
        """End the relays that are left, and the thread."""
        with self._ending:
            self._stopping = True
        self._calls.wake()
        self._thread.join(timeout_s)

    # The loop's own thread alone; relays call these.

    def wait_for(self, side: RelaySocket, interest: int) -> None:
        """Wait for READABLE or WRITABLE on a side; with 0, only for a broken connection."""
        if interest == side.interest or (side.interest == _FORGOTTEN and not interest):
            return
        if side.interest == _FORGOTTEN:
            self._poller.register(side.fd, interest)
        else:
            self._poller.modify(side.fd, interest)
        side.interest = interest

    def forget(self, side: RelaySocket) -> None:
        """Wait for nothing more on a side."""
        if side.interest != _FORGOTTEN:
            with contextlib.suppress(OSError):
                self._poller.unregister(side.fd)
            side.interest = _FORGOTTEN

    def read_soon(self, relay: Relay, flow: Flow) -> None:
        """Have a relay read without waiting, in the next round."""
        self._calls.add(lambda _: relay.react(flow.source, 1, time.monotonic()), relay)

    def set_timer(self, relay: Relay, at: float) -> None:
        """Have a relay flush at a time; infinity for never."""
        if at < math.inf:
            self._timers.set(relay, at)
            self._changed = True
        else:
            self._timers.discard(relay)

    def add_sum(self, traffic: RelayTraffic, flow: Flow, due_at: float) -> None:
        """Have the sum of a direction emitted at a time, which is none before that of an earlier call."""
        self._sums.append((due_at, traffic, flow))
        self._changed = True

    def remove(self, relay: Relay) -> None:
        """Forget a relay, which has ended."""
        for side in relay.sides:
            self._relays.pop(side.fd, None)
        self._timers.discard(relay)

    # Below: the loop.

    def _run(self) -> None:
        """Go round by round. A round of one read is the hot path of each round trip, so it calls little."""
        calls, relays, poll, clock = self._calls, self._relays, self._poller.poll, time.monotonic
        calls.thread_id = threading.get_ident()
        now, due_at = clock(), math.inf
        while not self._stopping:
            wait_s = 0.0 if calls else None if due_at == math.inf else max(0.0, due_at - now)
            ready = poll(wait_s)
            for fd, events in ready:
                found = relays.get(fd)
                if found is None:
                    calls.consume_wake()
                    continue
                now = clock()
                relay, side = found
                try:
                    relay.react(side, events, now)
                except Exception as error:  # noqa: BLE001  a defect on one connection must not end the others
                    self._fail(relay, error)
            if calls:
                self._make_calls()
            if self._changed or not ready or now >= due_at:
                self._changed = False
                now = clock()
                self._do_what_is_due(now)
                due_at = self._find_due_at()
            if self._waits_for_journal:
                self._wait_for_journal()
        self._make_calls()
        for relay, _ in list(relays.values()):
            self._end(relay, DisconnectReason.SERVER_STOPPING)
        self._poller.close()
        calls.close()

    def _find_due_at(self) -> float:
        sum_at = self._sums[0][0] if self._sums else math.inf
        return min(self._timers.find_next_at(), sum_at, self._check_at)

    def _make_calls(self) -> None:
        for call, relay in self._calls.pop_all():
            try:
                call(relay)
            except Exception as error:  # noqa: BLE001  as in _run
                if relay is not None:
                    self._fail(relay, error)

    def _do_what_is_due(self, now: float) -> None:
        while self._sums and self._sums[0][0] <= now:
            _, traffic, flow = self._sums.popleft()
            traffic.emit_sum(flow, now)
        if self._timers.find_next_at() <= now:
            for relay in self._timers.remove_expired(now):
                self._guard(relay, lambda one: one.flush_due(now))
        if now >= self._check_at:
            for relay in {relay for relay, _ in self._relays.values()}:
                self._guard(relay, lambda one: one.check(now))
            self._check_at = math.inf
        if self._relays and self._check_at == math.inf:
            self._check_at = now + (CHECK_IN_DRAIN_S if self._draining else CHECK_S)

    def _wait_for_journal(self) -> None:
        """Wait until the events are written. Meanwhile the unread bytes wait in the kernels of the senders."""
        while self._journal.waiting_bytes > WAITING_BYTES and not (self._draining or self._stopping):
            self._journal.wait_until_written(CHECK_IN_DRAIN_S)

    def _add(self, relay: Relay) -> None:
        for side in relay.sides:
            side.interest = _FORGOTTEN
            self._relays[side.fd] = relay, side
        relay.start(self)
        self._changed = True
        if self._draining:
            relay.drain(time.monotonic())

    def _begin_drain(self) -> None:
        now = time.monotonic()
        for relay in {relay for relay, _ in self._relays.values()}:
            self._guard(relay, lambda one: one.drain(now))
        self._check_at = now
        self._changed = True

    def _guard(self, relay: Relay, call: Callable[[Relay], None]) -> None:
        try:
            call(relay)
        except Exception as error:  # noqa: BLE001  as in _run
            self._fail(relay, error)

    def _fail(self, relay: Relay, error: Exception) -> None:
        self._journal.emit(relay.connection.make_failure(error))
        self._end(relay, DisconnectReason.INTERNAL_ERROR)

    def _end(self, relay: Relay, reason: Reason) -> None:
        with contextlib.suppress(Exception):
            relay.finish(reason)
