"""The watcher: one event thread that holds all connections which nobody has to be waited for.

How it works, in the order in which things happen:

1. The accepting thread hands over each new connection (`add`). From then on the watcher knows it, keeps its deadlines,
   and is the only one to close it. A connection with a conversation is not read from until its handler thread is done
   (`release`).
2. The thread waits for all descriptors at once, level-triggered, and asks each ready one for what is there, up to
   64 KiB at a time, in one buffer that belongs to the thread: 10,000 connections share it. One read per ready
   connection and round keeps it fair. Where nearly all are ready each time, it stops waiting, and tries each in its
   turn (`sockctl.net.optimistic_reads`); where the next message mostly comes at once, it looks for a moment before it
   sleeps (`sockctl.net.busy_polling`).
3. What was read goes to the service as a view of that buffer. The service answers with `post`, which sends at once and
   puts what the kernel doesn't take into the connection's outbox.
4. While anything waits in a connection's outbox, nothing more is read from it. So a client that doesn't read stops
   itself (flow control) and costs the memory of one answer. Nor is anything read from a connection that is *held*: its
   handler has more to decode than one round allows, or is beyond its budget (`sockctl.net.input_budget`).
5. What is wanted of the event thread goes into a queue. Other threads wake it by a byte on a socket pair; it itself
   never waits while something is queued, whichever callback has queued it.

How connections end is told in `sockctl.net.lifecycle`.

Why one thread: with a thread per connection, CPython's global lock makes active connections wait for each other, and
the cost grows with their number. Waiting for all of them in one place keeps the cost per message flat.
"""

import contextlib
import errno
import math
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence

from sockctl.deadline import Deadline
from sockctl.events.connection import InputEnded, ReadingPaused, ReadingResumed
from sockctl.events.journal import Journal
from sockctl.events.reasons import DisconnectReason, Reason
from sockctl.net.busy_polling import BusyPolling, Poll
from sockctl.net.connection import Connection, State
from sockctl.net.drain import Drain
from sockctl.net.lifecycle import ConnectionLifecycle
from sockctl.net.limits import Limits, Timeouts
from sockctl.net.optimistic_reads import AT_ONCE, FEW, OptimisticReads
from sockctl.net.poller import READABLE, WRITABLE, Poller, open_poller
from sockctl.net.traffic import Traffic

__all__ = ["EventLoop"]

MAX_WAIT_S = 60.0
_OVER = (errno.EPIPE, errno.ECONNRESET, errno.ETIMEDOUT)
"""Errors of a connection to which nothing can come any more, beside what has come already."""


