"""A raw frame client for tests, written anew from the description of the wire, so that it shares no defect with it."""

import contextlib
import json
import socket
import struct
from collections.abc import Iterator
from typing import Any

from tests.support.running import TIMEOUT_S, receive_exactly
from tests.support.two_hosts import server_address

Fields = dict[str, Any]
HEADER_BYTES = 4


def frame(text: str) -> bytes:
    data = text.encode()
    return struct.pack(">I", len(data)) + data


def framed(**fields: Any) -> bytes:
    """Return the frame of a message."""
    return frame(json.dumps(fields))


class FrameClient:
    """A client that has read the greeting and speaks frames; without one, it stands where the frames have begun."""

    def __init__(self, sock: socket.socket, *, hello: bool = True, greeted: bool = True) -> None:
        self.sock = sock
        self.greeting = b""
        while greeted and not self.greeting.endswith(b"\r\n"):
            self.greeting += receive_exactly(sock, 1)
        self._in_frames = not greeted
        if hello:
            self.send(kind="hello", client="test")

    def send(self, **fields: Any) -> None:
        self.sock.sendall(framed(**fields))

    def line(self, text: str) -> None:
        self.send(kind="line", text=text)

    def receive(self) -> Fields | None:
        """Return the next message; None at the end."""
        if not self._in_frames:
            while (first := self.sock.recv(1)) not in {b"\0", b""}:
                pass  # text from before the change
            if not first:
                return None
            self._in_frames = True
            header = first + receive_exactly(self.sock, 3)
        else:
            first = self.sock.recv(1)
            if not first:
                return None
            header = first + receive_exactly(self.sock, 3)
        message: Fields = json.loads(receive_exactly(self.sock, struct.unpack(">I", header)[0]))
        return message

    def expect(self, kind: str, **fields: Any) -> Fields:
        """Receive a message of that kind with these fields, and return it."""
        message = self.receive()
        assert message is not None, f"the connection ended, and {kind} did not come"
        assert message["kind"] == kind, message
        assert {name: message.get(name) for name in fields} == fields
        return message

    def rest(self) -> list[Fields]:
        """Receive until the end."""
        messages = []
        while (message := self.receive()) is not None:
            messages.append(message)
        return messages


class FrameBuffer:
    """Cuts what a server sends into messages, for a client that waits for other things as well."""

    def __init__(self) -> None:
        self._data = b""
        self._in_frames = False

    def take(self, data: bytes) -> Iterator[Fields]:
        """Take more bytes; yield each message that is complete."""
        self._data += data
        if not self._in_frames:
            begin = self._data.find(b"\0")  # the text before is from before the change
            if begin < 0:
                return
            self._data = self._data[begin:]
            self._in_frames = True
        while len(self._data) >= HEADER_BYTES:
            end = HEADER_BYTES + struct.unpack_from(">I", self._data)[0]
            if len(self._data) < end:
                return
            fields: Fields = json.loads(self._data[HEADER_BYTES:end])
            self._data = self._data[end:]
            yield fields


@contextlib.contextmanager
def frame_client(port: int, host: str = "", *, source: str = "", hello: bool = True) -> Iterator[FrameClient]:
    with socket.create_connection((host or server_address(), port), TIMEOUT_S, (source, 0) if source else None) as sock:
        sock.settimeout(TIMEOUT_S)
        yield FrameClient(sock, hello=hello)
