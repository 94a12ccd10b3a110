"""The event loop's one rule: what a callback asks for is attended at once; nothing that is due waits for chance."""

import gc
import itertools
import socket
import weakref
from collections.abc import Callable, Iterator

import pytest

from sockctl.events.base import Level
from sockctl.events.journal import Journal
from sockctl.events.reasons import DisconnectReason, Reason
from sockctl.net.connection import Connection
from sockctl.net.event_loop import EventLoop
from sockctl.net.handler import Handler
from sockctl.net.limits import Limits, Timeouts
from sockctl.net.poller import open_poller
from sockctl.services.chat.reasons import KICKED
from tests.support.running import TIMEOUT_S, MemorySink, receive_exactly, wait_until

PLENTY = bytes(1_000_000)  # more than the kernel takes at once, see Client
STALLED_S = 10.0
IDLE_S = 3600.0


class EndlessPoller:
    """A poller whose waits have no end: what waits for the clock is never done."""

    def __init__(self) -> None:
        poller = open_poller()
        self.endless = True
        self.register, self.modify, self.unregister = poller.register, poller.modify, poller.unregister
        self.close = poller.close
        self._poll = poller.poll

    def poll(self, timeout: float | None = None, maxevents: int = -1, /) -> list[tuple[int, int]]:
        return self._poll(None if timeout and self.endless else timeout, maxevents)


class Caller(Handler):
    """A handler that calls, once, what a test has set for an event."""

    watching = True

    def __init__(self) -> None:
        self.calls: dict[str, Callable[[], object]] = {}
        self.happened: set[str] = set()

    def happen(self, what: str) -> None:
        self.calls.pop(what, lambda: None)()
        self.happened.add(what)

    def received(self, _: memoryview) -> None:
        self.happen("received")

    def go_on(self) -> None:
        self.happen("go_on")

    def opened(self) -> None:
        self.happen("opened")

    def converse(self, _: object) -> None:
        raise NotImplementedError

    def resumed(self) -> None:
        self.happen("resumed")

    def ended(self) -> None:
        self.happen("ended")

    def frame_expired(self) -> None:
        self.happen("frame_expired")

    def ending(self, _: Reason) -> None:
        self.happen("ending")

    def closed(self, _: Reason) -> None:
        self.happen("closed")


class Client:
    """A connection that a loop watches, and the client's side of it."""

    def __init__(self, loop: "Loop", *, conversing: bool = False) -> None:
        self.sock = socket.create_connection(loop.listener.getsockname(), STALLED_S)
        accepted, address = loop.listener.accept()
        accepted.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 16_384)
        self.connection = Connection(accepted, address, next(loop.numbers), portion=1024, send_s=30.0)
        self.handler = self.connection.handler = Caller()
        self.conversing = conversing

    def has_seen(self, *what: str) -> None:
        wait_until(lambda: self.handler.happened.issuperset(what), timeout_s=STALLED_S)


class Loop:
    """An event loop that never wakes up by the clock, and its clients."""

    def __init__(self, listener: socket.socket, *, idle_s: float | None = IDLE_S) -> None:
        self.listener = listener
        self.numbers = itertools.count(1)
        self.poller = EndlessPoller()
        self.journal = Journal(MemorySink(), service="test", level=Level.DETAIL)
        self.event_loop = EventLoop(
            self.journal, Limits(), Timeouts(idle_s=idle_s), on_closed=lambda _: None, poller=self.poller
        )
        self.clients: list[Client] = []

    def client(self, *, conversing: bool = False, calls: dict[str, Callable[[], object]] | None = None) -> Client:
        client = Client(self, conversing=conversing)
        client.handler.calls.update(calls or {})
        self.clients.append(client)
        self.event_loop.add(client.connection, conversing=conversing)
        if not conversing:
            client.has_seen("opened")
        return client

    def end(self) -> None:
        self.poller.endless = False
        for client in self.clients:
            client.sock.close()
            if client.conversing:
                self.event_loop.release(client.connection, watch=False)
        self.event_loop.drain(0.0)
        assert self.event_loop.join(TIMEOUT_S)
        self.journal.close()


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener


# In which callback it is asked for.


def opened(loop: Loop, ask: Callable[[], None]) -> None:
    loop.client(calls={"opened": ask})


def received(loop: Loop, ask: Callable[[], None]) -> None:
    loop.client(calls={"received": ask}).sock.send(b"x")


def ended(loop: Loop, ask: Callable[[], None]) -> None:
    loop.client(calls={"ended": ask}).sock.shutdown(socket.SHUT_WR)


def closed(loop: Loop, ask: Callable[[], None]) -> None:
    loop.client(calls={"closed": ask}).sock.shutdown(socket.SHUT_WR)


def ending(loop: Loop, ask: Callable[[], None]) -> None:
    client = loop.client(calls={"ending": ask})
    loop.event_loop.close(client.connection, DisconnectReason.SERVER_CLOSED)