class EventLoop:
    """An event thread and its connections.

    Args:
        journal: Where events are emitted.
        limits: How much it reads at once, and how many sums it tells.
        timeouts: How long connections may take for each step.
        on_closed: Called by the event thread after it closed a connection.
        poller: What it waits with; None for this system's.
        busy_polling: What looks for a moment before it waits.
        optimistic_reads: What decides when all connections are tried in turn.
    """

    def __init__(
        self,
        journal: Journal,
        limits: Limits,
        timeouts: Timeouts,
        *,
        on_closed: Callable[[Connection], None],
        poller: Poller | None = None,
        busy_polling: Callable[[Poll], BusyPolling] = BusyPolling,
        optimistic_reads: Callable[[Mapping[int, Connection]], OptimisticReads] = OptimisticReads,
    ) -> None:
        self._journal = journal
        self._poller: Poller = poller or open_poller()
        self._traffic = Traffic(journal, sum_s=timeouts.sum_s, sums_per_second=limits.sums_per_second)
        self._lifecycle = ConnectionLifecycle(
            journal,
            self._poller,
            self._traffic,
            timeouts,
            on_closed=on_closed,
            let_go=self._let_go,
        )
        self._drain = Drain(self._lifecycle, abandon_s=timeouts.abandon_s)
        self._optimistic_reads = optimistic_reads(self._lifecycle.connections)
        self._poll = busy_polling(self._poller.poll).poll
        self._buffer = bytearray(limits.read_bytes)
        self._view = memoryview(self._buffer)
        self._part = self._view  # of what was read last: a read of the same length takes it again
        self._waker, self._woken = socket.socketpair()
        self._waker.setblocking(False)
        self._woken.setblocking(False)
        self._interrupter, self._interrupted = socket.socketpair()  # readable once a drain interrupts conversations
        self._wake_sent = False
        # Filled by any thread, emptied by the event thread; a deque's append and popleft need no lock.
        self._calls: deque[tuple[Callable[[Connection], None], Connection]] = deque()
        self._touched: deque[Connection] = deque()
        self._drain_asked: float | None = None
        self._now = self._lifecycle.now = time.monotonic()
        self._poller.register(self._woken.fileno(), READABLE)
        self._thread = threading.Thread(target=self._run, name="sockctl-event-loop", daemon=True)
        self._thread_id = 0

    # For every thread.

    def start(self) -> None:
        """Start the event thread."""
        self._thread.start()

    def add(self, connection: Connection, *, conversing: bool) -> None:
        """Take over a new connection; with `conversing` it is not read from before `release`."""
        connection.state = State.CONVERSING if conversing else State.WATCHED
        connection.on_post = self._posted
        connection.interrupt_fd = self._interrupted.fileno()
        self._call_soon(self._add, connection)

    def release(self, connection: Connection, *, watch: bool) -> None:
        """End a conversation: watch the connection from now on, or close it. Its handler thread calls it last."""
        if self._thread.is_alive():
            self._call_soon(self._watch if watch else self._lifecycle.end_conversation, connection)
        else:
            self._lifecycle.end_conversation(connection)

    def close(self, connection: Connection, reason: Reason) -> None:
        """End a connection: what is queued for it is still sent."""
        self._call_soon(lambda one: self._lifecycle.finish(one, reason), connection)

    def call_soon(self, connection: Connection, call: Callable[[], None]) -> None:
        """Have the event thread of a connection call something, even if that is closed by then.

        While it reacts to what is ready, that is at the end of this round.
        """
        self._call_soon(lambda _: call(), connection)

    def expect_frame(self, connection: Connection) -> None:
        """Hold a frame that has just begun to its deadline; the event thread calls it."""
        self._lifecycle.expect_frame(connection)

    def hold(self, connection: Connection, wait_s: float) -> None:
        """Read nothing from a connection for `wait_s` seconds, then let its handler go on; its event thread calls it.

        With 0 seconds the others have their turn first. A server that stops waits for no budget.
        """
        self._lifecycle.hold(connection, wait_s)
        if not wait_s:
            self._calls.append((self._let_go, connection))

    def drain(self, timeout_s: float) -> None:
        """Answer what has been received, then close every connection and end the event thread.

        Connections that are not done after `timeout_s` seconds are closed as they are.
        """
        self._drain_asked = Deadline.after(timeout_s)
        self._wake()

    def join(self, timeout_s: float) -> bool:
        """Wait until the event thread has ended, and return whether it has and closed every connection."""
        self._thread.join(min(timeout_s, threading.TIMEOUT_MAX))
        return not self._thread.is_alive() and not self._lifecycle.connections

    def _call_soon(self, call: Callable[[Connection], None], connection: Connection) -> None:
        self._calls.append((call, connection))
        if threading.get_ident() != self._thread_id:  # it looks for calls before it waits
            self._wake()

    def _wake(self) -> None:
        # Set after the queue was filled, reset before it is emptied: at worst a wake-up too many, never one too few.
        if not self._wake_sent:
            self._wake_sent = True
            with contextlib.suppress(OSError):  # full: it is awake; closed: it has ended
                self._waker.send(b"\0")

    def _posted(self, connection: Connection) -> None:
        """See to it that traffic is told and the outbox emptied; any thread."""
        if not connection.untold:
            connection.untold = True
            self._touched.append(connection)
        here = threading.get_ident() == self._thread_id
        # Looked at after the outbox was filled, reset before it is emptied: at worst attended once too often. Whoever
        # waits to be writable is attended anyway; only the event thread knows that it still does.
        if (
            not connection.can_send_now
            and not connection.attended_soon
            and not (here and connection.interest == WRITABLE)
        ):
            connection.attended_soon = True
            self._calls.append((self._attend, connection))
        if not here:
            self._wake()

    # Everything below runs in the event thread.

    def _run(self) -> None:
        lifecycle, drain, traffic, optimistic = self._lifecycle, self._drain, self._traffic, self._optimistic_reads
        poll, find = self._poll, lifecycle.connections.get
        ready: Sequence[Connection | None]
        self._thread_id = threading.get_ident()
        while lifecycle.connections or not lifecycle.draining:
            if optimistic.trying:
                ready = optimistic.turn()
            else:
                due_at = min(lifecycle.due_at, drain.due_at, traffic.due_at)
                wait_s = max(0.0, min(due_at - self._now, MAX_WAIT_S))
                if self._calls or self._touched:
                    wait_s = 0.0  # queued by a call, or by what was due: nothing would wake this thread for it
                ready = [find(fd) for fd, _ in poll(wait_s, AT_ONCE)]
            self._now = lifecycle.now = time.monotonic()
            in_vain = self._react(ready)
            if optimistic.trying or len(ready) >= FEW:
                optimistic.note(len(ready), in_vain)
            if lifecycle.draining:
                watched = [one for one in ready if one is not None and one.state is State.WATCHED]
                lifecycle.guard(drain.finish_answered, watched)
            self._end_round()
        self._make_calls()
        self._poller.close()
        for sock in (self._waker, self._woken, self._interrupter, self._interrupted):
            sock.close()

    def _react(self, ready: Iterable[Connection | None]) -> int:
        """Read once from each that is ready, and let the service react; return how many had nothing to read.

        The hot path: each line of it is paid for with every message.
        """
        lifecycle, buffer, part, now = self._lifecycle, self._buffer, self._part, self._now
        watched = State.WATCHED
        in_vain = 0
        for connection in ready:
            if connection is None:
                self._take_wakes()
                continue
            try:
                if connection.state is not watched or not connection.can_send_now:
                    in_vain += 1
                    self._go_on(connection)
                    continue
                try:
                    count = connection.sock.recv_into(buffer)
                except OSError as error:
                    in_vain += 1
                    self._unread(connection, error)
                    continue
                if not count:
                    self._end_input(connection)
                    continue
                connection.last_active = now
                connection.bytes_in += count
                connection.portions_in += 1 if count <= connection.portion else -(-count // connection.portion)
                if not connection.untold:
                    connection.untold = True
                    self._touched.append(connection)
                if count != len(part):
                    part = self._part = self._view[:count]
                connection.handler.received(part)
                if not connection.can_send_now:
                    self._attend(connection)
            except Exception as error:  # noqa: BLE001  a defect on one connection must not end the others
                lifecycle.failed(connection, error)
        return in_vain

    def _unread(self, connection: Connection, error: OSError) -> None:
        """Nothing could be read: there is nothing yet, or the connection is broken."""
        if not isinstance(error, BlockingIOError):
            self._lifecycle.broken(connection, error)

    def _go_on(self, connection: Connection) -> None:
        """See to a connection that isn't read from: its outbox is to be emptied, or it is ending."""
        if connection.interest == WRITABLE or connection.state is State.WATCHED:
            self._attend(connection)
        elif connection.state is not State.CLOSED:
            self._lifecycle.discard(connection, self._buffer)

    def _end_round(self) -> None:
        """Do what other threads asked for, and what is due."""
        # Read before the calls are made: so who was added before the drain was asked for takes part in it.
        drain_asked = self._drain_asked
        if self._calls:
            self._make_calls()
        if self._touched:
            self._tell_touched()
        if drain_asked is not None and not self._lifecycle.draining:
            self._drain.begin(drain_asked)
            self._interrupter.send(b"\0")  # never read: every conversation that waits for input sees it
        if self._now >= self._lifecycle.due_at:
            self._lifecycle.meet_deadlines()
        if self._now >= self._drain.due_at:
            self._drain.expire()
        if self._now >= self._traffic.due_at:
            self._traffic.tell_sums(self._now)

    def _end_input(self, connection: Connection) -> None:
        """The client shut its sending side: let the service say its last, then close."""
        connection.input_ended = True
        self._journal.emit(InputEnded(connection=connection.number, peer=connection.peer))
        connection.handler.ended()
        if connection.error is not None:
            self._lifecycle.broken(connection, connection.error)
        else:
            self._lifecycle.finish(connection, connection.reason or DisconnectReason.CLIENT_CLOSED)

    def _attend(self, connection: Connection) -> None:
        """Empty the outbox as far as the client takes it, and see to what follows from that."""
        connection.attended_soon = False
        if connection.state is State.CLOSED:
            return
        if connection.outbox and connection.flush():
            connection.last_active = self._now
            if not connection.untold:
                self._posted(connection)
        if connection.error is not None:
            self._hear_out(connection, connection.error)
        elif connection.outbox:
            self._pause(connection)
        elif connection.state is State.FLUSHING:
            self._lifecycle.shut(connection)
        elif connection.state is State.CONVERSING:
            self._lifecycle.want(connection, 0)
        elif connection.interest != READABLE:
            self._read_on(connection)

    def _read_on(self, connection: Connection) -> None:
        """Read again from a connection whose outbox is empty, unless it is held."""
        if connection.held_until is not None:
            self._lifecycle.want(connection, 0)
            if connection.held_until <= self._now:
                self._let_go(connection)
            return
        if connection.interest == WRITABLE:
            self._journal.emit(ReadingResumed(connection=connection.number, peer=connection.peer))
        self._lifecycle.want(connection, READABLE)
        if connection.frame_until < math.inf:
            self._lifecycle.expect_frame(connection)  # its rest may have waited in the kernel
        self._read_pending(connection)

    def _let_go(self, connection: Connection) -> None:
        """Let the handler of a connection that is held go on, unless the client must take an answer first."""
        if connection.state is not State.WATCHED or connection.held_until is None:
            return
        if connection.held_until > self._now:
            return  # it has gone on already, and is beyond its budget since
        if connection.outbox:
            return  # it is attended when the client has taken the answer
        connection.held_until = None
        connection.handler.go_on()
        if connection.held_until is None:
            self._attend(connection)
            if self._lifecycle.draining and connection.state is State.WATCHED:
                self._drain.finish_answered(connection)

    def _read_pending(self, connection: Connection) -> None:
        """Read what no poller reports, if it may be read now."""
        if connection.state is State.WATCHED and connection.interest == READABLE and connection.pending:
            self._react([connection])

    def _hear_out(self, connection: Connection, error: OSError) -> None:
        """Nothing can be sent any more: let the service react to what had come before, a read a round, then close."""
        if connection.state is not State.WATCHED or error.errno not in _OVER or self._owes(connection):
            self._lifecycle.broken(connection, error)
            return
        if connection.held_until is not None:
            return  # it goes on in a moment
        self._lifecycle.want(connection, connection.interest or READABLE)  # it was held: nobody would report it again
        try:
            count = connection.sock.recv_into(self._buffer)
        except BlockingIOError:
            return  # a part of a TLS record: the poller goes on reporting a connection that is over
        except OSError:
            count = 0
        if count:
            connection.count_received(count)
            connection.handler.received(self._view[:count])
        else:
            self._call_soon(self._break_off, connection)  # behind what the service has asked for: that may end it, too

    def _owes(self, connection: Connection) -> bool:
        return connection.held_until is not None and connection.held_until > self._now

    def _break_off(self, connection: Connection) -> None:
        if connection.state is State.WATCHED and connection.error is not None:
            self._lifecycle.broken(connection, connection.error)

    def _pause(self, connection: Connection) -> None:
        if connection.state is State.WATCHED and connection.interest != WRITABLE:
            waiting = len(connection.outbox)
            self._journal.emit(ReadingPaused(connection=connection.number, peer=connection.peer, queued_bytes=waiting))
        self._lifecycle.want(connection, WRITABLE)

    # Beginning.

    def _add(self, connection: Connection) -> None:
        self._lifecycle.add(connection)
        if connection.state is State.WATCHED:
            connection.handler.opened()
            self._lifecycle.want(connection, READABLE)
        if self._lifecycle.draining:
            self._drain.add(connection)

    def _watch(self, connection: Connection) -> None:
        """Go on by reacting: the conversation is over, the connection isn't."""
        if connection.reason is not None or connection.error is not None or connection.state is State.CLOSED:
            self._lifecycle.end_conversation(connection)
            return
        connection.state = State.WATCHED
        connection.handler.resumed()
        self._lifecycle.want(connection, 0)  # whatever it was waited for meanwhile: now it begins to be read from
        self._attend(connection)
        if self._lifecycle.draining:
            self._drain.add(connection)

    # What other threads asked for.

    def _take_wakes(self) -> None:
        with contextlib.suppress(BlockingIOError):
            self._woken.recv(1)
            self._wake_sent = False

    def _make_calls(self) -> None:
        for _ in range(len(self._calls)):
            call, connection = self._calls.popleft()
            self._lifecycle.guard(call, [connection])

    def _tell_touched(self) -> None:
        for _ in range(len(self._touched)):
            connection = self._touched.popleft()
            if connection.state is not State.CLOSED:  # else it was settled
                self._traffic.touched(connection, self._now)
