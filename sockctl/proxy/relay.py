"""One relayed connection: both directions, their ends, and the rules for a side that breaks.

| what happens | what follows |
|---|---|
| a side half-closes | the relay passes that on behind all bytes; the other direction goes on |
| both sides have half-closed | the relay closes both sockets |
| a side resets | the relay resets the other one |
| sending to a side fails | the relay passes on its last bytes, then resets the other side |
| the server closes the client's connection | the relay closes the target's; kept bytes make a reset of it |
| the server stops | the relay passes on what the client has sent, and an end; then see `drain` |

The relay's loop (`sockctl.proxy.loop`) owns a relay, and calls it in its thread.
"""

import contextlib
import errno
import os
import time
from collections.abc import Callable
from typing import Protocol

from sockctl.events.reasons import DisconnectReason, Reason
from sockctl.net.connection import Connection
from sockctl.net.kernel_queues import count_unread_bytes
from sockctl.net.poller import BROKEN, READABLE, WRITABLE
from sockctl.proxy.flow import Flow
from sockctl.proxy.reasons import DROPPED, TARGET_CLOSED, TARGET_RESET
from sockctl.proxy.relay_socket import ClientSocket, RelaySocket
from sockctl.proxy.traffic import RelayTraffic

QUIET_S = 0.5
"""How long nothing must have moved before a stopping server ends a relay."""


class Stage(Protocol):
    """The loop, as a relay uses it."""

    buffer: bytearray
    view: memoryview

    def wait_for(self, side: RelaySocket, interest: int) -> None:
        """Wait for READABLE or WRITABLE on a side."""

    def forget(self, side: RelaySocket) -> None:
        """Wait for nothing more on a side."""

    def read_soon(self, relay: "Relay", flow: Flow) -> None:
        """Have a relay read without waiting, since a side has bytes that no poller sees."""

    def set_timer(self, relay: "Relay", at: float) -> None:
        """Have a relay flush at a time."""

    def remove(self, relay: "Relay") -> None:
        """Forget a relay, which has ended."""


