"""The door of `sockctl listen`: it accepts clients, and gives the loop a link for each."""

import contextlib
import functools
import select
import socket
import time
from collections.abc import Callable, Container, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from sockctl.client.connect_attempt import ConnectAttempt
from sockctl.client.link import Link
from sockctl.client.screen import Screen
from sockctl.client.session_events import EndReason, SessionEnded
from sockctl.deadline import Deadline
from sockctl.errors import ConnectTimeoutError, ListenError, PeerGoneError
from sockctl.events.acceptance import AcceptPaused, AcceptResumed
from sockctl.events.base import Event, Record
from sockctl.events.connection import ClientConnected, TlsEstablished, TlsFailed
from sockctl.events.reasons import RefusalReason
from sockctl.events.sums import EventSums
from sockctl.net.accept_errors import PASSED_OVER
from sockctl.net.access_rules import AccessRules
from sockctl.net.address import extract_host, format_address
from sockctl.net.listener import Listeners
from sockctl.net.refusals import Refusals
from sockctl.net.transport import TlsTransport, Transport, TransportError
from sockctl.net.unix_connection import read_peer

if TYPE_CHECKING:
    from sockctl.net.connector import Tell

MAX_CLIENTS = 400
"""Clients at once with ``--many``: select() knows 1,024 descriptors. Further ones wait in the backlog."""
MAX_HANDSHAKES = 16
"""Clients at once whose TLS handshake isn't done. A silent client must not keep the others out."""
EVENTS_PER_SECOND = 10
"""Refusals, and events of handshakes from one address, that are shown one by one in a second; more become sums."""
HANDSHAKE_S = 10.0
RETRY_S = 1.0
"""How long the door accepts no client, while the system has no descriptor left for one more."""


@dataclass(kw_only=True, eq=False, repr=False)
class Admittance:
    """Which clients come in, and how.

    Attributes:
        rules: Which addresses and users may connect.
        secure: Returns TLS over an accepted socket; None without TLS.
        places: How many clients there may be at once.
        goes_on: Whether further clients come in after the first.
        wait_s: Seconds to wait for the first client; None for any time.
        handshake_s: Seconds that a TLS handshake may take.
    """

    rules: AccessRules
    secure: Callable[[socket.socket], TlsTransport] | None = None
    places: int = 1
    goes_on: bool = False
    wait_s: float | None = None
    handshake_s: float = HANDSHAKE_S


class _Guest(NamedTuple):
    number: int
    peer: str


