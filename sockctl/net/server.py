"""The server: lets in the clients that may connect, and gives each connection to the service.

This is a `socketserver` server with its own accept loop (`sockctl.net.acceptor`). The hooks divide the work as the
library does: `get_request` accepts, `verify_request` lets in or refuses, `process_request` gives the connection to an
event loop, or to a handler thread for a conversation. The module is longer than others, since one class has all hooks.
"""

import contextlib
import socket
import socketserver
import sys
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, Protocol, cast

from sockctl.deadline import Deadline
from sockctl.errors import PeerGoneError
from sockctl.events.connection import ClientConnected
from sockctl.events.journal import Journal
from sockctl.events.reasons import DisconnectReason, RefusalReason
from sockctl.events.server import ServerStopped, ServerStopping
from sockctl.net.acceptor import Acceptor
from sockctl.net.address import extract_host
from sockctl.net.admission import Admission
from sockctl.net.connection import Connection
from sockctl.net.door import Door, ServiceDoor
from sockctl.net.event_loop import EventLoop
from sockctl.net.input_budget import InputBudgets
from sockctl.net.inspection import Inspection, ServerCounts
from sockctl.net.limits import Limits, Timeouts
from sockctl.net.listener import Listeners
from sockctl.net.service import Service
from sockctl.net.tls_server import shake_hands
from sockctl.net.transport import TlsTransport
from sockctl.net.unix_connection import read_peer
from sockctl.os_limits import count_usable_cores
from sockctl.source_network import find_source_network

JOIN_S = 5.0
"""How long after the drain's end the server waits for an event thread."""
CONVERSATIONS_S = 1.0
"""How long the server then waits for all handler threads."""


class _MakeEventLoop(Protocol):
    def __call__(
        self, journal: Journal, limits: Limits, timeouts: Timeouts, *, on_closed: Callable[[Connection], None]
    ) -> EventLoop: ...


def count_event_threads() -> int:
    """Return how many event threads use this machine: one under the GIL, else one a core.

    Under the GIL only one runs at a time, and each hand-over costs more than it brings.
    """
    if getattr(sys, "_is_gil_enabled", lambda: True)():
        return 1
    return count_usable_cores()


