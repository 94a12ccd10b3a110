"""A chat: members join, some of them speak, and each message must reach each member, once, in one order, unchanged.

The members are spread over the servers, which are one chat. All members at a server get the same bytes: the first one
decodes them, and those of the others are compared with them.
"""

import time
from collections import deque

from sockctl.bench.common_stream import CommonStream
from sockctl.bench.message_client import MessageClient
from sockctl.bench.order import CommonOrder, Key
from sockctl.bench.pool import ClientPool, WorkerContext
from sockctl.bench.said import Said, decode_said, encode_said
from sockctl.protocol.frames import encode_frame
from sockctl.protocol.messages import Message, decode_message, make_message

ABSENT_S = 1.0
"""Seconds for which a message may be absent: one that comes until then is reordered, any other is missing."""
_MOST_TEXTS = 16_384


class SaidMessage(Message):
    """A message of the chat that a member of this run has said; `what` is None where it is corrupt."""

    __slots__ = ("frame", "what")

    def __init__(self, one: Message, what: Said | None, frame: bytes) -> None:
        super().__init__(one.fields)
        self.what = what
        self.frame = frame


def encode_line(text: str) -> bytes:
    """Return the frame of a line whose text JSON has as it is, in a third of the time that any text would take."""
    return encode_frame(f'{{"kind":"line","text":"{text}"}}')


class ChatClient(MessageClient):
    """A member.

    Args:
        context: The state that all members share.
        number: The member's number.
        pool: All members.

    Attributes:
        heard_in_all: How many messages the member has heard, each at its place.
    """

    def __init__(self, context: WorkerContext, number: int, pool: "ChatPool") -> None:
        super().__init__(context, number, decode=pool.decode)
        self._pool = pool
        self._stream = pool.streams[number % len(pool.streams)]
        self._run = context.plan.run
        self._name = f"b{self._run}-{number}"
        self._said = 0
        self._speaks = number < context.plan.senders
        self.heard_in_all = 0
        self._matched_bytes = 0  # of the next message: they are like the stream's
        self._rest = b""  # bytes of an incomplete frame, which are not
        self._saying: list[Said] = []  # the messages in the bytes that are being decoded
        self._frames: list[bytes] = []  # and their frames
        self._absent: Key | None = None
        self._absent_until = 0.0

    def find_wait_start(self) -> float | None:
        """Return None: the pool knows which messages each member must have heard."""
        return None

    def say(self, due: float) -> None:
        """Say the next message; the caller flushes."""
        text = encode_said(self._run, self.number, self._said, due, self.context.plan.size_bytes)
        self._said += 1
        self._pool.note_said(due)
        self.wire.outgoing += encode_line(text)

    def take(self, data: bytes) -> None:
        """Process bytes; those that another member at this server has got, too, are not decoded anew."""
        if self._rest:
            data, self._rest = self._rest + data, b""
        if self._absent is None:
            known = self._follow_stream(data)
            if known == len(data):
                return
            data = data[known:]
            if self._matched_bytes:
                data = self._stream.get_bytes(self.heard_in_all, self._matched_bytes) + data
                self._matched_bytes = 0
        self._saying, self._frames = [], []
        super().take(data)
        self._rest = self.wire.take_rest()
        if self._saying:
            self._hear(self._saying, self._frames)

    def _follow_stream(self, data: bytes) -> int:
        """Count the messages that other members have got; return how many of the bytes are known."""
        stream, begin = self._stream, self.heard_in_all
        end, self._matched_bytes, known = stream.match(begin, self._matched_bytes, data)
        if end > begin:
            self.heard_in_all = end
            self._count(stream.get_said(begin, end), stream.get_dues_ns(begin, end), stream.get_size(begin, end))
        return known

    def heard(self, one: Message) -> None:
        """Give a name; then collect the messages of the chat."""
        match one.kind:
            case "say":
                if isinstance(one, SaidMessage):
                    self._heard_said(one)
            case "ask" if one.get("field") == "name" and not self._name:
                self.fail("name_refused")
            case "ask" if one.get("field") == "name":
                name, self._name = self._name, ""
                self.send(make_message("answer", name, field="name"))
            case "ask":
                self.fail("password_asked")
            case "members":
                self.joined = True
            case "error":
                self.fail(one.get("code") or "refused")
            case "notice" if one.get("code") == "held_back":
                self.context.stats.held_back += 1
            case "bye":
                self.fail("closed")

    def _heard_said(self, one: SaidMessage) -> None:
        if one.what is None:
            self.fail("corrupt")
        else:
            self._saying.append(one.what)
            self._frames.append(one.frame)

    def _hear(self, said: list[Said], frames: list[bytes]) -> None:
        """Check that the messages are the next ones in the order of all members; count them."""
        if self._absent is not None:
            self._look_for_absent(said)
            return
        right = self._pool.order.match(self.heard_in_all, said)
        self._follow(said[:right], frames[:right])
        if right < len(said):
            self._miss(said[right:])

    def _follow(self, said: list[Said], frames: list[bytes]) -> None:
        """Count messages, which the server has sent to other members, too, or will send."""
        self.heard_in_all += len(said)
        ahead = self.heard_in_all - self._stream.end
        if ahead > 0:
            self._stream.extend(said[-ahead:], frames[-ahead:])
        self._count(said, [int(one.due * 1e9) for one in said], sum(one.size_bytes for one in said))

    def _count(self, said: list[Said], dues_ns: list[int], size_bytes: int) -> None:
        """Count messages that came as they should, and their latencies."""
        now_ns = time.monotonic_ns()
        stats, measured_from = self.context.stats, self.context.pace.measured_from
        if dues_ns and min(dues_ns) >= self.context.pace.measured_from_ns:
            stats.answer_all(dues_ns, now_ns, size_bytes)
        elif measured := [one for one in said if one.due >= measured_from]:
            size_bytes = sum(one.size_bytes for one in measured)
            stats.answer_all([int(one.due * 1e9) for one in measured], now_ns, size_bytes)
        if self._speaks and (own := [one.due for one in said if one.sender == self.number]):
            stats.echoes.add_since(now_ns, [int(due * 1e9) for due in own if due >= measured_from])
            self._pool.note_heard_itself(self, len(own), now_ns / 1e9)
            self.flush()

    def _miss(self, rest: list[Said]) -> None:
        """Fail if the first of these is a repetition; else wait a while for the message that belongs before it."""
        self._absent = self._pool.order.find_absent(self.heard_in_all, rest[0])
        if self._absent is None:
            self.fail("doubled")
            return
        self._absent_until = time.monotonic() + min(ABSENT_S, self.context.plan.timeout_s)
        self._look_for_absent(rest[1:])

    def _look_for_absent(self, said: list[Said]) -> None:
        if any((one.sender, one.number) == self._absent for one in said):
            self.fail("reordered")

    def check_timeouts(self, now: float) -> None:
        """Fail if the client has waited too long, also for an absent message."""
        super().check_timeouts(now)
        if self._absent is not None and now > self._absent_until:
            self.fail("missing")


