"""The server: takes connections, lets in whom it may, and gives them to the service.

A `socketserver` server with its own accept loop. The stock loop polls twice a second for its end, takes one connection
per round, spins on one core when there are no descriptors left, and hangs at its close while one client is idle; this
one waits on all listening sockets and a wake-up at once, takes what is there, and pauses when the system runs dry. What
the hooks do is the library's own division: `get_request` accepts, `verify_request` lets in or refuses,
`process_request` gives the connection to the watcher, or to a handler thread for a conversation.
"""

import errno
import math
import select
import selectors
import socket
import socketserver
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, cast

from sockctl.errors import PeerGoneError
from sockctl.events.journal import Journal
from sockctl.events.reasons import DisconnectReason, RefusalReason
from sockctl.events.server import (
    AcceptPaused,
    AcceptResumed,
    ClientConnected,
    ClientRefused,
    ClientsRefused,
    ServerStopped,
    ServerStopping,
    TlsEstablished,
    TlsFailed,
)
from sockctl.net.address import host_of, shown
from sockctl.net.admission import AccessRules, Admission
from sockctl.net.connection import SEND_S, Connection, Handler
from sockctl.net.event_loop import EventLoop
from sockctl.net.input_budget import MEMBER_INPUT, STRANGER_INPUT, InputBudgets, InputRates
from sockctl.net.lifecycle import failure_of
from sockctl.net.listener import Listeners
from sockctl.net.message_peer import MessagePeer
from sockctl.net.raw_peer import RawPeerHandler
from sockctl.net.service import Conversation, MessageService, RawService, Service
from sockctl.net.transport import TlsTransport, TransportError
from sockctl.os_limits import usable_cores
from sockctl.source_network import IPV6_PREFIX, source_network
from sockctl.token_bucket import TokenBucket

__all__ = ["Limits", "Server", "default_event_threads"]

RETRY_S = 0.25
"""How long accepting pauses where the system has no descriptor or memory left."""
ACCEPTS_PER_ROUND = 64
REFUSALS_PER_SECOND = 10
"""Refusals told one by one; more become sums."""
STATE_HOLDS_S = 1.0
"""Accepting counts as paused until it has worked for so long, and is told at most once in so long."""
_PASSED_OVER = frozenset(
    getattr(errno, name)
    for name in (
        *("EAGAIN", "ECONNABORTED", "EINTR", "EPROTO", "ENETDOWN", "ENOPROTOOPT", "EHOSTDOWN", "ENONET"),
        *("EHOSTUNREACH", "EOPNOTSUPP", "ENETUNREACH"),
    )
    if hasattr(errno, name)
)
"""What accept() says where nobody waits any more, or where who waited has gone (accept(2), "Error handling")."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What a server grants its clients.

    Attributes:
        max_clients: Clients at once.
        max_clients_per_address: Clients at once from one address.
        max_pending: Clients at once that have not logged in yet; None for a quarter of `max_clients`.
        ipv6_prefix: Bits of an IPv6 address that count as one address.
        rules: Who may connect at all.
        idle_timeout_s: Seconds without traffic after which a connection is closed, or None.
        portion: Bytes in a portion, the unit in which data is told.
        handshake_s: Seconds that a TLS handshake may take.
        send_s: Seconds in which a client must take what a conversation sends.
        event_threads: Threads that watch the connections, each its share; 0 for `default_event_threads`.
        stranger_input: What the messages of clients that haven't logged in may cost.
        member_input: What the messages of those that are in may cost.
    """

    max_clients: int = 512
    max_clients_per_address: int = 32
    max_pending: int | None = None
    ipv6_prefix: int = IPV6_PREFIX
    rules: AccessRules = field(default_factory=AccessRules)
    idle_timeout_s: float | None = None
    portion: int = 1024
    handshake_s: float = 10.0
    send_s: float = SEND_S
    event_threads: int = 0
    stranger_input: InputRates = STRANGER_INPUT
    member_input: InputRates = MEMBER_INPUT


def default_event_threads() -> int:
    """Return how many event threads use this machine: one under the GIL, else one a core.

    Under the GIL only one runs at a time, and each hand-over costs more than it brings.
    """
    if getattr(sys, "_is_gil_enabled", lambda: True)():
        return 1
    return usable_cores()


