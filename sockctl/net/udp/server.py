"""A server that answers each datagram with one, in one thread for all clients: UDP has no connections.

Python has no recvmmsg(). So the thread takes up to `BURST` datagrams from a ready socket, one call each, and answers
each at once. Python takes 0.3 of the time, the kernel the rest.

A forger of source addresses must not gain by the answers. An answer is no longer than its datagram. A rate bounds the
answers to an address of another machine. Ports where another server would answer in turn get none. Another echo at a
high port can't be told from a client that sends each answer again. There the rate is the bound: one datagram goes
round, and the first one without an answer ends that.

The module is long, as one class has all that happens in the thread.
"""

import errno
import math
import socket
import threading
import time
from collections.abc import Callable
from queue import SimpleQueue
from typing import Any

from sockctl.deadline import Deadline
from sockctl.events.journal import Journal
from sockctl.events.reasons import ForgottenReason, UnansweredReason
from sockctl.events.server import ServerStopped, ServerStopping
from sockctl.events.udp import DatagramsDropped
from sockctl.net.address import extract_host
from sockctl.net.listener import Listeners
from sockctl.net.poller import READABLE, open_poller
from sockctl.net.udp.client_events import ClientEvents
from sockctl.net.udp.clients import FEW, DatagramClient, DatagramClients
from sockctl.net.udp.failures import Failures
from sockctl.net.udp.inspection import ClientLook, DatagramCounts
from sockctl.net.udp.limits import DatagramLimits
from sockctl.net.udp.sockets import BUFFER_BYTES, DatagramSocket
from sockctl.net.udp.traffic import DatagramTraffic
from sockctl.net.udp.unanswered import UnansweredDatagrams

BURST = 64
"""Datagrams that a socket gets answered before the next one has its turn."""
JOIN_S = 5.0
"""How long after the drain's end the server waits for its thread."""
DROPS_S = 1.0
"""How often the kernel is asked whether it has dropped datagrams, while any come."""
FAILURE_S = 0.05
"""How long the thread rests where a defect keeps it from doing what is due: else it would try again without end."""

_FAILURES: dict[int | None, UnansweredReason] = {errno.EMSGSIZE: UnansweredReason.TOO_LONG}
LEAST_TAKEN_BYTES = 256
"""Bytes that a waiting datagram takes of a receive buffer at least."""

MakeAnswer = Callable[[memoryview], bytes | memoryview]
"""Returns the answer to a datagram, which is valid during the call only."""


