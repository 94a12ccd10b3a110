"""Reads WebSocket frames that pass (RFC 6455, section 5).

`sockctl.protocol.web_decoder` gives whole messages, and refuses one that breaks the rules or is too large for a server.
The proxy shows each frame as it is, of any size, and works where `websockets` isn't installed.
"""

from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

from sockctl.protocol.frames import LIMIT_BYTES
from sockctl.protocol.web_frames import BINARY, CLOSE, CONTINUATION, FIN, PING, PONG, SHORT_BYTES, TEXT
from sockctl.proxy.byte_feed import EndOfBytesError, NotUnderstoodError, Reading
from sockctl.proxy.exchange import InspectedFlow
from sockctl.proxy.message_reading import JSON_BYTES, describe_message, read_message
from sockctl.proxy.seen import HELD_BYTES, WIDEST, Seen, shorten
from sockctl.text import format_bytes

_COMPRESSED, _RESERVED, _OPCODE, _MASKED, _SIZE = 0x40, 0x30, 0x0F, 0x80, 0x7F
_NAMES = {CONTINUATION: "continuation", TEXT: "text", BINARY: "binary", CLOSE: "close", PING: "ping", PONG: "pong"}
_SHORT_HEADER, _MASK_BYTES, _LONGEST_HEADER = 2, 4, 14
_CODE_BYTES = 2


class _Header(NamedTuple):
    """The header of a frame: its first byte, its size, the payload's length, and the mask (empty for none)."""

    head: int
    size: int
    length: int
    mask: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class WebSocketFrame(Seen):
    """A frame of a WebSocket.

    Attributes:
        opcode: The kind of frame: ``text``, ``binary``, ``continuation``, ``close``, ``ping``, ``pong``.
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
    def held_bytes(self) -> int:
        per_byte = JSON_BYTES if self.message is not None else WIDEST
        return HELD_BYTES + per_byte * min(self.payload_bytes, LIMIT_BYTES)

    @property
    def text(self) -> str:
        marks = [mark for mark, has in (("compressed", self.compressed), ("not the last", not self.final)) if has]
        marks.append(format_bytes(self.payload_bytes))
        code = "" if self.code is None else f", code {self.code}"
        head = f"WebSocket {self.opcode} frame ({', '.join(marks)}){code}"
        if self.message is not None:
            return f"{head}: {describe_message(self.message)}"
        return f"{head}: {shorten(self.content)}" if self.content else f"{head}."


def read_websocket(flow: InspectedFlow) -> Reading[None]:
    """Read frames until the end of the direction.

    Raises:
        EndOfBytesError: The direction ended in the middle of a frame.
        NotUnderstoodError: The next bytes are no frame.
    """
    feed = flow.feed
    while (yield from feed.begin("a WebSocket frame")):
        if flow.is_full and flow.count_frames(_measure):
            flow.exchange.asks_secret = True  # a message that was passed over may have asked
            continue
        while (header := _decode_header(feed.peek(_LONGEST_HEADER))) is None:
            if feed.ended:
                raise EndOfBytesError
            yield
        head, length = header.head, header.length
        if head & _OPCODE not in _NAMES or head & _RESERVED or (head & _COMPRESSED and not flow.exchange.compresses):
            raise NotUnderstoodError("that is no WebSocket frame, or has an extension that the proxy doesn't know")
        feed.pass_over(header.size)
        is_whole_text = head & (FIN | _COMPRESSED) == FIN and head & _OPCODE not in {BINARY, CONTINUATION}
        if is_whole_text and length <= LIMIT_BYTES:
            flow.add(_describe(flow, header, unmask((yield from feed.take(length)), header.mask)))
        else:
            flow.add(_describe(flow, header, b""))
            yield from feed.skip(length)


def _decode_header(data: bytes, at: int = 0) -> _Header | None:
    """Return the header at `at`; None if it is incomplete."""
    if len(data) - at < _SHORT_HEADER:
        return None
    second = data[at + 1]
    length, mask_at = second & _SIZE, at + _SHORT_HEADER
    if length > SHORT_BYTES:
        mask_at += 2 if length == SHORT_BYTES + 1 else 8
        length = int.from_bytes(data[at + _SHORT_HEADER : mask_at])
    end = mask_at + (_MASK_BYTES if second & _MASKED else 0)
    return _Header(data[at], end - at, length, data[mask_at:end]) if end <= len(data) else None


def _measure(data: bytes, at: int) -> int:
    """Return the size of the frame at `at`; 0 if its header is incomplete, or that of no frame."""
    header = _decode_header(data, at)
    if header is None or header.head & _RESERVED or header.head & _OPCODE not in _NAMES:
        return 0
    return header.size + header.length


def unmask(payload: bytes, mask: bytes) -> bytes:
    """Return a payload without its mask (section 5.3), which has 4 bytes, or none."""
    if not mask or not payload:
        return payload
    key = (mask * (len(payload) // len(mask) + 1))[: len(payload)]
    return (int.from_bytes(payload) ^ int.from_bytes(key)).to_bytes(len(payload))


def _describe(flow: InspectedFlow, header: _Header, payload: bytes) -> WebSocketFrame:
    """Return a frame with the meaning of its payload, where the proxy looks into it."""
    opcode = header.head & _OPCODE
    message: dict[str, Any] | None = None
    code: int | None = None
    if opcode == CLOSE and len(payload) >= _CODE_BYTES:
        code, payload = int.from_bytes(payload[:_CODE_BYTES]), payload[_CODE_BYTES:]
    content: str | None = payload.decode(errors="replace") or None
    if opcode == TEXT and content and content.startswith("{"):
        message = read_message(content, flow.exchange, towards_target=flow.towards_target)
        content = None if message is not None else content
    elif opcode in {PING, PONG} and content and not content.isprintable():
        content = None
    return WebSocketFrame(
        towards_target=flow.towards_target,
        size=header.size + header.length,
        opcode=_NAMES[opcode],
        final=bool(header.head & FIN),
        masked=bool(header.mask),
        compressed=bool(header.head & _COMPRESSED),
        payload_bytes=header.length,
        message=message,
        content=content,
        code=code,
    )