class Server(socketserver.ThreadingMixIn, socketserver.BaseServer):
    """Serves one service on open listening sockets, which it closes at its end.

    `start` returns at once; `stop` ends it in order. Threads: one accepts, one or several watch, and each conversation
    has one, as has each TLS handshake. A connection stays with one event thread, so its batches come in order.

    Attributes:
        secure: Makes TLS of an accepted socket, or None where connections aren't encrypted; may be replaced at any
            time, and holds for whom is accepted then.
    """

    daemon_threads = True  # their end is waited for in stop(), with a bound, not at the interpreter's exit without one
    block_on_close = False  # as above

    def __init__(
        self,
        service: Service,
        listeners: Listeners,
        journal: Journal,
        limits: Limits,
        *,
        secure: Callable[[socket.socket], TlsTransport] | None = None,
    ) -> None:
        self.secure = secure
        super().__init__(listeners.sockets[0].getsockname(), socketserver.BaseRequestHandler)
        self._service = service
        self._listeners = listeners
        self._journal = journal
        self._limits = limits
        self._admission = Admission(
            limits.rules,
            max_clients=limits.max_clients,
            max_clients_per_address=limits.max_clients_per_address,
            max_pending=limits.max_pending,
            ipv6_prefix=limits.ipv6_prefix,
            evict=self._evict,
        )
        self._event_loops = [
            EventLoop(journal, idle_timeout_s=limits.idle_timeout_s, on_closed=self._closed)
            for _ in range(limits.event_threads or default_event_threads())
        ]
        self._budgets = InputBudgets(limits.stranger_input, limits.member_input)
        self._refusals = _Refusals(journal)
        self._accepted = 0
        self._sums = threading.Lock()  # guards the two below: each event thread adds to them
        self._bytes_in = self._bytes_out = 0
        self._started = time.monotonic()
        self._stopping = threading.Event()
        self._waker, self._woken = socket.socketpair()
        self._acceptor = threading.Thread(target=self.serve_forever, name="sockctl-acceptor", daemon=True)
        self._selector = selectors.DefaultSelector()
        self._accepting = _Accepting(journal)
        self._beginning = threading.Lock()  # a conversation begins when the acceptor is done with its connection
        self._conversations: set[threading.Thread] = set()  # each adds itself and takes itself out

    def start(self) -> None:
        """Start to accept and to serve."""
        self._service.start(self._journal)
        for event_loop in self._event_loops:
            event_loop.start()
        self._acceptor.start()

    def stop(self, drain_timeout_s: float) -> bool:
        """Take no more clients, answer what has been received, close every connection, and end all threads.

        Args:
            drain_timeout_s: Seconds that clients have to take what is queued for them.

        Returns:
            Whether everything has ended; a conversation that doesn't return may be left.
        """
        self._stopping.set()
        self._waker.send(b"\0")
        self._acceptor.join()
        self._journal.emit(ServerStopping(clients=self._admission.clients, drain_timeout_s=drain_timeout_s))
        for event_loop in self._event_loops:
            event_loop.drain(drain_timeout_s)
        until = time.monotonic() + drain_timeout_s + 5.0
        ended = [event_loop.join(max(0.0, until - time.monotonic())) for event_loop in self._event_loops]
        deadline = time.monotonic() + 1.0
        for thread in list(self._conversations):
            thread.join(max(0.0, deadline - time.monotonic()))
        self._waker.close()
        self._woken.close()
        self._service.stop()
        self._journal.emit(
            ServerStopped(
                clients=self._accepted,
                bytes_in=self._bytes_in,
                bytes_out=self._bytes_out,
                seconds=round(time.monotonic() - self._started, 3),
            )
        )
        return all(ended) and not self._conversations

    # Accepting: the acceptor's thread.

    def serve_forever(self, poll_interval: float = 0.5) -> None:  # noqa: ARG002  it waits for a wake-up instead
        """Accept clients until `stop`; the acceptor's thread runs it."""
        with self._selector as selector:
            selector.register(self._woken, selectors.EVENT_READ)
            for listener in self._listeners.sockets:
                selector.register(listener, selectors.EVENT_READ, listener)
            while not self._stopping.is_set():
                now = time.monotonic()
                waits_s = [
                    wait_s for wait_s in (self._refusals.wait_s(now), self._accepting.wait_s()) if wait_s is not None
                ]
                for key, _ in selector.select(min(waits_s, default=None)):
                    if key.data is not None:
                        self._accept_from(key.data)
                self._refusals.tell_sum(time.monotonic())
                self._accepting.tell(time.monotonic(), self._admission.clients)
        self._refusals.tell_sum(time.monotonic(), ending=True)
        self._listeners.close()

    def _accept_from(self, listener: socket.socket) -> None:
        """Take who waits at `listener`, some at a time so that the others get their turn."""
        self.socket = listener
        for _ in range(ACCEPTS_PER_ROUND):
            try:
                request, address = self.get_request()
            except OSError as error:
                # Linux looks for a free descriptor before it looks whether anybody waits: it counts only if one does.
                if error.errno not in _PASSED_OVER and _is_readable(listener):
                    self._accepting.failed(error, time.monotonic())
                    self._accepting.tell(time.monotonic(), self._admission.clients)
                    self._stopping.wait(RETRY_S)
                return
            if self.verify_request(request, address):
                try:
                    self.process_request(request, address)
                except Exception as error:  # noqa: BLE001  the acceptor must go on, whatever one client brings
                    self.handle_error(request, address, error)
            else:
                self.close_request(request)

    def get_request(self) -> tuple[socket.socket, Any]:
        """Accept one connection from the listening socket that is ready.

        Raises:
            OSError: There is none, or the system has nothing left for it.
        """
        return self.socket.accept()

    def verify_request(self, request: Any, client_address: Any) -> bool:  # noqa: ARG002  the library's signature
        """Return whether the client may come in; if so, it has taken a slot."""
        reason = self._admission.enter(host_of(client_address), pending=self._begin_pending)
        if reason is not None:
            self._refusals.tell(client_address, reason)
        return reason is None

    def close_request(self, request: Any) -> None:
        """Close the socket of a refused client."""
        request.close()

    def handle_error(self, request: Any, client_address: Any, error: Exception | None = None) -> None:
        """Refuse a client that was let in and could not be served, and give back its slot."""
        threads = isinstance(error, RuntimeError)  # what threading raises where the system gives no further thread
        self._admission.leave(host_of(client_address))
        self._refusals.tell(client_address, RefusalReason.OUT_OF_THREADS if threads else RefusalReason.INTERNAL_ERROR)
        self.close_request(request)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Give an accepted connection to the watcher, and to a handler thread where the service converses."""
        sock = request if self.secure is None else self.secure(request)
        connection = Connection(sock, client_address, self._accepted + 1, self._limits.portion, self._limits.send_s)
        connection.on_admitted = self._admission.admit
        connection.handler = self._handler(connection)
        conversing = self._begin_pending
        with self._beginning:
            if conversing:
                super().process_request(cast("Any", connection), client_address)
                self._admission.wait(connection)
            self._accepted += 1
            self._journal.emit(
                ClientConnected(
                    connection=connection.number,
                    peer=connection.peer,
                    clients=self._admission.clients,
                    max_clients=self._limits.max_clients,
                )
            )
            self._watcher_of(connection).add(connection, conversing=conversing)

    @property
    def _begin_pending(self) -> bool:
        """Whether clients have something before them until they are in: a conversation, or a TLS handshake."""
        return isinstance(self._service, Conversation) or self.secure is not None

    def _evict(self, connection: Connection) -> None:
        self._watcher_of(connection).close(connection, DisconnectReason.TOO_MANY_PENDING)

    def _watcher_of(self, connection: Connection) -> EventLoop:
        return self._event_loops[connection.number % len(self._event_loops)]

    def _handler(self, connection: Connection) -> Handler:
        """Make what the service and `connection` see of each other."""
        event_loop = self._watcher_of(connection)
        match self._service:
            case MessageService():
                budget = self._budgets.open(source_network(connection.host, self._limits.ipv6_prefix))
                return MessagePeer(connection, event_loop, self._service, self._journal, budget)
            case RawService():
                return RawPeerHandler(connection, event_loop, self._service)
            case _:
                raise TypeError(f"{type(self._service).__name__} is neither a RawService nor a MessageService")

    def process_request_thread(self, request: Any, client_address: Any) -> None:  # noqa: ARG002  as above
        """Hold one conversation; its handler thread runs it."""
        with self._beginning:  # the acceptor tells the connection and makes it known to the watcher first
            self._conversations.add(threading.current_thread())
        connection: Connection = request
        watch = False
        try:
            if isinstance(connection.sock, TlsTransport):
                self._shake_hands(connection, connection.sock)
            if isinstance(self._service, Conversation):
                connection.handler.converse(self._service)
                watch = connection.handler.watching
            else:
                watch = True
        except PeerGoneError:
            pass  # the connection says why
        except Exception as error:  # noqa: BLE001  one service's defect must not reach the terminal as a traceback
            self._journal.emit(failure_of(connection, error))
            connection.reason = DisconnectReason.INTERNAL_ERROR
        finally:
            self._watcher_of(connection).release(connection, watch=watch)
            self._conversations.discard(threading.current_thread())

    def _shake_hands(self, connection: Connection, tls: TlsTransport) -> None:
        """Do the TLS handshake.

        Raises:
            PeerGoneError: It failed, or was not done in time; both are told.
        """
        until = time.monotonic() + self._limits.handshake_s
        try:
            while event := tls.shake_hands():
                connection.wait({connection.fd: event}, until=until)
        except TransportError as error:
            failure = str(error)
        except TimeoutError:
            failure = f"the client did not finish it within {self._limits.handshake_s:g} s"
        except OSError as error:
            connection.note_error(error)
            raise PeerGoneError(f"{connection.peer} broke the connection off") from error
        else:
            version, cipher = tls.described()
            self._journal.emit(
                TlsEstablished(connection=connection.number, peer=connection.peer, version=version, cipher=cipher)
            )
            return
        if connection.reason is None:  # else the server has ended it, and what failed is only how it shows here
            self._journal.emit(TlsFailed(connection=connection.number, peer=connection.peer, error=failure))
            connection.reason = DisconnectReason.TLS_ERROR
        raise PeerGoneError(f"no TLS with {connection.peer}")

    def _closed(self, connection: Connection) -> None:
        self._admission.leave(connection.host, connection)
        with self._sums:
            self._bytes_in += connection.bytes_in
            self._bytes_out += connection.bytes_out


class _Refusals:
    """Tells refusals one by one, and what is beyond ten a second as sums. The acceptor's thread alone calls it."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._one_by_one = TokenBucket(rate=REFUSALS_PER_SECOND, burst=REFUSALS_PER_SECOND)
        self._sum: Counter[RefusalReason] = Counter()
        self._since = 0.0

    def tell(self, address: Any, reason: RefusalReason) -> None:
        """Tell that a client was refused, or add it to the sum."""
        now = time.monotonic()
        if not self._sum and self._one_by_one.take(now):
            self._journal.emit(ClientRefused(peer=shown(host_of(address), address[1]), reason=reason))
            return
        if not self._sum:
            self._since = now
        self._sum[reason] += 1

    def wait_s(self, now: float) -> float | None:
        """Return for how long the sum may still grow; None where there is none."""
        return max(0.0, self._since + 1.0 - now) if self._sum else None

    def tell_sum(self, now: float, *, ending: bool = False) -> None:
        """Tell the sum if it has grown for a second, or at the end whatever there is."""
        if not self._sum or (now < self._since + 1.0 and not ending):
            return
        seconds = round(now - self._since, 3)
        self._journal.emit(ClientsRefused(count=self._sum.total(), seconds=seconds, reasons=dict(self._sum)))
        self._sum.clear()


