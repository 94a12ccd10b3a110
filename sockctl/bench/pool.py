"""The clients of one process: each connects, sends as its kind does, and is out after its first error."""

import contextlib
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Sequence
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
"""Bytes read at once: at least as many as a `TlsSocket` may hold, where no poller sees them."""
AT_ONCE = 64
"""Clients of a process that connect at the same time, so that no backlog overflows."""


@dataclass(slots=True)
class WorkerContext:
    """The state that all clients of a process share.

    Attributes:
        plan: The plan of the measuring.
        loop: Waits for all connections.
        pace: Says how many messages may go out.
        stats: Counts messages, answers and errors.
        secures: For each server, makes TLS of a socket; None for plain connections.
        buffer: Holds received bytes, for the called client alone, until it returns.
        view: A view of the buffer.
    """

    plan: Plan
    loop: Loop
    pace: Pacing
    stats: Stats
    secures: Sequence[Secure | None]
    buffer: bytearray = field(default_factory=lambda: bytearray(BUFFER_BYTES))
    view: memoryview = field(init=False)

    def __post_init__(self) -> None:
        self.view = memoryview(self.buffer)


class Client(ABC):
    """One connection.

    Args:
        context: The state that all clients share.
        number: The client's number, among those of all processes.

    Attributes:
        number: As the argument.
        joined: Whether the client may begin to send.
        gone: Whether the client has no connection any more.
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
        servers = self.context.plan.servers
        which = self.number % len(servers)
        try:
            self._connector = Connector(servers[which], self.context.secures[which])
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
        """Note that the connection is established."""

    @abstractmethod
    def ready(self, events: int) -> None:
        """Receive, and send bytes that couldn't be sent before."""

    @abstractmethod
    def find_wait_start(self) -> float | None:
        """Return since when the client waits for an answer; None if it waits for none."""

    def check_timeouts(self, now: float) -> None:
        """Fail if the client has waited too long."""
        if self._transport is None:  # not begun, or out
            return
        if not self.joined:
            if now > self._until:
                self.fail("not_connected" if self._connector is not None else "no_answer")
            return
        since = self.find_wait_start()
        if since is not None and now - since > self.context.plan.timeout_s:
            self.fail("no_answer")

    def want_to_send(self, wants: bool) -> None:
        """Watch whether the socket is writable as well, or no more."""
        self.context.loop.watch(self._fd, READABLE | WRITABLE if wants else READABLE, self.ready)

    def fail(self, reason: str) -> None:
        """Count an error, and close the connection; the errors of a client that is gone don't count."""
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
        context: The state that they share.
    """

    def __init__(self, context: WorkerContext) -> None:
        self.context = context
        self.clients: list[Client] = []
        self._waiting: deque[Client] = deque()
        self._connecting: list[Client] = []

    def open(self) -> None:
        """Put all clients in line to connect."""
        self._waiting.extend(self.clients)

    def settle(self, now: float) -> bool:
        """Let more clients connect; return whether each has joined or gone."""
        self._connecting = [client for client in self._connecting if not client.joined and not client.gone]
        while self._waiting and len(self._connecting) < AT_ONCE:
            client = self._waiting.popleft()
            client.open(now)
            self._connecting.append(client)
        return not self._connecting

    @property
    def here(self) -> list[Client]:
        """The clients that have joined and are not gone."""
        return [client for client in self.clients if client.joined and not client.gone]

    @property
    def all_out(self) -> bool:
        """Whether all clients are gone."""
        return all(client.gone for client in self.clients)

    @property
    def answers(self) -> int:
        """How many answers a message is to get."""
        return 1

    @abstractmethod
    def begin(self, now: float) -> None:
        """Let all clients send as much as they may at once."""

    @abstractmethod
    def say(self, due: float) -> None:
        """Send a message that was due at `due`."""

    @abstractmethod
    def awaits(self) -> bool:
        """Return whether a client waits for answers."""

    def process_pending(self, now: float) -> None:  # noqa: B027  most have nothing to do
        """Do the work that is due and that no answer starts."""

    def check_timeouts(self, now: float) -> None:
        """Fail the clients that have waited too long."""
        for client in self.clients:
            client.check_timeouts(now)

    def leave(self) -> bool:
        """Begin to leave; return whether the caller must wait for `all_out`."""
        return False

    def close(self) -> None:
        """Close all connections."""
        for client in self.clients:
            client.drop()


class Speaker(Client):
    """A client that says what it is told to, and waits for the answers."""

    @property
    @abstractmethod
    def awaits(self) -> bool:
        """Whether the client waits for answers."""

    @abstractmethod
    def say(self, times: int, due: float) -> None:
        """Send `times` messages that were due at `due`."""


class SpeakerPool(ClientPool):
    """Clients of which each keeps several messages in flight, or that speak in turns.

    Args:
        context: The state that they share.
        speakers: The clients.
    """

    def __init__(self, context: WorkerContext, speakers: Sequence[Speaker]) -> None:
        super().__init__(context)
        self._speakers = speakers
        self.clients.extend(speakers)
        self._turn = 0

    def begin(self, now: float) -> None:
        """Let all clients send as much as they may at once."""
        for one in self._speakers:
            if one.joined and not one.gone and (times := self.context.pace.grant(self.context.plan.depth, now)):
                one.say(times, now)

    def say(self, due: float) -> None:
        """Let the next client send a message; if it is gone, the message counts as due, and is lost."""
        one = self._speakers[self._turn]
        self._turn = (self._turn + 1) % len(self._speakers)
        if one.joined and not one.gone:
            one.say(1, due)

    def awaits(self) -> bool:
        """Return whether a client waits for answers."""
        return any(one.awaits and not one.gone for one in self._speakers)
