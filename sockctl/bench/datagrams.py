"""Echo over UDP: each client sends datagrams with a number in them, and counts which come back, when and how often.

A lost datagram ends nothing: after the time for its answer the next one takes its place. What comes back wrong, or a
refusal by ICMP, ends the client, as over TCP.
"""

import socket
import time
from collections import deque

from sockctl.bench.payload import Payload
from sockctl.bench.pool import Speaker, SpeakerPool, WorkerContext
from sockctl.net.poller import READABLE, WRITABLE
from sockctl.net.transport import Transport

NUMBER_BYTES = 8
"""Bytes of the number at the beginning of each datagram, big-endian."""
LONGEST_BYTES = 65_507
"""Bytes of the longest datagram over IPv4, RFC 768 and 791."""
BUFFER_BYTES = 4 << 20
"""Wanted size of the kernel's receive buffer: what this process is too late to take is no loss of the server's."""
AT_ONCE = 64
"""Datagrams that a client takes before others have their turn."""


class DatagramClient(Speaker):
    """One socket.

    Args:
        context: The state that all clients share.
        number: The client's number.
        rest: The bytes behind the number in each datagram.
    """

    def __init__(self, context: WorkerContext, number: int, rest: bytes) -> None:
        super().__init__(context, number)
        self._rest = rest
        self._size = NUMBER_BYTES + len(rest)
        self._sock: socket.socket | None = None
        self._next = 0  # the number of the next datagram
        self._highest = -1  # the highest number that has come back
        self._sent: dict[int, float] = {}  # when each datagram was due that isn't back, the oldest first
        self._lost: dict[int, float] = {}  # the same of those whose time was up
        self._dues: deque[float] = deque()  # those that the system hasn't taken yet
        self._closed_loop = context.plan.rate is None
        self._waits_to_send = False

    def open(self, now: float) -> None:
        """Open the socket; nobody need be asked for that."""
        server = self.context.plan.servers[self.number % len(self.context.plan.servers)]
        self.gone, self.joined = False, False
        self._until = now
        try:
            self._sock = sock = socket.socket(server.family, socket.SOCK_DGRAM)
            self._transport = sock
            sock.setblocking(False)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFER_BYTES)
            sock.connect(server.socket_address)
        except OSError:
            self.fail("not_connected")
            return
        self._fd = sock.fileno()
        self.context.loop.watch(self._fd, READABLE, self.ready)
        self.joined = True

    def connected(self, transport: Transport) -> None:
        """Not called: nothing connects."""

    def find_wait_start(self) -> float | None:
        """Return when the oldest datagram that isn't back was sent."""
        return next(iter(self._sent.values()), None)

    @property
    def awaits(self) -> bool:
        """Whether the client waits for datagrams to come back."""
        return bool(self._sent or self._dues)

    def say(self, times: int, due: float) -> None:
        """Send `times` datagrams that were due at `due`."""
        self._dues.extend([due] * times)
        self._flush()

    def ready(self, events: int) -> None:
        """Take what has come back; send as many datagrams as that is."""
        if events & WRITABLE:
            self._flush()
        sock, sent = self._sock, self._sent
        if sock is None or not events & ~WRITABLE:
            return
        clock = time.monotonic
        for _ in range(AT_ONCE):
            try:
                data = sock.recv(self._size + 1)
            except BlockingIOError:
                return
            except OSError:
                self.fail("refused")
                return
            if len(data) != self._size or not data.endswith(self._rest):
                self.fail("corrupt")
                return
            self._take(int.from_bytes(data[:NUMBER_BYTES]), clock())
            if not sent or self.gone:
                return  # mostly nothing more has come; else the loop comes back at once

    def _take(self, number: int, now: float) -> None:
        """Count a datagram that has come back."""
        context = self.context
        stats, measured_from = context.stats, context.pace.measured_from
        due = self._sent.pop(number, None)
        if due is None:
            self._take_again(number)
            return
        if due >= measured_from:
            stats.answer(now - due, now, self._size)
            stats.out_of_order += number < self._highest
        self._highest = max(self._highest, number)
        if self._closed_loop and (more := context.pace.grant(1, now)):
            self.say(more, now)

    def _take_again(self, number: int) -> None:
        """Count a datagram that comes when its time was up, or once more."""
        stats, measured_from = self.context.stats, self.context.pace.measured_from
        if number >= self._next:
            self.fail("corrupt")
        elif (due := self._lost.pop(number, None)) is not None:
            stats.late += due >= measured_from
        else:
            stats.duplicates += 1

    def _flush(self) -> None:
        """Send datagrams that are due, as far as the system takes them."""
        sock, dues = self._sock, self._dues
        while dues and sock is not None and not self.gone:
            try:
                sock.send(self._next.to_bytes(NUMBER_BYTES) + self._rest)
            except BlockingIOError:
                break
            except OSError:
                self.fail("refused")
                return
            self._sent[self._next] = dues.popleft()
            self._next += 1
        if self._sock is not None and not self.gone and bool(dues) != self._waits_to_send:
            self._waits_to_send = bool(dues)
            self.want_to_send(self._waits_to_send)

    def check_timeouts(self, now: float) -> None:
        """Give datagrams up whose time is up; in a closed loop, others take their places."""
        sent, too_old = self._sent, now - self.context.plan.timeout_s
        given_up = 0
        while sent:
            number, due = next(iter(sent.items()))
            if due > too_old:
                break
            del sent[number]
            self._lost[number] = due
            given_up += 1
        if given_up and self._closed_loop and not self.gone and (more := self.context.pace.grant(given_up, now)):
            self.say(more, now)

    def drop(self) -> None:
        """Close the socket."""
        super().drop()
        self._sock = None
        self._sent.clear()
        self._dues.clear()


class DatagramPool(SpeakerPool):
    """The clients of an echo server of UDP.

    Args:
        context: The state that they share.
    """

    def __init__(self, context: WorkerContext) -> None:
        plan = context.plan
        rest = Payload(plan.size_bytes).block[: plan.size_bytes - NUMBER_BYTES]
        super().__init__(
            context, [DatagramClient(context, plan.first + number, rest) for number in range(plan.clients)]
        )
