"""WebSocket (RFC 6455) as the load tool needs it: text both ways, whole frames, no extensions.

The client masks with zeros, which servers can't tell from chance: so the bytes of a text stay as they are.
"""

import struct
from collections.abc import Callable, Iterator

from sockctl.errors import NotGreetedError
from sockctl.protocol.messages import Message, make_message

_TEXT, _CLOSE, _PING, _PONG = 0x1, 0x8, 0x9, 0xA
_FINAL, _MASKED = 0x80, 0x80
_SHORT, _MEDIUM = 126, 127
_HEADERS_END = b"\r\n\r\n"
_KEY = "c29ja2N0bC1iZW5jaC0wMQ=="


def make_request(path: str, host: str) -> bytes:
    """Return the request of a WebSocket."""
    lines = [
        f"GET {path} HTTP/1.1",
        f"Host: {host}",
        "Upgrade: websocket",
        "Connection: Upgrade",
        f"Sec-WebSocket-Key: {_KEY}",
        "Sec-WebSocket-Version: 13",
    ]
    return "\r\n".join(lines).encode() + _HEADERS_END


def encode_frame(text: str | bytes, opcode: int = _TEXT) -> bytes:
    """Return the frame of a client's text."""
    data = text.encode() if isinstance(text, str) else text
    return _encode_head(len(data), opcode, _MASKED) + bytes(4) + data


def encode_server_frame(text: str) -> bytes:
    """Return the frame of a server's text."""
    data = text.encode()
    return _encode_head(len(data), _TEXT, 0) + data


def _encode_head(size: int, opcode: int, mask: int) -> bytes:
    if size < _SHORT:
        return struct.pack(">BB", _FINAL | opcode, mask | size)
    if size < 1 << 16:
        return struct.pack(">BBH", _FINAL | opcode, mask | _SHORT, size)
    return struct.pack(">BBQ", _FINAL | opcode, mask | _MEDIUM, size)


class WebSocketWire:
    """A client's WebSocket, in the place of a `sockctl.protocol.client_wire.ClientWire`.

    Args:
        decode: Returns the message in a text.

    Attributes:
        outgoing: Bytes that are to be sent; the caller sends and removes them.
    """

    def __init__(self, decode: Callable[[str], Message]) -> None:
        self.outgoing = bytearray()
        self._decode = decode
        self._buffer = bytearray()
        self._is_open = False

    def feed(self, data: bytes) -> None:
        """Store bytes of the server.

        Raises:
            NotGreetedError: The server doesn't take up the WebSocket.
        """
        self._buffer += data
        if self._is_open or _HEADERS_END not in self._buffer:
            return
        head, _, rest = bytes(self._buffer).partition(_HEADERS_END)
        if b" 101 " not in head.partition(b"\r\n")[0]:
            raise NotGreetedError("The server takes no WebSocket there.")
        self._is_open = True
        self._buffer = bytearray(rest)

    def decode_all(self) -> Iterator[Message]:
        """Yield the messages of complete frames; answer pings."""
        buffer, position = self._buffer, 0
        while self._is_open and (frame := self._find_frame(position)) is not None:
            opcode, start, position = frame
            if opcode == _TEXT:
                yield self._decode(buffer[start:position].decode())
            elif opcode == _PING:
                self.outgoing += encode_frame(bytes(buffer[start:position]), _PONG)
            elif opcode == _CLOSE:
                yield make_message("bye")
        del buffer[:position]

    def take_rest(self) -> bytes:
        """Return the bytes of an incomplete frame, and forget them: the caller feeds them again."""
        if not self._is_open:
            return b""
        rest = bytes(self._buffer)
        self._buffer.clear()
        return rest

    def _find_frame(self, position: int) -> tuple[int, int, int] | None:
        """Return the opcode of the next frame, and where its data begins and ends; None if it is incomplete."""
        buffer = self._buffer
        there = len(buffer) - position
        if there < 2:
            return None
        size, start = buffer[position + 1] & 0x7F, position + 2
        if size == _SHORT:
            size, start = int.from_bytes(buffer[start : start + 2]), start + 2
        elif size == _MEDIUM:
            size, start = int.from_bytes(buffer[start : start + 8]), start + 8
        if start > len(buffer) or start + size > len(buffer):
            return None
        return buffer[position] & 0x0F, start, start + size
