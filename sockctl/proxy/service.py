"""The proxy as a service: connects to the target for each client, and has the relay's loop move the bytes."""

import contextlib
import functools
import socket
import time
from collections.abc import Callable
from typing import ClassVar

from sockctl.deadline import Deadline
from sockctl.errors import PeerGoneError, SockctlError
from sockctl.events.base import Event
from sockctl.events.client import Connected
from sockctl.events.journal import Journal
from sockctl.events.proxy import TargetConnected, TargetFailed
from sockctl.events.reasons import Reason
from sockctl.net.connection import Connection
from sockctl.net.connector import connect, look_up_addresses
from sockctl.net.event_loop import EventLoop
from sockctl.net.handler import Handler
from sockctl.net.listener import Listeners
from sockctl.net.name_lookups import NameLookUps
from sockctl.net.service import ConnectionService
from sockctl.net.transport import TlsTransport, Transport
from sockctl.proxy.dump_files import DumpFolder
from sockctl.proxy.flow import Flow
from sockctl.proxy.inspector import Inspector
from sockctl.proxy.loop import RelayLoop
from sockctl.proxy.own_place import OwnPlace
from sockctl.proxy.reasons import TARGET_UNREACHABLE
from sockctl.proxy.relay import Relay
from sockctl.proxy.relay_socket import ClientSocket, RelaySocket
from sockctl.proxy.settings import ProxySettings
from sockctl.proxy.shaper import Shaper
from sockctl.proxy.traffic import RelayTraffic
from sockctl.text import join_lines

STOP_S = 1.0
"""How long a stopping server waits for the relay's loop."""


class Proxy(ConnectionService):
    """Passes bytes between each client and a connection of its own to the target.

    Args:
        settings: What the user wants.

    Raises:
        DumpError: The folder for the bytes can't be used.
    """

    name: ClassVar[str] = "proxy"

    def __init__(self, settings: ProxySettings) -> None:
        self.settings = settings
        self.speaks_messages = settings.messages
        self.descriptors = 2 if settings.dump is None else 4
        self._dump = None if settings.dump is None else DumpFolder(settings.dump)
        self._look_ups = NameLookUps()
        self._place: OwnPlace
        self._journal: Journal
        self._loop: RelayLoop

    @property
    def does(self) -> str:
        """Say what the service does, in a sentence or two."""
        return f"It stands between its clients and {self.settings.shown_target}, and tells what passes."

    def take_place(self, listeners: Listeners) -> None:
        """Take note of where the proxy listens.

        Raises:
            TargetIsProxyError: The target is there.
        """
        self._place = OwnPlace(listeners)
        self._place.refuse_evident(self.settings.target)

    def start(self, journal: Journal) -> None:
        """Start the relay's loop."""
        self._journal = journal
        self._loop = RelayLoop(journal, waits_for_journal=self.settings.hex_dump)
        self._loop.start()

    def prepare_stop(self) -> None:
        """Begin to end all relays."""
        self._loop.drain()

    def stop(self) -> None:
        """End the relay's loop."""
        self._loop.stop(STOP_S)

    def make_handler(self, connection: Connection, event_loop: EventLoop) -> Handler:
        """Return the handler of a new connection."""
        return ProxyHandler(self, connection, event_loop)

    def connect(self, connection: Connection) -> Transport:
        """Connect to the target for a client; blocks.

        Raises:
            PeerGoneError: The client broke its connection off, or the server is ending it.
            SockctlError: The target can't be reached, isn't to be trusted, or is the proxy itself.
        """
        settings = self.settings
        target, address = settings.target, str(settings.target)

        def note(event: Event) -> None:
            nonlocal address
            if isinstance(event, Connected):
                address = event.peer

        def wait(fd: int | None, event: int, timeout_s: float) -> None:
            events, until = {} if fd is None else {fd: event}, time.monotonic() + timeout_s
            while fd not in connection.wait(events, until=until):
                pass  # both sides of the client's connection have ended: an error would have been raised

        begun = time.monotonic()
        deadline = Deadline.after(settings.connect_s)
        addresses = look_up_addresses(target, socket.AF_UNSPEC, settings.connect_s, wait, self._look_ups)
        secure = None if settings.secure is None else functools.partial(settings.secure, wait=wait)
        sock = connect(
            target,
            tell=note,
            timeout_s=deadline.left_s,
            secure=secure,
            addresses=self._place.leave_out(target, addresses),
            wait=wait,
        )
        with contextlib.ExitStack() as undo:
            undo.callback(sock.close)
            self._journal.emit(
                TargetConnected(
                    connection=connection.number,
                    peer=connection.peer,
                    target=settings.shown_target,
                    address=address,
                    seconds=round(time.monotonic() - begun, 6),
                    tls=" with ".join(sock.describe()) if isinstance(sock, TlsTransport) else None,
                )
            )
            undo.pop_all()
        return sock

    def tell_failure(self, connection: Connection, error: SockctlError) -> None:
        """Emit that there is no connection to the target for a client."""
        self._journal.emit(
            TargetFailed(
                connection=connection.number,
                peer=connection.peer,
                target=self.settings.shown_target,
                error=join_lines(str(error)),
            )
        )

    def relay(self, connection: Connection, sock: Transport, release: Callable[[], None]) -> None:
        """Have the relay's loop move the bytes between a client and the target, and close the target's socket.

        Raises:
            PeerGoneError: The proxy has stopped; the caller keeps both sides, as after any other error.
        """
        settings, impairments = self.settings, self.settings.impairments
        client, target = ClientSocket(connection), RelaySocket(sock)
        up, down = (
            Flow(source, sink, towards_target=sink is target, shaper=self._make_shaper())
            for source, sink in ((client, target), (target, client))
        )
        with contextlib.ExitStack() as undo:
            dumps = None if self._dump is None else self._dump.open(connection, self._journal.emit)
            if dumps is not None:
                undo.callback(dumps.close)
            traffic = RelayTraffic(
                connection,
                self._journal,
                self._loop,
                inspector=None if settings.sums else Inspector(messages=settings.messages),
                hex_dump=settings.hex_dump,
                is_json=settings.is_json,
                dumps=dumps,
                now=time.monotonic(),
            )
            self._loop.add(Relay(client, target, up, down, traffic, release=release, drop_after=impairments.drop_after))
            undo.pop_all()

    def _make_shaper(self) -> Shaper | None:
        impairments = self.settings.impairments
        if not impairments.hold:
            return None
        return Shaper(delay_s=impairments.delay_s, bytes_per_s=impairments.bytes_per_s)


