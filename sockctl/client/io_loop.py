"""Moves bytes both ways between an input descriptor and a connected socket, until one side has ended.

One loop waits for both at once, so neither direction can block the other. What was read from the input but not sent yet
is bounded: while it waits, no more input is read. The end of the input is passed on as a half-close (FIN), and what the
server still sends is received however late it comes.
"""

import contextlib
import enum
import math
import select
import socket
import time
from collections.abc import Callable
from typing import Protocol

from sockctl.errors import ConnectionBrokenError
from sockctl.net.transport import Transport, is_pending

__all__ = ["Ending", "Input", "Relay"]

READ_BYTES = 65_536
MAX_ANSWERS_BYTES = 1 << 20
"""Bytes of answers that may wait for a server that goes on asking; what is typed or piped in isn't read meanwhile."""
FLUSH_S = 2.0
"""How long a stop waits for a server that doesn't take what is still to be sent."""


class Ending(enum.StrEnum):
    """Why a relay ended."""

    SERVER_CLOSED = "server_closed"
    QUIT_AFTER = "quit_after"
    STOPPED = "stopped"


class Input(Protocol):
    """Where the bytes to send come from."""

    @property
    def ended(self) -> bool:
        """Whether nothing more will come."""
        ...

    @property
    def wanted(self) -> bool:
        """Whether it is to be read now."""
        ...

    def fileno(self) -> int:
        """Return the descriptor to wait for."""
        ...

    def read(self) -> bytes:
        """Return what there is to send, perhaps nothing. Called when the descriptor is readable."""
        ...


class Relay:
    """One connection of a client.

    Args:
        sock: The connected socket; it is made non-blocking. The caller closes it.
        source: The input.
        on_received: Takes what the server sent, in order; it may block.
        on_sent: Takes what the kernel took for sending, in order.
        on_input_ended: Called when the half-close went out.
        on_pause: Called before each wait; returns for how many seconds at most to wait, or None. It may send and stop.
        quit_after_s: Seconds to wait for the server's end after the input's, or None to wait for as long as it takes.
    """

    def __init__(
        self,
        sock: Transport,
        source: Input,
        *,
        on_received: Callable[[bytes], None],
        on_sent: Callable[[bytes], None],
        on_input_ended: Callable[[], None],
        on_pause: Callable[[], float | None],
        quit_after_s: float | None,
    ) -> None:
        sock.setblocking(False)
        self._sock = sock
        self._source = source
        self._on_received = on_received
        self._on_sent = on_sent
        self._on_input_ended = on_input_ended
        self._on_pause = on_pause
        self._quit_after_s = quit_after_s
        self._unsent = bytearray()
        self._answers_bytes = 0  # of what the server has asked for, since everything was sent the last time
        self._quit_at: float | None = None
        self._stop_at: float | None = None

    def send(self, data: bytes) -> None:
        """Send `data` after what waits to be sent, unless the half-close went out already; the callbacks call it."""
        if self._quit_at is None:
            self._unsent += data

    def answer(self, data: bytes) -> None:
        """Send what the server has asked for, as `send` does.

        Raises:
            ConnectionBrokenError: The server goes on asking, and takes no answer.
        """
        self._answers_bytes += len(data)
        if self._answers_bytes > MAX_ANSWERS_BYTES:
            raise ConnectionBrokenError(
                f"The server asks for answers and takes none: {len(self._unsent):,} bytes wait to be sent."
            )
        self.send(data)

    def stop(self) -> None:
        """End the relay when everything is sent, or after 2 s; no more input is read. The callbacks call it."""
        if self._stop_at is None:
            self._stop_at = time.monotonic() + FLUSH_S

    def run(self) -> Ending:
        """Move bytes until the server ends its side, the time after the input's end is up, or it is stopped.

        Raises:
            ConnectionBrokenError: The server reset the connection, or ended it before it took everything.
        """
        while True:
            ending = self.step()
            if ending is not None:
                return ending

    def step(self) -> Ending | None:
        """Wait once, move what there is, and return how it ended if it has.

        Raises:
            ConnectionBrokenError: As for `run`.
        """
        try:
            return self._step()
        except ConnectionBrokenError:
            if self._stop_at is None:
                raise
            return Ending.STOPPED  # all that was wanted has come: how the server takes the rest is its own affair

    def _step(self) -> Ending | None:
        readable = self._wait()
        if self._sock in readable and not self._receive():
            return self._server_ended()
        if self._source in readable and self._stop_at is None:
            self._unsent += self._source.read()
        if self._unsent:
            self._send()
        if self._stop_at is not None and (not self._unsent or time.monotonic() >= self._stop_at):
            return Ending.STOPPED
        if self._source.ended and not self._unsent and self._quit_at is None:
            self._half_close()
        if self._quit_at is not None and time.monotonic() >= self._quit_at:
            return Ending.QUIT_AFTER
        return None

    def _wait(self) -> list[Transport | Input]:
        pause_s = self._on_pause()
        stopping, ended = self._stop_at is not None, self._source.ended
        if not self._unsent and (stopping or (ended and self._quit_at is None)):
            pause_s = 0.0  # there is something to do that waits for nobody
        sources: list[Transport | Input] = [self._sock]
        if self._source.wanted and not ended and not stopping and len(self._unsent) < READ_BYTES:
            sources.append(self._source)
        now = time.monotonic()
        waits_s = [pause_s, *(until - now for until in (self._quit_at, self._stop_at) if until is not None)]
        if is_pending(self._sock):  # select() can't see it
            return [self._sock]
        timeout_s = min((max(0.0, wait_s) for wait_s in waits_s if wait_s is not None), default=math.inf)
        readable, _, _ = select.select(
            sources, [self._sock] if self._unsent else [], [], None if timeout_s == math.inf else timeout_s
        )
        return readable

    def _receive(self) -> bool:
        """Receive once and pass it on; return whether the server's side is still open."""
        try:
            data = self._sock.recv(READ_BYTES)
        except BlockingIOError:
            return True
        except OSError as error:
            raise _broken(error) from error
        if data:
            self._on_received(data)
        return bool(data)

    def _send(self) -> None:
        try:
            sent = self._sock.send(self._unsent)
        except BlockingIOError:
            return
        except BrokenPipeError:
            # The server reset the connection a while ago. What it sent before that may still be there to be read, so
            # that is read first; its end then tells that not everything was taken.
            return
        except OSError as error:
            raise _broken(error) from error
        self._on_sent(bytes(self._unsent[:sent]))
        del self._unsent[:sent]
        if not self._unsent:
            self._answers_bytes = 0

    def _half_close(self) -> None:
        self._quit_at = math.inf if self._quit_after_s is None else time.monotonic() + self._quit_after_s
        with contextlib.suppress(OSError):  # the server has reset the connection: reading will tell
            self._sock.shutdown(socket.SHUT_WR)
        self._on_input_ended()

    def _server_ended(self) -> Ending:
        if self._unsent:
            raise ConnectionBrokenError(
                f"The server ended the connection before it took everything: {len(self._unsent)} bytes were not sent."
            )
        return Ending.SERVER_CLOSED


def _broken(error: OSError) -> ConnectionBrokenError:
    return ConnectionBrokenError(f"The connection broke ({error.strerror}): what was on its way is lost.")
