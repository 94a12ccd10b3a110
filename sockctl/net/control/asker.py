"""One who asks a server what it does, as the control server's thread sees it."""

import contextlib
import json
import socket
import time

from sockctl.deadline import Deadline
from sockctl.net.control.form import ASK
from sockctl.net.status import Fields

_encode = json.JSONEncoder(separators=(",", ":"), check_circular=False).encode


class Asker:
    """One who asks. Only the control server's thread uses it.

    Args:
        sock: The connection, which never blocks.
        line_bytes: The longest line that the asker may send.
        quiet_s: How long the asker may stay without a question.

    Attributes:
        sock: The connection.
        asks: Whether a question waits for its answer.
        until: When the thread closes the connection, unless something happens before, on the monotonic clock.
        is_over: Whether the connection is to be closed.
    """

    def __init__(self, sock: socket.socket, *, line_bytes: int, quiet_s: float) -> None:
        self.sock = sock
        self.asks = False
        self.is_over = False
        self._line_bytes = line_bytes
        self._quiet_s = quiet_s
        self._said = b""
        self._answer = memoryview(b"")
        self.until = time.monotonic() + quiet_s

    @property
    def is_reading(self) -> bool:
        """Whether a part of an answer waits to be read."""
        return bool(self._answer)

    def go_on(self) -> None:
        """Send the rest of an answer, or read a question."""
        if self._answer:
            self._send()
            return
        try:
            data = self.sock.recv(self._line_bytes)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self.is_over = True
            return
        self._said += data
        if self._said.endswith(b"\n") and set(self._said.splitlines(keepends=True)) == {ASK}:
            self._said, self.asks = b"", True  # several questions get one answer
        elif b"\n" in self._said or len(self._said) >= self._line_bytes:
            self.refuse(f"A question is the line {ASK.decode().strip()!r}.")

    def answer(self, answer: bytes, until: float) -> None:
        """Send an answer, which the asker must have read at a time on the monotonic clock."""
        if self._answer:
            return  # in the middle of an answer, nothing else can be said
        self.asks = False
        self._answer, self.until = memoryview(answer), until
        self._send()

    def say_goodbye(self, deadline: Deadline) -> None:
        """Tell that the server stops. In the middle of an answer, the asker gets the rest of its line before."""
        rest = bytes(self._answer)
        line = rest[: rest.find(b"\n") + 1]
        with contextlib.suppress(OSError):  # it reads nothing, or is gone
            self.sock.settimeout(max(deadline.left_s, 0.001))
            self.sock.sendall(line + encode_line({"kind": "stopped"}))

    def refuse(self, text: str) -> None:
        """Send an error, as far as the kernel takes it, and have the connection closed."""
        self.answer(encode_line({"kind": "error", "text": text}), 0.0)
        self.is_over = True

    def _send(self) -> None:
        try:
            self._answer = self._answer[self.sock.send(self._answer) :]
        except BlockingIOError:
            return
        except OSError:
            self.is_over = True
            return
        if not self._answer:
            self.until = time.monotonic() + self._quiet_s


def encode_line(fields: Fields) -> bytes:
    """Return the line of some fields."""
    return _encode(fields).encode() + b"\n"