class Server(socketserver.ThreadingMixIn, socketserver.BaseServer):
    """Serves one service at its doors, whose listening sockets it closes at its end.

    `start` returns at once; `stop` ends it in order. Threads: one accepts, one or several watch, and each conversation
    has one, as has each TLS handshake. A connection stays with one event thread, so its batches come in order.

    Args:
        service: The service.
        listeners: The listening sockets of the service's own door.
        journal: Takes the events.
        limits: The limits for clients.
        timeouts: How long each step may take.
        secure: See the attribute.
        doors: Further doors.
        make_event_loop: Makes each event thread.

    Raises:
        SockctlError: The service can't serve there.

    Attributes:
        secure: Returns TLS over an accepted socket; None without encryption. The caller may replace it at any time, for
            the clients that connect from then on.
    """

    daemon_threads = True  # `stop` waits for them with a bound; the interpreter's exit would wait without one
    block_on_close = False  # as above

    def __init__(
        self,
        service: Service,
        listeners: Listeners,
        journal: Journal,
        limits: Limits,
        timeouts: Timeouts | None = None,
        *,
        secure: Callable[[socket.socket], TlsTransport] | None = None,
        doors: Sequence[Door] = (),
        make_event_loop: _MakeEventLoop = EventLoop,
    ) -> None:
        service.take_place(listeners)
        timeouts = timeouts or Timeouts()
        self.secure = secure
        super().__init__(listeners.sockets[0].getsockname(), socketserver.BaseRequestHandler)
        self.socket = listeners.sockets[0]  # the acceptor sets it to the one that is ready
        all_doors = [ServiceDoor(service, listeners, journal, timeouts), *doors]
        self._doors: dict[socket.socket, Door] = {one: door for door in all_doors for one in door.listeners.sockets}
        self._service = service
        self._journal = journal
        self._limits = limits
        self._timeouts = timeouts
        self._admission = Admission(limits, settle_s=timeouts.settle_s, evict=self._evict)
        self._event_loops = [
            make_event_loop(journal, limits, timeouts, on_closed=self._add_closed)
            for _ in range(limits.event_threads or count_event_threads())
        ]
        self._budgets = InputBudgets(limits.stranger_input, limits.member_input)
        self._acceptor = Acceptor(
            self,
            [door.listeners for door in all_doors],
            journal,
            limits=limits,
            timeouts=timeouts,
            count_clients=lambda: self._admission.clients,
        )
        self._accepted = 0
        self._sums = threading.Lock()  # guards the two below: each event thread adds to them
        self._bytes_in = self._bytes_out = 0
        self._started = time.monotonic()
        self._beginning = threading.Lock()  # a conversation begins when the acceptor is done with its connection
        self._conversations: set[threading.Thread] = set()  # each adds itself and takes itself out

    def start(self) -> None:
        """Start to accept and to serve."""
        self._service.start(self._journal)
        for event_loop in self._event_loops:
            event_loop.start()
        self._acceptor.start()

    def stop(self, drain_timeout_s: float) -> bool:
        """Accept no more clients, answer the received input, close every connection, and stop all threads.

        Args:
            drain_timeout_s: Seconds that clients have to read the queued bytes.

        Returns:
            Whether everything has ended; a conversation that doesn't return may be left.
        """
        self._acceptor.stop()
        self._journal.emit(ServerStopping(clients=self._admission.clients, drain_timeout_s=drain_timeout_s))
        self._service.prepare_stop()
        for event_loop in self._event_loops:
            event_loop.drain(drain_timeout_s)
        deadline = Deadline.after(drain_timeout_s + JOIN_S)
        ended = [event_loop.join(deadline.left_s) for event_loop in self._event_loops]
        deadline = Deadline.after(CONVERSATIONS_S)
        for thread in list(self._conversations):
            thread.join(deadline.left_s)
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

    def abandon(self) -> None:
        """Leave nothing behind: the process is about to end without `stop`, or in the middle of it."""
        self._service.abandon()

    # For those who watch the server: any thread.

    def inspect(self) -> list[Inspection]:
        """Have each event thread give its connections, and return what they will answer."""
        return [event_loop.inspect() for event_loop in self._event_loops]

    def count(self) -> ServerCounts:
        """Return the server's counts."""
        return ServerCounts(
            uptime_s=round(time.monotonic() - self._started, 3),
            accepted=self._accepted,
            refused=self._acceptor.refused,
            clients=self._admission.clients,
            max_clients=self._limits.max_clients,
            pending=self._admission.pending,
            max_pending=self._admission.max_pending,
            bytes_in=self._bytes_in,
            bytes_out=self._bytes_out,
        )

    @property
    def listening_sockets(self) -> list[tuple[socket.socket, Door]]:
        """The listening sockets, each with its door; closed ones once the server stops."""
        return list(self._doors.items())

    # Accepting: the acceptor's thread.

    def serve_forever(self, poll_interval: float = 0.5) -> None:  # noqa: ARG002  it waits for a wake-up instead
        """Accept clients until `stop`; the acceptor's thread calls it."""
        self._acceptor.run()

    def get_request(self) -> tuple[socket.socket, Any]:
        """Accept one connection from the listening socket that is ready.

        The address of a client at a Unix socket is its user, with the process id in the place of the port.

        Raises:
            OSError: No client waits, or the system has no descriptor or memory left.
        """
        sock, address = self.socket.accept()
        if isinstance(address, tuple):
            return sock, address
        return sock, read_peer(sock)

    def verify_request(self, request: Any, client_address: Any) -> bool:
        """Return whether the client may connect; if so, count it."""
        reason = self._admission.add(extract_host(client_address), pending=self._begins_pending)
        if reason is not None:
            self._acceptor.refuse(client_address, reason)
            if reason is not RefusalReason.DENIED:
                self._excuse(request)
        return reason is None

    def _excuse(self, request: Any) -> None:
        """Tell the client that there is no place, as far as the kernel takes that at once."""
        excuse = self._door.excuse
        if excuse and self.secure is None:
            with contextlib.suppress(OSError):
                request.send(excuse, socket.MSG_DONTWAIT)

    def close_request(self, request: Any) -> None:
        """Close the socket of a refused client."""
        request.close()

    def handle_error(self, request: Any, client_address: Any, error: Exception | None = None) -> None:
        """Refuse a client that the server has let in and can't serve, and free its place."""
        threads = isinstance(error, RuntimeError)  # threading raises it if the system gives no further thread
        self._admission.remove(extract_host(client_address))
        self._acceptor.refuse(client_address, RefusalReason.OUT_OF_THREADS if threads else RefusalReason.INTERNAL_ERROR)
        self.close_request(request)

    def process_request(self, request: Any, client_address: Any) -> None:
        """Give an accepted connection to its event loop, and to a handler thread where the service converses."""
        sock = request if self.secure is None else self.secure(request)
        number = self._accepted + 1
        connection = Connection(
            sock, client_address, number, portion=self._limits.portion, send_s=self._timeouts.send_s
        )
        connection.on_admitted = self._admission.admit
        budget = self._budgets.open(find_source_network(connection.host, self._limits.ipv6_prefix))
        connection.handler = self._door.make_handler(connection, self._find_event_loop(connection), budget)
        conversing = self._begins_pending
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
            self._find_event_loop(connection).add(connection, conversing=conversing)

    @property
    def _begins_pending(self) -> bool:
        """Whether a client begins with a conversation or a TLS handshake, and is pending until its end."""
        return self._door.converses or self.secure is not None

    @property
    def _door(self) -> Door:
        """The door at which the acceptor accepts now; only its thread asks."""
        return self._doors[self.socket]

    def _evict(self, connection: Connection) -> None:
        self._find_event_loop(connection).close(connection, DisconnectReason.TOO_MANY_PENDING)

    def _find_event_loop(self, connection: Connection) -> EventLoop:
        return self._event_loops[connection.number % len(self._event_loops)]

    def process_request_thread(self, request: Any, client_address: Any) -> None:  # noqa: ARG002  as above
        """Shake hands, and hold one conversation; its handler thread runs it."""
        connection: Connection = request
        thread = threading.current_thread()
        thread.name = f"sockctl-handler-{connection.number}"
        with self._beginning:  # the acceptor tells the connection and makes it known to its event loop first
            self._conversations.add(thread)
        watch = False
        try:
            if isinstance(connection.sock, TlsTransport):
                shake_hands(connection, connection.sock, self._journal, timeout_s=self._timeouts.handshake_s)
            connection.handler.converse(self._service)
            watch = connection.handler.watching
        except PeerGoneError:
            pass  # the connection says why
        except Exception as error:  # noqa: BLE001  a service's defect must not reach the terminal as a traceback
            self._journal.emit(connection.make_failure(error))
            connection.reason = DisconnectReason.INTERNAL_ERROR
        finally:
            if not connection.handler.keeps:
                self._find_event_loop(connection).release(connection, watch=watch)
            self._conversations.discard(thread)

    def _add_closed(self, connection: Connection) -> None:
        """Count the bytes of a closed connection, and free its place."""
        self._admission.remove(connection.host, connection)
        with self._sums:
            self._bytes_in += connection.bytes_in
            self._bytes_out += connection.bytes_out
