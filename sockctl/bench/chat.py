"""A chat: members join, some of them speak, and each message must reach each member, once, in order and unchanged.

A message carries its sender's number, its own number, when it was due, and a checksum. So each member checks a message,
and its latency, by itself. Every member gets the same bytes: the pool decodes them once, and recognises them then.
"""

import math
import time
import zlib
from collections import deque
from dataclasses import dataclass

from sockctl.bench.message_client import MessageClient
from sockctl.bench.pool import ClientPool, WorkerContext
from sockctl.net.transport import Transport
from sockctl.protocol.messages import Message, make_message

_PADDING = b"abcdefghijklmnopqrstuvwxyz"
_MOST_REMEMBERED = 256
_PARTS = 5


@dataclass(frozen=True, slots=True)
class Said:
    """A message of this run.

    Attributes:
        sender: The sender's number.
        number: Its number among the sender's messages.
        due: When it was due, on the monotonic clock.
        size_bytes: Bytes of its text.
    """

    sender: int
    number: int
    due: float
    size_bytes: int


def encode_said(run: str, sender: int, number: int, due: float, size_bytes: int) -> str:
    """Return the text of a message: `size_bytes` of it, or more where its fields need more."""
    head = f"{run},{sender},{number},{due!r},"  # unrounded: else the first one would be due in the warm-up
    missing = max(0, size_bytes - len(head) - 9)
    padding = (_PADDING * (missing // len(_PADDING) + 2))[number % len(_PADDING) :][:missing].decode()
    body = f"{head}{padding},"
    return f"{body}{zlib.crc32(body.encode()):08x}"


def decode_said(run: str, text: str) -> Said | None:
    """Return the message that a text of this run carries; None if the text is another run's, or corrupt."""
    body, checksum = text[:-8], text[-8:]
    parts = body.split(",", _PARTS - 1)
    if len(parts) != _PARTS or parts[0] != run or f"{zlib.crc32(body.encode()):08x}" != checksum:
        return None
    try:
        what = Said(int(parts[1]), int(parts[2]), float(parts[3]), len(text))
    except ValueError:
        return None
    return what if 0 <= time.monotonic() - what.due < math.inf else None


class ChatClient(MessageClient):
    """A member.

    Args:
        context: The state that all members share.
        number: The member's number.
        pool: All members.
    """

    def __init__(self, context: WorkerContext, number: int, pool: "ChatPool") -> None:
        super().__init__(context, number)
        self._pool = pool
        self._run = context.plan.run
        self._name = f"b{self._run}-{number}"
        self._said = 0
        self._next: dict[int, int] = {}  # the number of each sender's next message
        self.heard_in_all = 0
        self._saying: list[Said] = []  # the messages in the bytes that are being decoded

    def connected(self, transport: Transport) -> None:
        """Wait for the greeting."""
        self._next = dict.fromkeys(range(self.context.plan.senders), 0)
        super().connected(transport)

    def find_wait_start(self) -> float | None:
        """Return None: the pool knows which messages each member must have heard."""
        return None

    def say(self, due: float) -> None:
        """Say the next message."""
        text = encode_said(self._run, self.number, self._said, due, self.context.plan.size_bytes)
        self._said += 1
        self._pool.note_said(due)
        self.send(make_message("line", text))

    def take(self, data: bytes) -> None:
        """Process bytes; bytes that another member has got, too, are not decoded anew."""
        whole = not self.wire.has_partial_message
        known = self._pool.known.get(data) if whole else None
        if known is not None:
            self._hear(known)
            return
        saying: list[Said] = []
        self._saying = saying
        super().take(data)
        if saying and whole and not self.gone and not self.wire.has_partial_message:
            self._pool.remember(data, saying)
        self._hear(saying)

    def heard(self, one: Message) -> None:
        """Give a name; then collect the messages of the chat."""
        match one.kind:
            case "say":
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

    def _heard_said(self, one: Message) -> None:
        if not one.get("sender").startswith(f"b{self._run}-"):
            return  # another client talks there
        what = decode_said(self._run, one.text)
        if what is None:
            self.fail("corrupt")
        else:
            self._saying.append(what)

    def _hear(self, batch: list[Said]) -> None:
        """Check that the messages of each sender come in order, none missing and none twice; count them."""
        now = time.monotonic()
        context, numbers = self.context, self._next
        measured_from, answer = context.pace.measured_from, context.stats.answer
        for what in batch:
            expected = numbers.get(what.sender, 0)
            if what.number == expected:
                numbers[what.sender] = expected + 1
                self.heard_in_all += 1
                if what.due >= measured_from:
                    answer(now - what.due, now, what.size_bytes)
                if what.sender == self.number:
                    self._pool.note_heard_itself(self, now)
            else:
                self.fail("missing" if what.number > expected else "doubled")
                return


class ChatPool(ClientPool):
    """The members of a chat.

    Args:
        context: The state that they share.
    """

    def __init__(self, context: WorkerContext) -> None:
        super().__init__(context)
        self._members = [ChatClient(context, number, self) for number in range(context.plan.clients)]
        self.clients.extend(self._members)
        self._senders = self._members[: context.plan.senders]
        self._turn = 0
        self._in_all = 0
        self._open: deque[tuple[float, int]] = deque()  # when it was due up to how many in all
        self.known: dict[bytes, list[Said]] = {}

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

    def say(self, due: float) -> None:
        """Let the next sender say a message."""
        sender = self._senders[self._turn]
        self._turn = (self._turn + 1) % len(self._senders)
        if sender.joined and not sender.gone:
            sender.say(due)

    def note_heard_itself(self, sender: ChatClient, now: float) -> None:
        """Note that a sender has heard itself: in a closed loop it says more."""
        if self.context.plan.rate is None:
            self._say(sender, 1, now)

    def _say(self, sender: ChatClient, times: int, now: float) -> None:
        for _ in range(self.context.pace.grant(times, now)):
            if not sender.gone:
                sender.say(now)

    def note_said(self, due: float) -> None:
        """Note that each member is to hear one more message."""
        self._in_all += 1
        self._open.append((due, self._in_all))

    def remember(self, data: bytes, what: list[Said]) -> None:
        """Remember the messages that `data` carries."""
        if len(self.known) >= _MOST_REMEMBERED:
            self.known.clear()
        self.known[data] = what

    def awaits(self) -> bool:
        """Return whether a member has yet to hear a message."""
        return any(member.heard_in_all < self._in_all for member in self._members if member.joined and not member.gone)

    def check_timeouts(self, now: float) -> None:
        """Fail the members that have waited too long."""
        super().check_timeouts(now)
        must = 0
        while self._open and now - self._open[0][0] > self.context.plan.timeout_s:
            must = self._open.popleft()[1]
        for member in self._members:
            if member.joined and not member.gone and member.heard_in_all < must:
                member.fail("no_answer")