class DatagramServer:
    """Answers datagrams at its sockets, which it closes at its end. `start` returns at once; `stop` ends it in order.

    Args:
        listeners: The bound sockets.
        make_answer: Makes the answer to a datagram; None for the datagram itself.
        journal: Takes the events.
        limits: The limits for clients.
    """

    def __init__(
        self, listeners: Listeners, make_answer: MakeAnswer | None, journal: Journal, limits: DatagramLimits
    ) -> None:
        self._listeners = listeners
        self._make_answer = make_answer
        self._journal = journal
        self._limits = limits
        buffer = bytearray(BUFFER_BYTES)
        self._view = memoryview(buffer)
        self.sockets = [DatagramSocket(sock, buffer, limits.buffer_bytes) for sock in listeners.sockets]
        self._clients = DatagramClients(limits)
        self._traffic = DatagramTraffic(journal, limits)
        self._unanswered = UnansweredDatagrams(journal, limits.unanswered_per_second)
        self._client_events = ClientEvents(journal, limits)
        self._failures = Failures(journal)
        self._touched: list[tuple[Any, DatagramClient]] = []
        self._drops_at: float | None = None  # when to ask the kernel again
        self._looks: SimpleQueue[ClientLook] = SimpleQueue()
        self._started = time.monotonic()
        self._stop_within_s: float | None = None
        self._waker, self._woken = socket.socketpair()
        self._woken.setblocking(False)
        self._thread = threading.Thread(target=self._run, name="sockctl-datagrams", daemon=True)

    def start(self) -> None:
        """Start to serve."""
        self._thread.start()

    def stop(self, drain_timeout_s: float) -> bool:
        """Answer the datagrams that wait in the kernel, close the sockets, and stop the thread.

        Args:
            drain_timeout_s: Seconds that the waiting datagrams may take.

        Returns:
            Whether the thread has ended.
        """
        clients = len(self._clients.by_address)
        self._journal.emit(ServerStopping(clients=clients, drain_timeout_s=drain_timeout_s, udp=True))
        self._stop_within_s = drain_timeout_s
        self._waker.send(b"\0")
        self._thread.join(drain_timeout_s + JOIN_S)
        if self._thread.is_alive():
            return False
        self._waker.close()
        self._woken.close()
        counts = self.count()
        self._journal.emit(
            ServerStopped(
                clients=counts.heard,
                bytes_in=counts.bytes_in,
                bytes_out=counts.bytes_out,
                seconds=counts.uptime_s,
                datagrams_in=counts.datagrams_in,
                datagrams_out=counts.datagrams_out,
            )
        )
        return True

    # For `sockctl watch`: any thread.

    def abandon(self) -> None:
        """Do nothing: no part of the server outlives it."""

    def list_clients(self, patience_s: float = 1.0) -> tuple[list[DatagramClient], float | None]:
        """Return the clients, and the lag of the server's thread in seconds: None where it didn't answer in time."""
        look = ClientLook()
        self._looks.put(look)
        try:
            self._waker.send(b"\0")
        except OSError:
            return [], None  # it has stopped
        lag_s = look.wait(patience_s)
        return look.clients, lag_s

    def count(self) -> DatagramCounts:
        """Return the server's counts; other threads get the clients' as they are at some moment of the call."""
        sums = [self._client_events.forgotten, *(one.counts for one in self._clients.by_address.copy().values())]
        datagrams_in, bytes_in, datagrams_out, bytes_out = (sum(each) for each in zip(*sums, strict=True))
        return DatagramCounts(
            uptime_s=round(time.monotonic() - self._started, 3),
            heard=self._clients.heard,
            clients=len(self._clients.by_address),
            max_remembered=self._limits.max_remembered,
            unanswered={str(reason): count for reason, count in self._unanswered.counts.items() if count},
            datagrams_in=datagrams_in,
            datagrams_out=datagrams_out,
            bytes_in=bytes_in,
            bytes_out=bytes_out,
        )

    # The server's thread.

    def _run(self) -> None:
        by_descriptor = {one.fileno(): one for one in self.sockets}
        poller = open_poller()
        try:
            for descriptor in (*by_descriptor, self._woken.fileno()):
                poller.register(descriptor, READABLE)
            while self._stop_within_s is None:
                ready = poller.poll(self._find_wait_s())
                now = time.monotonic()
                for descriptor, _ in ready:
                    if (one := by_descriptor.get(descriptor)) is not None:
                        self._failures.guard(self._serve, one, now)
                    else:
                        self._answer_looks()
                if not self._failures.guard(self._settle, now):
                    time.sleep(FAILURE_S)
                self._failures.limit.emit_sum(now)
            self._failures.guard(self._drain, Deadline.after(self._stop_within_s))
            self._failures.guard(self._end, time.monotonic())
            self._failures.limit.emit_sum(time.monotonic(), ending=True)
        finally:
            poller.close()
            self._listeners.close()

    def _drain(self, deadline: Deadline) -> None:
        """Answer the datagrams in the receive buffers, but not those that go on coming."""
        for one in self.sockets:
            for _ in range(1 + one.buffer_bytes // LEAST_TAKEN_BYTES // BURST):
                if not self._serve(one, time.monotonic()) or deadline.left_s <= 0:
                    break

    def _serve(self, sock: DatagramSocket, now: float) -> bool:
        """Answer up to `BURST` datagrams; return whether more may wait."""
        receive, send, view, make_answer = sock.receive, sock.send, self._view, self._make_answer
        known = self._clients.by_address
        for _ in range(BURST):
            try:
                size, address, ancillary = receive()
            except BlockingIOError:
                return False
            except OSError:
                continue  # of an earlier answer, as an ICMP message has reported it on some systems
            client = known.get(address) or self._meet(sock, address, size, now)
            if client is None:
                continue
            client.datagrams_in += 1
            client.bytes_in += size
            if len(client.sizes_in) < FEW:
                client.sizes_in.append(size)
            if not client.is_touched:
                client.is_touched = True
                self._touched.append((address, client))
            if ancillary is sock.no_answer or (client.bucket is not None and not client.bucket.accept(now)):
                reason = UnansweredReason.MULTICAST if ancillary is sock.no_answer else UnansweredReason.TOO_FAST
                self._unanswered.add(address, size, reason, now)
                continue
            answer = view[:size] if make_answer is None else make_answer(view[:size])
            try:
                send(answer, address, ancillary)
            except OSError as error:
                self._unanswered.add(address, size, _FAILURES.get(error.errno, UnansweredReason.SEND_FAILED), now)
                continue
            client.datagrams_out += 1
            client.bytes_out += len(answer)
            if len(client.sizes_out) < FEW:
                client.sizes_out.append(len(answer))
        return True

    def _meet(self, sock: DatagramSocket, address: Any, size: int, now: float) -> DatagramClient | None:
        """Remember a new address, and return its client; None where it gets no answer."""
        if not self._limits.rules.lets_in(extract_host(address)):
            reason = UnansweredReason.DENIED
        elif address[1] < self._limits.lowest_port:
            reason = UnansweredReason.LOW_PORT
        elif address[1] == sock.port:
            reason = UnansweredReason.OWN_PORT
        else:
            self._note_touched(now)  # none of them may be the longest silent one
            client, displaced = self._clients.add(address, now)
            if displaced is not None:
                self._forget(displaced, ForgottenReason.DISPLACED, now)
            self._client_events.add(client, len(self._clients.by_address), now)
            return client
        self._unanswered.add(address, size, reason, now)
        return None

    def _forget(self, client: DatagramClient, reason: ForgottenReason, now: float) -> None:
        """Emit the last traffic and the end of a client that is remembered no more."""
        self._traffic.settle(client, now)
        self._client_events.forget(client, reason, now)

    def _note_touched(self, now: float) -> None:
        """Note who was heard, and emit the traffic."""
        if not self._touched:
            return
        touched, self._touched = self._touched, []
        for _, client in touched:
            client.is_touched = False
        for address, client in touched:
            self._clients.note_heard(address, client, now)
            self._traffic.add(client, now)
        self._drops_at = self._drops_at or now + DROPS_S

    def _settle(self, now: float) -> None:
        """Do all that is due."""
        self._note_touched(now)
        if now >= self._traffic.due_at:
            self._traffic.emit_sums(now)
        self._unanswered.limit.emit_sum(now)
        self._client_events.limit.emit_sum(now)
        while (idle := self._clients.pop_idle(now)) is not None:
            self._forget(idle, ForgottenReason.IDLE, now)
        if self._drops_at is not None and now >= self._drops_at:
            self._drops_at = None
            self._emit_dropped()

    def _emit_dropped(self) -> None:
        for one in self.sockets:
            if dropped := one.pop_dropped():
                self._journal.emit(
                    DatagramsDropped(host=one.address, port=one.port, count=dropped, buffer_bytes=one.buffer_bytes)
                )

    def _find_wait_s(self) -> float | None:
        """Return how long nothing is due; None for any time."""
        sums = (
            self._unanswered.limit.due_at,
            self._client_events.limit.due_at,
            self._failures.limit.due_at,
            self._clients.find_idle_at(),
            self._drops_at,
        )
        due_at = min(self._traffic.due_at, *(at for at in sums if at is not None), math.inf)
        return None if math.isinf(due_at) else max(0.0, due_at - time.monotonic())

    def _answer_looks(self) -> None:
        self._woken.recv(4096)
        while not self._looks.empty():
            self._looks.get().answer(list(self._clients.by_address.values()))

    def _end(self, now: float) -> None:
        """Emit what is left: events, sums, and the end of each client."""
        self._settle(now)
        self._emit_dropped()
        self._unanswered.limit.emit_sum(now, ending=True)
        self._client_events.limit.emit_sum(now, ending=True)
        for client in sorted(self._clients.by_address.values(), key=lambda each: each.number):
            self._forget(client, ForgottenReason.SERVER_STOPPING, now)
        self._clients.by_address.clear()
