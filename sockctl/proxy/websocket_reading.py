"""Reads WebSocket frames that pass (RFC 6455, section 5).

`sockctl.protocol.web_decoder` gives whole messages, and refuses what breaks the rules or is too large for a server. The
proxy tells each frame as it is, of any size, and works where `websockets` isn't installed.
"""

from dataclasses import dataclass
from typing import Any, ClassVar

from sockctl.protocol.frames import LIMIT_BYTES
from sockctl.protocol.web_frames import BINARY, CLOSE, CONTINUATION, CONTROL, FIN, PING, PONG, SHORT_BYTES, TEXT
from sockctl.proxy.byte_feed import NotUnderstoodError, Reading
from sockctl.proxy.exchange import Side
from sockctl.proxy.message_reading import describe_message, read_message, shorten
from sockctl.proxy.seen import Seen
from sockctl.text import format_bytes

_COMPRESSED, _RESERVED, _OPCODE, _MASKED, _SIZE = 0x40, 0x30, 0x0F, 0x80, 0x7F
_NAMES = {CONTINUATION: "continuation", TEXT: "text", BINARY: "binary", CLOSE: "close", PING: "ping", PONG: "pong"}
_CODE_BYTES = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class WebSocketFrame(Seen):
    """A frame of a WebSocket.

    Attributes:
        opcode: What the frame is: ``text``, ``binary``, ``continuation``, ``close``, ``ping``, ``pong``.
        final: Whether it is the last one of its message.
        masked: Whether its payload is masked, as that of each client is.
        compressed: Whether its message is compressed (permessage-deflate, RFC 7692).
        payload_bytes: Bytes of the payload.
        message: The fields of a message of sockctl, without secrets; None for another payload.
        content: The text of a whole text message, or the reason of a Close frame; None where it isn't shown.
        code: The code of a Close frame; None for none.
    """

    kind: ClassVar[str] = "websocket_frame"

    opcode: str
    final: bool
    masked: bool
    compressed: bool
    payload_bytes: int
    message: dict[str, Any] | None = None
    content: str | None = None
    code: int | None = None

    @property
    def text(self) -> str:
        marks = [mark for mark, has in (("compressed", self.compressed), ("not the last", not self.final)) if has]
        marks.append(format_bytes(self.payload_bytes))
        code = "" if self.code is None else f", code {self.code}"
        head = f"WebSocket {self.opcode} frame ({', '.join(marks)}){code}"
        if self.message is not None:
            return f"{head}: {describe_message(self.message)}"
        return f"{head}: {shorten(self.content)}" if self.content else f"{head}."


def read_websocket(side: Side) -> Reading[None]:
    """Read frames until the end of the direction.

    Raises:
        EndOfBytesError: The direction ended in the middle of a frame.
        NotUnderstoodError: The next bytes are no frame.
    """
    feed = side.feed
    while True:
        feed.inside = ""
        if not (yield from feed.wait(1)):
            return
        feed.inside = "a WebSocket frame"
        head, second = yield from feed.take(2)
        opcode, length, masked = head & _OPCODE, second & _SIZE, bool(second & _MASKED)
        if opcode not in _NAMES or head & _RESERVED or (head & _COMPRESSED and not side.exchange.compresses):
            raise NotUnderstoodError("that is no WebSocket frame, or has an extension that the proxy doesn't know")
        size = 2
        if length > SHORT_BYTES:
            extended = yield from feed.take(2 if length == SHORT_BYTES + 1 else 8)
            length = int.from_bytes(extended)
            size += len(extended)
        mask = (yield from feed.take(4)) if masked else b""
        size += len(mask) + length
        frame = WebSocketFrame(
            towards_target=side.towards_target,
            size=size,
            opcode=_NAMES[opcode],
            final=bool(head & FIN),
            masked=masked,
            compressed=bool(head & _COMPRESSED),
            payload_bytes=length,
        )
        if length > LIMIT_BYTES or head & (FIN | _COMPRESSED) != FIN or opcode in {BINARY, CONTINUATION}:
            side.add(frame)
            yield from feed.skip(length)
            continue
        payload = yield from feed.take(length)
        side.add(_describe(side, frame, opcode, unmask(payload, mask)))


def unmask(payload: bytes, mask: bytes) -> bytes:
    """Return a payload without its mask (section 5.3), which has 4 bytes, or none."""
    if not mask or not payload:
        return payload
    key = (mask * (len(payload) // len(mask) + 1))[: len(payload)]
    return (int.from_bytes(payload) ^ int.from_bytes(key)).to_bytes(len(payload))


def _describe(side: Side, frame: WebSocketFrame, opcode: int, payload: bytes) -> WebSocketFrame:
    """Return the frame with what its payload says."""
    message: dict[str, Any] | None = None
    code: int | None = None
    if opcode == CLOSE and len(payload) >= _CODE_BYTES:
        code, payload = int.from_bytes(payload[:_CODE_BYTES]), payload[_CODE_BYTES:]
    content: str | None = payload.decode(errors="replace")
    if opcode == TEXT and content and content.startswith("{"):
        message = read_message(content, side.exchange, towards_target=side.towards_target)
        content = None if message is not None else content
    elif opcode & CONTROL and opcode != CLOSE and content and not content.isprintable():
        content = None
    return WebSocketFrame(
        towards_target=frame.towards_target,
        size=frame.size,
        opcode=frame.opcode,
        final=frame.final,
        masked=frame.masked,
        compressed=frame.compressed,
        payload_bytes=frame.payload_bytes,
        message=message,
        content=content,
        code=code,
    )