def expired(loop: Loop, ask: Callable[[], None]) -> None:
    """The connection is ended for being idle: its time was up before the loop knew it."""
    client = Client(loop)
    client.handler.calls["ending"] = ask
    client.connection.last_active -= 2 * IDLE_S
    loop.clients.append(client)
    loop.event_loop.add(client.connection, conversing=False)


def resumed(loop: Loop, ask: Callable[[], None]) -> None:
    client = loop.client(conversing=True, calls={"resumed": ask})
    client.conversing = False
    loop.event_loop.release(client.connection, watch=True)


def called_soon(loop: Loop, ask: Callable[[], None]) -> None:
    client = loop.client()
    loop.event_loop.call_soon(client.connection, ask)


def called_sooner(loop: Loop, ask: Callable[[], None]) -> None:
    """A call that a call has asked for: the queue is being emptied when it is filled again."""
    client = loop.client()
    loop.event_loop.call_soon(client.connection, lambda: loop.event_loop.call_soon(client.connection, ask))


# What is asked for; each returns how it is asked for, and what waits until it is done.

Asked = tuple[Callable[[], None], Callable[[], object]]


def _post(client: Client, data: bytes) -> None:
    client.connection.post(data)


def a_post(loop: Loop) -> Asked:
    """Everything that was posted comes, though the client begins to read when the loop has gone to sleep."""
    other = loop.client()
    return lambda: _post(other, PLENTY), lambda: receive_exactly(other.sock, len(PLENTY))


def a_close(loop: Loop) -> Asked:
    other = loop.client()
    return (
        lambda: loop.event_loop.close(other.connection, DisconnectReason.SERVER_CLOSED),
        lambda: other.has_seen("ending"),
    )


def an_interruption(loop: Loop) -> Asked:
    other = loop.client(conversing=True)
    return (
        lambda: loop.event_loop.close(other.connection, KICKED),
        lambda: wait_until(lambda: other.connection.reason is KICKED, timeout_s=STALLED_S),
    )


def a_release(loop: Loop) -> Asked:
    other = loop.client(conversing=True)
    other.conversing = False
    return lambda: loop.event_loop.release(other.connection, watch=True), lambda: other.has_seen("resumed")


def a_call(loop: Loop) -> Asked:
    other = loop.client()
    return (
        lambda: loop.event_loop.call_soon(other.connection, lambda: other.handler.happen("called")),
        lambda: other.has_seen("called"),
    )


def a_word(loop: Loop) -> Asked:
    """What was moved is told, also where it was moved in a call."""
    other = loop.client()
    return lambda: _post(other, b"x"), lambda: wait_until(lambda: not other.connection.is_touched)


CALLBACKS = [opened, received, ended, ending, closed, expired, resumed, called_soon, called_sooner]
REQUESTS = [a_post, a_close, an_interruption, a_release, a_call, a_word]


@pytest.mark.parametrize("request_of", REQUESTS)
@pytest.mark.parametrize("callback", CALLBACKS)
def test_what_a_callback_asks_for_is_attended_at_once(
    listener: socket.socket,
    callback: Callable[[Loop, Callable[[], None]], None],
    request_of: Callable[[Loop], Asked],
) -> None:
    loop = Loop(listener)
    loop.event_loop.start()
    try:
        ask, wait_for_it = request_of(loop)
        callback(loop, ask)
        wait_for_it()
    finally:
        loop.end()


class CountedConnection(Connection):
    """Counts how often its outbox is flushed."""

    __slots__ = ("flushes",)

    def flush(self) -> bool:
        self.flushes = getattr(self, "flushes", 0) + 1
        return super().flush()


def test_a_connection_is_attended_once_however_often_something_is_posted(listener: socket.socket) -> None:
    loop = Loop(listener)
    loop.event_loop.start()
    try:
        with socket.create_connection(listener.getsockname(), STALLED_S):
            accepted, address = listener.accept()
            other = CountedConnection(accepted, address, next(loop.numbers), portion=1024, send_s=30.0)
            handler = other.handler = Caller()
            loop.event_loop.add(other, conversing=False)
            wait_until(lambda: "opened" in handler.happened)
            client = loop.client()

            def post_often() -> None:
                """Post before the loop waits for the client to be writable: each post has it attended."""
                for _ in range(1000):
                    other.post(PLENTY[:100_000])

            loop.event_loop.call_soon(client.connection, post_often)
            wait_until(lambda: getattr(other, "flushes", 0) > 0)
            assert other.flushes <= 2
    finally:
        loop.end()


def test_a_waiting_loop_keeps_no_closed_connection(listener: socket.socket) -> None:
    loop = Loop(listener, idle_s=None)
    loop.event_loop.start()
    try:
        client = loop.client()
        handler = weakref.ref(client.handler)
        client.sock.close()
        client.has_seen("closed")
        loop.clients.clear()
        del client
        wait_until(lambda: gc.collect() >= 0 and handler() is None)
    finally:
        loop.end()
