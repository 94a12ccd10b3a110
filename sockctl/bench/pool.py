"""One client of many: it connects, says what its kind says, and is out at the first thing that goes wrong."""

import contextlib
from abc import ABC, abstractmethod
from collections import deque
from dataclasses import dataclass, field

from sockctl.bench.connector import Connector, Secure
from sockctl.bench.loop import Loop
from sockctl.bench.pacing import Pacing
from sockctl.bench.plan import Plan
from sockctl.bench.stats import Stats
from sockctl.errors import UntrustedError
from sockctl.net.poller import READABLE, WRITABLE
from sockctl.net.transport import Transport, TransportError

BUFFER_BYTES = 65_536
"""Read at once: at least as much as a `TlsSocket` may have, so that nothing is left where no poller sees it."""
AT_ONCE = 64
"""Clients of a process that connect at the same time, so that no backlog overflows."""


@dataclass(slots=True)
class WorkerContext:
    """What all clients of a process share.

    Attributes:
        plan: What is to be measured.
        loop: What waits for all of them.
        pace: When they may send.
        stats: Where is counted.
        secure: Makes TLS of a socket; None for none.
        buffer: Where is received; what is in it belongs to the client that is called, until it returns.
        view: The same, to take parts of it.
    """

    plan: Plan
    loop: Loop
    pace: Pacing
    stats: Stats
    secure: Secure | None
    buffer: bytearray = field(default_factory=lambda: bytearray(BUFFER_BYTES))
    view: memoryview = field(init=False)

    def __post_init__(self) -> None:
        self.view = memoryview(self.buffer)


class Client(ABC):
    """One connection.

    Args:
        context: What all share.
        number: Which client this is, among those of all processes.

    Attributes:
        number: The same.
        joined: Whether it may begin to send.
        gone: Whether it has no connection any more.
    """

    def __init__(self, context: WorkerContext, number: int) -> None:
        self.context = context
        self.number = number
        self.joined = self.gone = False
        self._transport: Transport | None = None
        self._connector: Connector | None = None
        self._fd = -1
        self._until = 0.0

    def open(self, now: float) -> None:
        """Begin to connect."""
        self.joined = self.gone = False
        self._until = now + self.context.plan.timeout_s
        try:
            self._connector = Connector(self.context.plan, self.context.secure)
        except OSError:
            self.fail("not_connected")
            return
        self._transport = self._connector.transport
        self._fd = self._transport.fileno()
        self.context.loop.watch(self._fd, WRITABLE, self._advance)

    def _advance(self, _: int) -> None:
        """Go on connecting."""
        connector = self._connector
        assert connector is not None  # noqa: S101  else it isn't watched
        try:
            waits_for = connector.process_pending()
        except (TransportError, UntrustedError):
            self._transport = connector.transport
            self.fail("tls")
        except OSError:
            self._transport = connector.transport
            self.fail("not_connected")
        else:
            self._transport = connector.transport
            if waits_for:
                self.context.loop.watch(self._fd, waits_for, self._advance)
                return
            self._connector = None
            self.context.loop.watch(self._fd, READABLE, self.ready)
            self.connected(self._transport)

    @abstractmethod
    def connected(self, transport: Transport) -> None:
        """Take note that the connection stands."""

    @abstractmethod
    def ready(self, events: int) -> None:
        """Take what has come, and send what couldn't be sent."""

    @abstractmethod
    def waits_since(self) -> float | None:
        """Return since when an answer is awaited; None if none is."""

    def check_timeouts(self, now: float) -> None:
        """Give up where something takes too long."""
        if self._transport is None:  # not begun, or out
            return
        if not self.joined:
            if now > self._until:
                self.fail("not_connected" if self._connector is not None else "no_answer")
            return
        since = self.waits_since()
        if since is not None and now - since > self.context.plan.timeout_s:
            self.fail("no_answer")

    def want_to_send(self, wants: bool) -> None:
        """Watch for when something can be sent, too, or no more."""
        self.context.loop.watch(self._fd, READABLE | WRITABLE if wants else READABLE, self.ready)

    def fail(self, reason: str) -> None:
        """Count an error, and be out; a client that is out counts no more."""
        if self.gone:
            return
        self.context.stats.errors[reason] += 1
        self.drop()

    def drop(self) -> None:
        """Close the connection."""
        self.gone = True
        self._connector = None
        if self._transport is not None:
            self.context.loop.forget(self._fd)
            with contextlib.suppress(OSError):
                self._transport.close()
            self._transport = None


class ClientPool(ABC):
    """All clients of a process.

    Args:
        context: What they share.
    """

    def __init__(self, context: WorkerContext) -> None:
        self.context = context
        self.clients: list[Client] = []
        self._waiting: deque[Client] = deque()
        self._connecting: list[Client] = []

    def open(self) -> None:
        """Begin to let all of them connect."""
        self._waiting.extend(self.clients)

    def settle(self, now: float) -> bool:
        """Let more of them connect; return whether each is in, or out."""
        self._connecting = [client for client in self._connecting if not client.joined and not client.gone]
        while self._waiting and len(self._connecting) < AT_ONCE:
            client = self._waiting.popleft()
            client.open(now)
            self._connecting.append(client)
        return not self._connecting

    @property
    def here(self) -> list[Client]:
        """The clients that are in."""
        return [client for client in self.clients if client.joined and not client.gone]

    @property
    def all_out(self) -> bool:
        """Whether no client is left that could send anything."""
        return all(client.gone for client in self.clients)

    @property
    def answers(self) -> int:
        """How many answers a message is to get."""
        return 1

    @abstractmethod
    def begin(self, now: float) -> None:
        """Let all of them send as much as they may at once."""

    @abstractmethod
    def say(self, due: float) -> None:
        """Send a message that was due then."""

    @abstractmethod
    def awaits(self) -> bool:
        """Return whether answers are still to come."""

    def process_pending(self, now: float) -> None:  # noqa: B027  most have nothing to do
        """Do what is due beside the answers."""

    def check_timeouts(self, now: float) -> None:
        """Give up on clients for which something takes too long."""
        for client in self.clients:
            client.check_timeouts(now)

    def leave(self) -> bool:
        """Begin to leave; return whether there is something to wait for, until `all_out`."""
        return False

    def close(self) -> None:
        """Close all connections."""
        for client in self.clients:
            client.drop()
