"""The members of ``tests.benchmarks.peers.rooms``: those of ``sockctl bench chat``, who forgive what is wrong.

They connect, speak and count as `sockctl.bench.chat` has it, on sockctl's wire or in a WebSocket. But a member that
misses a message stays: at the end, each message that was lost, repeated or out of order is counted.
"""

from collections.abc import Sequence

from sockctl.bench.chat import ChatClient, ChatPool, SaidMessage
from sockctl.bench.pool import ClientPool, WorkerContext
from sockctl.bench.said import Said, decode_said, encode_said
from sockctl.bench.worker import main
from sockctl.net.transport import Transport
from sockctl.protocol.messages import Message
from tests.benchmarks.peers.dialects import DIALECTS, REPLY, SAY, Dialect
from tests.benchmarks.peers.websocket_wire import WebSocketWire, encode_frame, encode_server_frame, make_request

LOST, REPEATED, REORDERED, OWN_REORDERED = "lost", "repeated", "reordered", "own_reordered"


class ForgivingClient(ChatClient):
    """A member that counts, and checks nothing until the end."""

    def __init__(self, context: WorkerContext, number: int, pool: "ForgivingPool") -> None:
        super().__init__(context, number, pool)
        self.all_heard: list[Said] = []

    def _hear(self, said: list[Said], frames: list[bytes]) -> None:
        self._follow(said, frames)

    def _count(self, said: list[Said], dues_ns: list[int], size_bytes: int) -> None:
        self.all_heard += said
        super()._count(said, dues_ns, size_bytes)


class WebSocketClient(ForgivingClient):
    """A member in a WebSocket."""

    wire: WebSocketWire  # type: ignore[assignment]  # it has the methods that are called

    def __init__(self, context: WorkerContext, number: int, pool: "WebSocketPool") -> None:
        self._dialect = pool.dialect
        super().__init__(context, number, pool)

    def _make_wire(self) -> WebSocketWire:  # type: ignore[override]  # as above
        return WebSocketWire(self._decode)

    def connected(self, transport: Transport) -> None:
        """Ask for a WebSocket."""
        super().connected(transport)
        server = self.context.plan.servers[0]
        self.wire.outgoing += make_request(self._dialect.path, server.name)
        self.flush()

    def say(self, due: float) -> None:
        """Say the next message; the caller flushes."""
        text = encode_said(self._run, self.number, self._said, due, self.context.plan.size_bytes)
        self._said += 1
        self._pool.note_said(due)
        self.wire.outgoing += encode_frame(self._dialect.encode_say(text))

    def heard(self, one: Message) -> None:
        """Send back what wants it; the rest is the chat's."""
        if one.kind == REPLY:
            self.wire.outgoing += encode_frame(one.text)
        else:
            super().heard(one)


class ForgivingPool(ChatPool):
    """Members that forgive; they wait for what is absent until the end."""

    make_client: type[ForgivingClient] = ForgivingClient

    def check_timeouts(self, now: float) -> None:
        """Fail the members that don't get in."""
        for member in self.clients:
            member.check_timeouts(now)

    def close(self) -> None:
        """Close all connections, and count what was wrong at the members that are there."""
        members = [one for one in self.clients if isinstance(one, ForgivingClient) and one.joined and not one.gone]
        self.context.stats.errors.update(find_faults([one.all_heard for one in members], self._in_all))
        super().close()


class WebSocketPool(ForgivingPool):
    """Members in WebSockets."""

    make_client = WebSocketClient

    def __init__(self, context: WorkerContext, dialect: Dialect) -> None:
        self.dialect = dialect
        super().__init__(context)

    def decode(self, text: str) -> Message:
        """Return the message in a text; one that another member has got, too, is not decoded anew."""
        known = self._texts.get(text)
        if known is not None:
            return known
        one = self.dialect.decode(text)
        if one.kind != SAY:
            return one
        return self.know(
            text, SaidMessage(one, decode_said(self.context.plan.run, one.text), encode_server_frame(text))
        )


def find_faults(heard: Sequence[Sequence[Said]], said: int) -> dict[str, int]:
    """Count the faults in what members have heard; the first one's order is the one that all should have.

    Args:
        heard: What each member has heard, in its order.
        said: How many messages were said.

    Returns:
        Deliveries that were lost; repeated; that came behind a later one in the order of all; or in their sender's.
    """
    faults = dict.fromkeys((LOST, REPEATED, REORDERED, OWN_REORDERED), 0)
    order: dict[tuple[int, int], int] = {}
    for one in heard[0] if heard else ():
        order.setdefault((one.sender, one.number), len(order))
    for each in heard:
        seen: set[tuple[int, int]] = set()
        latest = -1
        last_of: dict[int, int] = {}
        for one in each:
            key = (one.sender, one.number)
            if key in seen:
                faults[REPEATED] += 1
                continue
            seen.add(key)
            place = order.get(key, latest)
            faults[REORDERED] += place < latest
            faults[OWN_REORDERED] += one.number < last_of.get(one.sender, -1)
            latest, last_of[one.sender] = max(latest, place), max(one.number, last_of.get(one.sender, -1))
        faults[LOST] += said - len(seen)
    return {name: count for name, count in faults.items() if count}


def run(dialect: str) -> None:
    """Run a process of the load: its members speak a dialect, or sockctl's wire if there is none."""

    def make_pool(context: WorkerContext) -> ClientPool:
        return WebSocketPool(context, DIALECTS[dialect]()) if dialect else ForgivingPool(context)

    main(make_pool)
