"""Echo: each client sends messages and gets them back, byte for byte."""

import contextlib
import socket
import time
from collections import deque

from sockctl.bench.payload import PIECE_BYTES, Payload, diagnose
from sockctl.bench.pool import Speaker, SpeakerPool, WorkerContext
from sockctl.net.poller import READABLE, WRITABLE
from sockctl.net.transport import Transport


class EchoClient(Speaker):
    """One connection. It keeps only the length of the awaited bytes, which are the block's next ones.

    Args:
        context: The state that all clients share.
        number: The client's number.
        stream: The bytes that they send.
    """

    def __init__(self, context: WorkerContext, number: int, stream: Payload) -> None:
        super().__init__(context, number)
        self._stream = stream
        self._at_out = self._at_in = stream.find_start(number)
        self._unsent = 0
        self._owed = 0  # bytes sent that have not come back
        self._part = 0  # bytes that are back of a message that isn't whole yet
        self._sent: deque[tuple[float, int]] = deque()  # time and number of the messages sent that aren't back
        self._closed_loop = context.plan.rate is None
        self._parting = False
        self._blocked = False

    def connected(self, transport: Transport) -> None:
        """Join at once: an echo server doesn't greet."""
        self._transport = transport
        self.joined = True

    def find_wait_start(self) -> float | None:
        """Return when the oldest message that isn't back was sent."""
        return self._sent[0][0] if self._sent else None

    @property
    def awaits(self) -> bool:
        """Whether the client waits for messages to come back."""
        return bool(self._sent)

    def say(self, times: int, due: float) -> None:
        """Send `times` messages that were due at `due`."""
        self._sent.append((due, times))
        self._unsent += times * self._stream.size_bytes
        if not self._blocked:
            self._flush()

    def ready(self, events: int) -> None:
        """Compare the bytes that have come; send as many messages as have come back."""
        if events & WRITABLE:
            self._flush()
            if not events & ~WRITABLE:
                return
        transport, context, stream = self._transport, self.context, self._stream
        if transport is None:
            return
        try:
            size = transport.recv_into(context.buffer)
        except BlockingIOError:
            return
        except OSError:
            self._end("reset")
            return
        at = self._at_in
        if size == 0 or size > self._owed or not stream.block.startswith(context.view[:size], at):
            self._fail_for(size)
            return
        self._owed -= size
        at += size
        self._at_in = at if at < stream.length else at % stream.length
        whole, self._part = divmod(self._part + size, stream.size_bytes)
        if whole:
            now = time.monotonic()
            self._count_answers(whole, now)
            if self._closed_loop and (more := context.pace.grant(whole, now)):
                self.say(more, now)

    def _count_answers(self, whole: int, now: float) -> None:
        sent, pace, stats = self._sent, self.context.pace, self.context.stats
        while whole:
            due, times = sent[0]
            if times > whole:
                sent[0] = (due, times - whole)
                times = whole
            else:
                sent.popleft()
            whole -= times
            if due >= pace.measured_from:
                stats.answer(now - due, now, self._stream.size_bytes, times)

    def _flush(self) -> None:
        """Send unsent bytes, as far as the system takes them."""
        transport, stream = self._transport, self._stream
        if transport is None:
            return
        while self._unsent:
            at = self._at_out
            wanted = min(self._unsent, PIECE_BYTES)
            try:
                count = transport.send(stream.view[at : at + wanted])
            except BlockingIOError:
                count = 0
            except OSError:
                self._end("reset")
                return
            self._unsent -= count
            self._owed += count
            at += count
            self._at_out = at if at < stream.length else at % stream.length
            if count < wanted:
                break
        if self._blocked != bool(self._unsent):
            self._blocked = bool(self._unsent)
            self.want_to_send(self._blocked)

    def _fail_for(self, size: int) -> None:
        """Fail, since the bytes that came are not the expected ones."""
        if not size:
            self._end("closed")
        elif self._stream.block.startswith(self.context.view[: min(size, self._owed)], self._at_in):
            self._end("extra")
        else:
            self._end(diagnose(self._stream, self._at_in, bytes(self.context.view[:size])))

    def _end(self, reason: str) -> None:
        if self._parting and reason in {"closed", "reset"}:
            self.drop()
        else:
            self.fail(reason)

    def leave(self) -> None:
        """Shut the sending side; bytes that come now, beyond those owed, are an error."""
        self._parting = True
        if self._transport is not None:
            with contextlib.suppress(OSError):
                self._transport.shutdown(socket.SHUT_WR)
            self.context.loop.watch(self._fd, READABLE, self.ready)


class EchoPool(SpeakerPool):
    """The clients of an echo server.

    Args:
        context: The state that they share.
    """

    def __init__(self, context: WorkerContext) -> None:
        plan = context.plan
        stream = Payload(plan.size_bytes)
        self._clients = [EchoClient(context, plan.first + number, stream) for number in range(plan.clients)]
        super().__init__(context, self._clients)

    def leave(self) -> bool:
        """Shut the sending side of all connections, to see whether more comes than was sent."""
        for client in self._clients:
            client.leave()
        return True