class ProxyHandler(Handler):
    """The handler of a client's connection: it connects to the target, then hands both over to the relay's loop."""

    __slots__ = ("_connection", "_event_loop", "_keeps", "_proxy", "received", "watching")

    def __init__(self, proxy: Proxy, connection: Connection, event_loop: EventLoop) -> None:
        self._proxy = proxy
        self._connection = connection
        self._event_loop = event_loop
        self._keeps = False
        self.watching = False
        self.received: Callable[[memoryview], object] = lambda _: None  # the event thread never reads
        connection.tells_data = False

    @property
    def keeps(self) -> bool:
        """Whether the relay's loop has the connection."""
        return self._keeps

    def converse(self, service: object) -> None:  # noqa: ARG002  it is the proxy
        """Connect to the target; where that fails, break the client's connection off."""
        connection, proxy = self._connection, self._proxy
        connection.admit()
        try:
            sock = proxy.connect(connection)
        except PeerGoneError:
            if connection.reason is not None:  # such as the server's stop: an end would look like an empty answer
                ClientSocket(connection).prepare_abort()
            raise
        except SockctlError as error:
            proxy.tell_failure(connection, error)
            self._break_off(TARGET_UNREACHABLE)
            return
        with contextlib.ExitStack() as undo:
            undo.callback(sock.close)
            self._keeps = True
            undo.callback(self._forget)
            proxy.relay(connection, sock, self._release)
            undo.pop_all()

    def _forget(self) -> None:
        self._keeps = False

    def _release(self) -> None:
        """Give the connection back to the event loop, which closes it. The relay's loop calls this last."""
        self._event_loop.release(self._connection, watch=False)

    def _break_off(self, reason: Reason) -> None:
        connection = self._connection
        ClientSocket(connection).prepare_abort()
        if connection.reason is None:
            connection.reason = reason

    def opened(self) -> None:
        """Do nothing: each connection begins with a conversation."""

    def resumed(self) -> None:
        """Do nothing: no connection is watched."""

    def ended(self) -> None:
        """Do nothing: the relay's loop reads."""