class ListeningDoor:
    """Accepts clients, as long as there is a place; the next ones wait in the backlog.

    A client counts once it is let in, and under TLS once the handshake is done.

    Args:
        listeners: The listening sockets, which `close` closes.
        admittance: Which clients come in, and how.
        make_link: Returns the link of a new session, by the client's number.
        screen: Where events and errors are shown.
    """

    def __init__(
        self, listeners: Listeners, admittance: Admittance, make_link: Callable[[int], Link], screen: Screen
    ) -> None:
        self._listeners = listeners
        self._admittance = admittance
        self._make_link = make_link
        self._screen = screen
        self._refusals = Refusals(screen.emit, EVENTS_PER_SECOND)
        self._sums = EventSums("", per_second=EVENTS_PER_SECOND)
        self._handshakes: dict[ConnectAttempt, _Guest] = {}
        self._standing: dict[Link, _Guest] = {}
        self._is_open = True
        self._number = 0
        self._paused_at: float | None = None  # since when the system has no descriptor left for one more client
        self._retry_at: float | None = None
        wait_s = admittance.wait_s
        self._first_until = None if wait_s is None else time.monotonic() + wait_s

    @property
    def is_over(self) -> bool:
        """Whether no client comes any more, and none is there."""
        return not (self._is_open or self._standing)

    @property
    def _has_place(self) -> bool:
        return self._is_open and len(self._standing) < self._admittance.places

    @property
    def wake_at(self) -> float | None:
        """When `admit` is due at the latest; None for never."""
        sums_wait_s = self._sums.compute_wait_s(time.time())
        sums_at = None if sums_wait_s is None else time.monotonic() + sums_wait_s
        times = [self._first_until, self._retry_at, self._refusals.limit.due_at, sums_at]
        return min([one for one in times if one is not None], default=None)

    @property
    def sources(self) -> Sequence[socket.socket | ConnectAttempt]:
        """The sockets and handshakes to wait for until they are readable."""
        if not self._has_place:
            return ()
        accepts = self._retry_at is None and len(self._handshakes) < MAX_HANDSHAKES
        return (*(self._listeners.sockets if accepts else ()), *self._handshakes)

    def admit(self, readable: Container[object]) -> list[Link]:
        """Accept waiting clients, and do all that is due; return a link for each client that is let in.

        Raises:
            ConnectTimeoutError: No client came in time.
            ListenError: The system has no descriptor left for any client.
        """
        now = time.monotonic()
        if self._retry_at is not None and now >= self._retry_at:
            self._retry_at = None
        links: list[Link] = []
        for attempt in [one for one in self._handshakes if one in readable]:
            if self._has_place:
                links += self._finish_handshake(attempt)
        for listener in self._listeners.sockets if self._is_open else ():
            if listener in readable and self._has_place:
                links += self._accept(listener)
        self._refusals.limit.emit_sum(now)
        self._show(self._sums.reduce([], time.time()))
        if self._first_until is not None and now >= self._first_until:
            raise ConnectTimeoutError(f"No client came within {self._admittance.wait_s:g} s (--timeout).")
        return links

    def finish(self, link: Link) -> None:
        """Close a link that has ended.

        Raises:
            SockctlError: The error that has ended it, where there is no client after it.
        """
        ended = link.ended or SessionEnded(EndReason.STOPPED)
        guest = self.dismiss(link, ended.reason)
        if ended.error is None:
            return
        if not self._admittance.goes_on:
            raise ended.error
        self._screen.remark_error(f"Client #{guest.number} ({guest.peer}): {ended.error}")

    def dismiss(self, link: Link, reason: EndReason) -> _Guest:
        """Close a link, and emit why it ended."""
        guest = self._standing.pop(link)
        self._retry_at = None
        link.end(reason)
        return guest

    def end(self) -> None:
        """Let no more clients in."""
        self._is_open = False
        for attempt in self._handshakes:
            attempt.abandon()
        self._handshakes.clear()
        self._listeners.close()
        self._first_until = None
        self._refusals.limit.emit_sum(time.monotonic(), ending=True)
        self._show(self._sums.close())

    close = end

    def _accept(self, listener: socket.socket) -> list[Link]:
        try:
            accepted = self._accept_one(listener)
        except OSError as error:
            if error.errno not in PASSED_OVER:
                self._pause(error)
            return []
        if self._paused_at is not None:
            self._screen.emit(AcceptResumed(seconds=round(time.monotonic() - self._paused_at, 3)))
            self._paused_at = None
        return [] if accepted is None else [self._let_in(*accepted)]

    def _accept_one(self, listener: socket.socket) -> tuple[_Guest, socket.socket] | None:
        """Accept a client; return None where it is refused, or its handshake begins.

        Raises:
            OSError: No client waits, or the system has no descriptor left.
        """
        with contextlib.ExitStack() as undo:
            sock, found = listener.accept()
            undo.enter_context(sock)
            address = found if isinstance(found, tuple) else read_peer(sock)
            if not self._admittance.rules.lets_in(extract_host(address)):
                self._refusals.add(address, RefusalReason.DENIED)
                return None
            self._number += 1
            guest = _Guest(self._number, format_address(extract_host(address), address[1]))
            if self._admittance.secure is None:
                undo.pop_all()
                return guest, sock
            tls = self._admittance.secure(sock)
            undo.callback(tls.close)
            self._handshakes[ConnectAttempt(functools.partial(self._shake_hands, tls, guest))] = guest
            undo.pop_all()
        return None

    def _pause(self, error: OSError) -> None:
        """Accept no client for a while, since the present ones hold all descriptors that the system gives.

        Raises:
            ListenError: There is no client.
        """
        why = error.strerror or str(error)
        clients = len(self._standing) + len(self._handshakes)
        if not clients:
            raise ListenError(f"A client can't be accepted: {why}.") from error
        now = time.monotonic()
        self._retry_at = now + RETRY_S
        if self._paused_at is None:
            self._paused_at = now
            self._screen.emit(AcceptPaused(error=why, clients=clients, retry_s=RETRY_S))

    def _let_in(self, guest: _Guest, sock: Transport) -> Link:
        self._first_until = None
        with contextlib.ExitStack() as undo:
            undo.callback(sock.close)
            link = self._make_link(guest.number)
            self._standing[link] = guest
            self._screen.emit(
                ClientConnected(
                    connection=guest.number,
                    peer=guest.peer,
                    clients=len(self._standing),
                    max_clients=self._admittance.places,
                )
            )
            if not self._admittance.goes_on:
                self.end()
            link.begin(sock)
            undo.pop_all()
        return link

    def _shake_hands(self, tls: TlsTransport, guest: _Guest, tell: "Tell") -> Transport:
        """Do the handshake of a client, in a thread of its own.

        Raises:
            PeerGoneError: It failed.
        """
        deadline = Deadline.after(self._admittance.handshake_s)
        about: dict[str, Any] = {"connection": guest.number, "peer": guest.peer}
        try:
            while event := tls.shake_hands():
                poll = select.poll()
                poll.register(tls.fileno(), event)
                if not poll.poll(deadline.left_s * 1000):
                    raise TransportError(f"the client did not finish it within {self._admittance.handshake_s:g} s")
        except OSError as error:
            tell(TlsFailed(**about, error=error.strerror or str(error)))
            tls.close()
            raise PeerGoneError(f"no TLS with {guest.peer}") from error
        version, cipher = tls.describe()
        tell(TlsEstablished(**about, version=version, cipher=cipher))
        return tls

    def _sum_up(self, event: Event) -> None:
        """Show an event of a handshake, or add it to a sum: a flood of them fills no log."""
        now = time.time()
        self._show(self._sums.reduce([Record(now, "", event)], now))

    def _show(self, records: Iterable[Record]) -> None:
        for record in records:
            self._screen.emit(record.event)

    def _finish_handshake(self, attempt: ConnectAttempt) -> list[Link]:
        guest = self._handshakes.pop(attempt)
        try:
            sock = attempt.finish(self._sum_up)
        except PeerGoneError:
            return []  # the event has said why
        return [self._let_in(guest, sock)]