class Relay:
    """A client's connection and the target's, and the bytes between them.

    Args:
        client: The client's side.
        target: The target's.
        up: The direction towards the target.
        down: The direction towards the client.
        traffic: Emits what passes.
        release: Gives the client's connection back to the server, at the end.
        drop_after: After how many bytes to break both off; None for never.

    Attributes:
        connection: The client's connection.
        is_over: Whether the relay has ended.
    """

    def __init__(
        self,
        client: ClientSocket,
        target: RelaySocket,
        up: Flow,
        down: Flow,
        traffic: RelayTraffic,
        *,
        release: Callable[[], None],
        drop_after: int | None,
    ) -> None:
        self._client = client
        self._target = target
        self._up = up
        self._down = down
        self._traffic = traffic
        self._release = release
        self._left = drop_after
        self._is_plain = up.shaper is None and drop_after is None  # whether reading alone changes no interest
        self._ended_first: Flow | None = None
        self._drain_at: int | None = None
        self._last: Flow | None = None
        self.connection: Connection = client.connection
        self.is_over = False

    def start(self, stage: Stage) -> None:
        """Begin to read from both sides."""
        self._stage = stage
        self._update()
        for flow in (self._up, self._down):
            if flow.source.has_pending:
                stage.read_soon(self, flow)

    def react(self, side: RelaySocket, events: int, now: float) -> None:
        """React to a side that is readable, writable or broken."""
        inward, outward = (self._up, self._down) if side is self._client else (self._down, self._up)
        if events & WRITABLE and outward.rest:
            self._flush(outward, now)
        if events & ~WRITABLE and not self.is_over:
            if inward.may_read and self._left != 0:
                self.read(inward, now)
                if self._is_plain and not inward.rest and not inward.read_ended:
                    return
            elif events & BROKEN and inward.read_ended:
                self._break(side, _make_reset())
            elif events & ~(READABLE | WRITABLE):
                self._stage.forget(side)  # until there is something to do
        self._go_on(now)

    def read(self, flow: Flow, now: float) -> None:
        """Read once from a direction's source, which may be read, and pass the bytes on."""
        try:
            count = flow.source.receive_into(self._stage.buffer)
        except BlockingIOError:
            return
        except OSError as error:
            self._break(flow.source, error)
            return
        if not count:
            self._end(flow, now)
            return
        self.connection.last_active = now
        self._last = flow
        data = self._stage.view[:count]
        if self._left is not None:
            data = data[: self._left]
            self._left -= len(data)
        if flow.shaper is not None and not flow.bytes:
            self._traffic.emit_hold(flow)
        try:
            flow.pass_on(data, now)
        except OSError:
            self._hear_out(flow)
        self._traffic.emit_read(flow, data, now)
        if self._drain_at is not None and flow is self._up:
            self._end_drained(now)

    def flush_due(self, now: float) -> None:
        """Send the bytes that were held back, and whose time has come."""
        for flow in (self._up, self._down):
            if flow.due_at <= now and not self.is_over:
                self._flush(flow, now)
        self._go_on(now)

    def check(self, now: float) -> None:
        """Look whether the server has ended the client's connection, and whether a drain is over."""
        reason = self.connection.reason
        if reason is not None and reason is not DisconnectReason.SERVER_STOPPING:
            self.finish(reason)
        elif self._drain_at is not None:
            self._finish_drained(now)

    def drain(self, now: float) -> None:
        """Pass on the bytes that the client has sent so far, then an end; close the relay once the target has answered.

        The target has answered when it half-closes. It has also answered when it spoke last, and nothing has moved for
        `QUIET_S`. The server closes the connection at the drain's end in any case.
        """
        self._drain_at = self.connection.raw_bytes_in + count_unread_bytes(self.connection.fd)
        self._end_drained(now)
        self._go_on(now)
        if not self.is_over:
            self._finish_drained(now)

    def finish(self, reason: Reason | None) -> None:
        """End the relay: close the target's connection, and give the client's back to the server.

        A side that hasn't got all its bytes gets a reset: an end would say that these were all.
        """
        if self.is_over:
            return
        self.is_over = True
        for flow in (self._up, self._down):
            if not flow.is_empty:
                flow.sink.prepare_abort()
        self.connection.reason = self.connection.reason or reason
        with contextlib.ExitStack() as end:
            end.callback(self._release)  # last: the server may close the client's socket at once
            end.callback(self._target.close)
            for side in (self._client, self._target):
                self._stage.forget(side)
            self._stage.remove(self)
            self._traffic.end(time.monotonic())

    @property
    def sides(self) -> tuple[RelaySocket, RelaySocket]:
        """The client's side and the target's."""
        return self._client, self._target

    def _flush(self, flow: Flow, now: float) -> None:
        try:
            flow.flush(now)
        except OSError:
            self._hear_out(flow)
        else:
            self.connection.last_active = now

    def _end(self, flow: Flow, now: float) -> None:
        """React to the end of a side's bytes."""
        if flow is self._up and not flow.source.is_broken:
            reason = self.connection.reason
            if reason is not None and reason is not DisconnectReason.SERVER_STOPPING:
                self.finish(reason)  # the server has shut the socket
                return
            self.connection.input_ended = True
        self._ended_first = self._ended_first or flow
        flow.end(now)

    def _go_on(self, now: float) -> None:
        """Pass on ends, end the relay if both have passed, else wait for what can happen next."""
        if self.is_over:
            return
        for flow in (self._up, self._down):
            if flow.source.is_broken and flow.read_ended and flow.is_empty:
                self._break(flow.source, _make_reset())
                return
            if not flow.source.is_broken and flow.pass_end_on():
                self._traffic.emit_end(flow, now)
        if self._left == 0:
            self._drop()
        elif self._up.is_through and self._down.is_through:
            self.finish(self._find_reason())
        if not self.is_over:
            self._update()

    def _find_reason(self) -> Reason | None:
        """Return why a relay is over whose sides have both ended; None where the client ended first."""
        if self._drain_at is not None:
            return DisconnectReason.SERVER_STOPPING
        return TARGET_CLOSED if self._ended_first is self._down else None

    def _update(self) -> None:
        """Wait on both sides for what can happen next."""
        may_read = self._left != 0
        for side, inward, outward in ((self._client, self._up, self._down), (self._target, self._down, self._up)):
            reads = inward.may_read and may_read
            if reads and not side.interest & READABLE and side.has_pending:
                self._stage.read_soon(self, inward)
            self._stage.wait_for(side, (READABLE if reads else 0) | (WRITABLE if outward.rest else 0))
        due_at = min(self._up.due_at, self._down.due_at)
        self._stage.set_timer(self, due_at)

    def _hear_out(self, flow: Flow) -> None:
        """Stop sending to a broken side, and wait for the last bytes that it has sent."""
        flow.sink.is_broken = True
        flow.discard()

    def _break(self, side: RelaySocket, error: OSError) -> None:
        """End the relay since a side has broken its connection off; break the other one off, too."""
        if side is self._client:
            if self.connection.error is None and self.connection.reason is None:
                self.connection.note_error(error)
            self._target.prepare_abort()
            self.finish(None)
            return
        self._traffic.emit_break(error)
        self._client.prepare_abort()
        self.finish(TARGET_RESET)

    def _drop(self) -> None:
        """Break both sides off on purpose, once all bytes have gone that may pass."""
        if not (self._up.is_empty and self._down.is_empty):
            return
        self._traffic.emit_drop(self._up.bytes + self._down.bytes)
        for side in self.sides:
            side.prepare_abort()
        self.finish(DROPPED)

    def _end_drained(self, now: float) -> None:
        """End the client's direction once its earlier bytes have been read."""
        if self._drain_at is not None and self.connection.raw_bytes_in >= self._drain_at and not self._up.read_ended:
            self._up.end(now)

    def _finish_drained(self, now: float) -> None:
        answered = self._last is not self._up and now - self.connection.last_active >= QUIET_S
        if answered and self._up.is_through and self._down.is_empty and not count_unread_bytes(self._target.fd):
            self.finish(DisconnectReason.SERVER_STOPPING)


def _make_reset() -> OSError:
    return ConnectionResetError(errno.ECONNRESET, os.strerror(errno.ECONNRESET))