class _Accepting:
    """Tells when accepting is paused and when it works again. The acceptor's thread alone calls it.

    While clients come and go at the edge of what the system has, pauses come and go several times a second; what is
    told changes once a second at most.
    """

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._error = ""
        self._failed_at = self._told_at = -math.inf
        self._paused_at: float | None = None  # since when it is told to be paused

    def failed(self, error: OSError, now: float) -> None:
        """Note that a client who waits could not be accepted."""
        self._error = error.strerror or str(error)
        self._failed_at = now

    def wait_s(self) -> float | None:
        """Return after how long to look again; None while nothing is to be told."""
        return None if self._paused_at is None and math.isinf(self._failed_at) else RETRY_S

    def tell(self, now: float, clients: int) -> None:
        """Tell the state if it is another one than was told."""
        paused = now - self._failed_at < STATE_HOLDS_S
        if not paused and self._paused_at is None:
            self._failed_at = -math.inf
        if paused == (self._paused_at is not None) or now - self._told_at < STATE_HOLDS_S:
            return
        self._told_at = now
        if paused:
            self._paused_at = now
            self._journal.emit(AcceptPaused(error=self._error, clients=clients, retry_s=RETRY_S))
        elif self._paused_at is not None:
            self._journal.emit(AcceptResumed(seconds=round(now - self._paused_at, 3)))
            self._paused_at = None


def _is_readable(listener: socket.socket) -> bool:
    """Return whether somebody waits to be accepted; it takes no descriptor to find out."""
    poll = select.poll()
    poll.register(listener, select.POLLIN)
    return bool(poll.poll(0))
