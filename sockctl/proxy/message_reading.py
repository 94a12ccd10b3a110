"""Reads the messages of sockctl that pass: the greeting, and frames with messages (`sockctl.protocol.frames`).

Passwords and tokens are hidden. An answer is one to a question for a password if the question says so, or the answer
names the field. A client may also send its lines ahead of the questions, so none is shown before the welcome.
"""

from dataclasses import dataclass
from typing import Any, ClassVar

from sockctl.errors import BadMessageError
from sockctl.protocol.frames import HEADER_BYTES, LIMIT_BYTES
from sockctl.protocol.greeting import MAX_GREETING_BYTES, parse_greeting
from sockctl.protocol.messages import Message, decode_message, format_line
from sockctl.proxy.byte_feed import NotUnderstoodError, Reading
from sockctl.proxy.exchange import Exchange, InspectedFlow
from sockctl.proxy.seen import HELD_BYTES, HIDDEN, WIDEST, Seen, shorten
from sockctl.text import format_bytes

JSON_BYTES = 30
"""Bytes of memory that a byte of JSON takes at most, such as a third of ``{},``."""
_SECRET_FIELDS = ("token", "password")
_SAID = frozenset({"line", "block", "answer"})
"""The kinds in which a client sends what its user has typed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Greeting(Seen):
    """The line with which a message service of sockctl begins.

    Attributes:
        service: The name of the service.
        version: The version of the protocol.
    """

    kind: ClassVar[str] = "greeting"

    service: str
    version: int

    @property
    def text(self) -> str:
        return f"Greeting of a sockctl service: {self.service}, version {self.version} of the protocol."


@dataclass(frozen=True, slots=True, kw_only=True)
class MessageSeen(Seen):
    """A message in a frame.

    Attributes:
        message: Its fields, without secrets.
    """

    kind: ClassVar[str] = "message"

    message: dict[str, Any]

    @property
    def held_bytes(self) -> int:
        return HELD_BYTES + JSON_BYTES * self.size

    @property
    def text(self) -> str:
        return describe_message(self.message)


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameSeen(Seen):
    """A frame of sockctl that holds no message.

    Attributes:
        content: The beginning of its text; None if it is too large for one.
    """

    kind: ClassVar[str] = "frame"

    content: str | None

    @property
    def held_bytes(self) -> int:
        return HELD_BYTES + WIDEST * len(self.content or "")

    @property
    def text(self) -> str:
        if self.content is None:
            return f"Frame of {format_bytes(self.size)}, more than sockctl takes: {LIMIT_BYTES:,} bytes."
        return f"Frame that holds no message: {shorten(self.content)}"


def read_greeting(flow: InspectedFlow) -> Reading[bool]:
    """Read the target's first line; return whether it is a greeting, and leave it if it isn't."""
    feed = flow.feed
    while b"\n" not in (line := feed.peek(MAX_GREETING_BYTES)):
        if feed.ended or len(line) == MAX_GREETING_BYTES:
            return False
        yield
    line = line[: line.index(b"\n") + 1]
    greeting = parse_greeting(line)
    if greeting is None:
        return False
    feed.take_available(len(line))
    version, service = greeting
    flow.exchange.greeted = True
    flow.add(Greeting(towards_target=flow.towards_target, size=len(line), service=service, version=version))
    return True


def read_frames(flow: InspectedFlow) -> Reading[None]:
    """Read frames until the end of the direction.

    Raises:
        EndOfBytesError: The direction ended in the middle of a frame.
        NotUnderstoodError: The next bytes are no frame.
    """
    feed, towards_target = flow.feed, flow.towards_target
    while (yield from feed.begin("a frame")):
        if flow.is_full and flow.count_frames(_measure):
            flow.exchange.asks_secret = True  # a message that was passed over may have asked
            continue
        if feed.peek(1) != b"\0":
            raise NotUnderstoodError("a frame of sockctl begins with a zero byte")
        length = int.from_bytes((yield from feed.take(HEADER_BYTES)))
        size = HEADER_BYTES + length
        if length > LIMIT_BYTES:
            flow.add(FrameSeen(towards_target=towards_target, size=size, content=None))
            yield from feed.skip(length)
            continue
        content = (yield from feed.take(length)).decode(errors="replace")
        message = read_message(content, flow.exchange, towards_target=towards_target)
        if message is None:
            flow.add(FrameSeen(towards_target=towards_target, size=size, content=content))
        else:
            flow.add(MessageSeen(towards_target=towards_target, size=size, message=message))


def _measure(data: bytes, at: int) -> int:
    """Return the size of the frame at `at`; 0 if there is none, or its header is incomplete."""
    header = data[at : at + HEADER_BYTES]
    return HEADER_BYTES + int.from_bytes(header) if len(header) == HEADER_BYTES and not header[0] else 0


def read_message(content: str, exchange: Exchange, *, towards_target: bool) -> dict[str, Any] | None:
    """Return the fields of a message, without secrets; None if `content` is no message."""
    try:
        message = decode_message(content)
    except BadMessageError:
        return None
    is_secret = _is_secret(message, exchange) if towards_target else _hear(message, exchange)
    fields = {name: HIDDEN if name in _SECRET_FIELDS else value for name, value in message.fields.items()}
    if is_secret:
        fields["text"] = HIDDEN
        fields.pop("lines", None)
    return fields


def describe_message(fields: dict[str, Any]) -> str:
    """Return a message as one sentence."""
    message = Message(dict(fields))
    line = format_line(message)
    if fields.get("text") == HIDDEN:
        line = HIDDEN
    return shorten(f"Message {message.kind}: {line}" if line else f"Message {message.kind}.")


def _hear(message: Message, exchange: Exchange) -> bool:
    """Note what a message of the target says about the client's next ones; return that its text is no secret."""
    if message.kind == "ask":
        exchange.asks_secret = message.asks_secret or message.get("field") == "password"
    elif message.kind == "welcome":
        exchange.welcomed, exchange.asks_secret = True, False
    return False


def _is_secret(message: Message, exchange: Exchange) -> bool:
    """Return whether the text of a client's message must not be shown."""
    if message.kind not in _SAID:
        return False
    is_secret = exchange.asks_secret or message.get("field") == "password"
    exchange.asks_secret = False
    return is_secret or (message.kind != "answer" and not exchange.welcomed)