class ChatPool(ClientPool):
    """The members of a chat.

    Args:
        context: The state that they share.

    Attributes:
        order: The order in which all members must hear the messages.
        streams: What each server has sent.
        make_client: The class of a member.
    """

    make_client: type[ChatClient] = ChatClient

    def __init__(self, context: WorkerContext) -> None:
        super().__init__(context)
        self.order = CommonOrder()
        self.streams = [CommonStream() for _ in context.plan.servers]
        self._texts: dict[str, SaidMessage] = {}
        self._prefix = f"b{context.plan.run}-"
        self._members = [self.make_client(context, number, self) for number in range(context.plan.clients)]
        self.clients.extend(self._members)
        self._senders = self._members[: context.plan.senders]
        self._turn = 0
        self._in_all = 0
        self._open: deque[tuple[float, int]] = deque()  # when it was due up to how many in all
        self._speaking: set[ChatClient] = set()

    @property
    def answers(self) -> int:
        """How many answers a message is to get: one from each member, its sender included."""
        return len(self.here)

    @property
    def all_out(self) -> bool:
        """Whether all senders are gone."""
        return all(sender.gone for sender in self._senders)

    def begin(self, now: float) -> None:
        """Let all senders say as much as they may at once."""
        for sender in self._senders:
            if sender.joined and not sender.gone:
                self._say(sender, self.context.plan.depth, now)
                sender.flush()

    def say(self, due: float) -> None:
        """Let the next sender say a message; `process_pending` sends it."""
        sender = self._senders[self._turn]
        self._turn = (self._turn + 1) % len(self._senders)
        if sender.joined and not sender.gone:
            sender.say(due)
            self._speaking.add(sender)

    def process_pending(self, now: float) -> None:  # noqa: ARG002  each kind has its own work
        """Send what the senders have said."""
        while self._speaking:
            self._speaking.pop().flush()

    def note_heard_itself(self, sender: ChatClient, times: int, now: float) -> None:
        """Note that a sender has heard itself: in a closed loop it says more."""
        if self.context.plan.rate is None:
            self._say(sender, times, now)

    def _say(self, sender: ChatClient, times: int, now: float) -> None:
        for _ in range(self.context.pace.grant(times, now)):
            if not sender.gone:
                sender.say(now)

    def note_said(self, due: float) -> None:
        """Note that each member is to hear one more message."""
        self._in_all += 1
        self._open.append((due, self._in_all))

    def decode(self, text: str) -> Message:
        """Return the message of a frame; a text that another member has got, too, is not decoded anew."""
        known = self._texts.get(text)
        if known is not None:
            return known
        one = decode_message(text)
        if one.kind != "say" or not one.get("sender").startswith(self._prefix):
            return one  # another client may talk there
        return self.know(text, SaidMessage(one, decode_said(self.context.plan.run, one.text), encode_frame(text)))

    def know(self, text: str, one: SaidMessage) -> SaidMessage:
        """Remember the message in a text, and return it."""
        if len(self._texts) >= _MOST_TEXTS:
            self._texts.clear()
        self._texts[text] = one
        return one

    def awaits(self) -> bool:
        """Return whether a member has yet to hear a message."""
        return any(member.heard_in_all < self._in_all for member in self._members if member.joined and not member.gone)

    def check_timeouts(self, now: float) -> None:
        """Fail the members that have waited too long; forget what all members have heard."""
        super().check_timeouts(now)
        must = 0
        while self._open and now - self._open[0][0] > self.context.plan.timeout_s:
            must = self._open.popleft()[1]
        for member in self._members:
            if member.joined and not member.gone and member.heard_in_all < must:
                member.fail("no_answer")
        heard = min((member.heard_in_all for member in self._members if member.joined and not member.gone), default=0)
        self.order.forget(heard)
        for stream in self.streams:
            stream.forget(heard)
