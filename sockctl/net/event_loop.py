"""The event loop: one thread that holds all connections with no conversation.

How it works, in the order in which things happen:

1. The accepting thread hands over each new connection (`add`). From then on the event loop keeps the connection's
   deadlines, and it alone closes the connection. While a conversation runs, the handler thread reads (up to `release`).
2. The event thread waits for all descriptors at once, level-triggered, and reads up to `Limits.read_bytes` from each
   ready one, into one buffer that all connections share. One read per ready connection and round is fair. If nearly
   all are ready each time, the thread tries each in its turn (`optimistic_reads`); if the next message mostly comes at
   once, the thread polls before it sleeps (`busy_polling`).
3. The service gets a view of that buffer. It answers with `post`, which sends at once, and puts bytes that the kernel
   doesn't take into the connection's outbox; `flow_control` empties the outbox.
4. Other threads add calls to a queue (`call_queue`). The event thread never waits while the queue has a call. How
   connections end stands in `lifecycle`.

Why one thread: with a thread per connection, CPython's global lock makes active connections wait for each other, and
the cost grows with their number. Waiting for all of them in one place keeps the cost per message flat.

The module is longer than others, since all that one thread does in a round stands here together.
"""

import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence

from sockctl.deadline import Deadline
from sockctl.events.connection import InputEnded
from sockctl.events.journal import Journal
from sockctl.events.reasons import DisconnectReason, Reason
from sockctl.net.busy_polling import BusyPolling, Poll
from sockctl.net.call_queue import CallQueue
from sockctl.net.connection import Connection, State
from sockctl.net.connection_table import ConnectionTable
from sockctl.net.drain import Drain
from sockctl.net.flow_control import FlowControl
from sockctl.net.inspection import Inspection
from sockctl.net.lifecycle import ConnectionLifecycle
from sockctl.net.limits import Limits, Timeouts
from sockctl.net.optimistic_reads import AT_ONCE, FEW, OptimisticReads
from sockctl.net.poller import READABLE, WRITABLE, Poller, open_poller
from sockctl.net.traffic import Traffic

MAX_WAIT_S = 60.0


class EventLoop:
    """An event thread and its connections.

    Args:
        journal: Takes the events.
        limits: How much the thread reads at once, and how many sums it emits.
        timeouts: How long connections may take for each step.
        on_closed: Called by the event thread after it has closed a connection.
        poller: The poller; None for this system's.
        busy_polling: Makes the object that polls for a moment before it waits.
        optimistic_reads: Makes the object that decides when to try all connections in turn.
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
        self._table = ConnectionTable(self._poller)
        self._lifecycle = ConnectionLifecycle(journal, self._table, self._traffic, timeouts, on_closed=on_closed)
        self._drain = Drain(self._table, self._lifecycle, abandon_s=timeouts.abandon_s)
        self._optimistic_reads = optimistic_reads(self._table.connections)
        self._poll = busy_polling(self._poller.poll).poll
        self._buffer = bytearray(limits.read_bytes)
        self._view = memoryview(self._buffer)
        self._part = self._view  # the view of the last read, for the next one of the same length
        self._calls = CallQueue()
        self._touched = self._traffic.touched
        self._drain_asked: float | None = None
        self._now = self._table.now = time.monotonic()
        self._flow = FlowControl(
            journal,
            self._table,
            self._lifecycle,
            self._drain,
            calls=self._calls,
            buffer=self._buffer,
            read=self._react,
            on_post=self._on_post,
        )
        self._lifecycle.let_go = self._flow.let_go
        self._attend = self._flow.attend
        self._poller.register(self._calls.fileno(), READABLE)
        self._thread = threading.Thread(target=self._run, name="sockctl-event-loop", daemon=True)

    # For every thread.

    def start(self) -> None:
        """Start the event thread."""
        self._thread.start()

    def add(self, connection: Connection, *, conversing: bool) -> None:
        """Take over a new connection; with `conversing`, don't read from it before `release`."""
        connection.state = State.CONVERSING if conversing else State.WATCHED
        connection.on_post = self._on_post
        connection.interrupt_fd = self._drain.interrupt_fd
        self._calls.add_and_wake(self._add, connection)

    def release(self, connection: Connection, *, watch: bool) -> None:
        """End a conversation: watch the connection from now on, or close it. Its handler thread calls it last."""
        if self._thread.is_alive():
            self._calls.add_and_wake(self._watch if watch else self._lifecycle.end_conversation, connection)
        else:
            self._lifecycle.end_conversation(connection)

    def close(self, connection: Connection, reason: Reason) -> None:
        """Close a connection once its queued bytes are sent."""
        self._calls.add_and_wake(lambda one: self._lifecycle.finish(one, reason), connection)

    def call_soon(self, connection: Connection, call: Callable[[], None]) -> None:
        """Have the event thread of a connection make a call, even if the connection is closed by then.

        If the thread is reacting to input, it makes the call at the end of this round.
        """
        self._calls.add_and_wake(lambda _: call(), connection)

    def inspect(self) -> Inspection:
        """Return an inspection that the event thread answers soon; any thread may ask."""
        inspection = Inspection(self._table)
        if self._thread.is_alive():
            self._calls.add_and_wake(Inspection.answer, inspection)
        else:
            inspection.answer()
        return inspection

    def expect_frame(self, connection: Connection) -> None:
        """Hold a frame that has just begun to its deadline; the event thread calls it."""
        self._lifecycle.expect_frame(connection)

    def hold(self, connection: Connection, wait_s: float) -> None:
        """Read nothing from a connection for `wait_s` seconds, then let its handler go on; its event thread calls it.

        With 0 seconds, the other connections have their turn first. A stopping server waits for no budget.
        """
        self._lifecycle.hold(connection, wait_s)
        if not wait_s:
            self._calls.add(self._flow.let_go, connection)

    def drain(self, timeout_s: float) -> None:
        """Answer what has been received, then close every connection and end the event thread.

        After `timeout_s` seconds, close the connections that are left.
        """
        self._drain_asked = Deadline.after(timeout_s)
        self._calls.wake()

    def join(self, timeout_s: float) -> bool:
        """Wait until the event thread has ended, and return whether it has and closed every connection."""
        self._thread.join(min(timeout_s, threading.TIMEOUT_MAX))
        return not self._thread.is_alive() and not self._table.connections

    def _on_post(self, connection: Connection) -> None:
        """Have the event thread emit the traffic and empty the outbox; any thread may call this."""
        if not connection.is_touched:
            connection.is_touched = True
            self._touched.append(connection)
        here = threading.get_ident() == self._calls.thread_id
        # Read after filling the outbox, reset before emptying it: at worst one call of `attend` too many. A connection
        # that waits to be writable is attended anyway; only the event thread knows that it still waits.
        attended = connection.attended_soon or (here and connection.interest == WRITABLE)
        if not connection.can_send_now and not attended:
            connection.attended_soon = True
            self._calls.add(self._attend, connection)
        if not here:
            self._calls.wake()

    # Everything below runs in the event thread.

    def _run(self) -> None:
        table, drain, traffic, optimistic = self._table, self._drain, self._traffic, self._optimistic_reads
        poll, find = self._poll, table.connections.get
        ready: Sequence[Connection | None]
        self._calls.thread_id = threading.get_ident()
        while table.connections or not table.draining:
            if optimistic.trying:
                ready = optimistic.turn()
            else:
                due_at = min(table.due_at, drain.due_at, traffic.due_at)
                wait_s = max(0.0, min(due_at - self._now, MAX_WAIT_S))
                if self._calls or self._touched:
                    wait_s = 0.0  # this thread has added them itself, so no wake-up would come
                ready = ()  # else the thread would keep the last connections, closed ones as well, while it waits
                ready = [find(fd) for fd, _ in poll(wait_s, AT_ONCE)]
            self._now = table.now = time.monotonic()
            in_vain = self._react(ready)
            if optimistic.trying or len(ready) >= FEW:
                optimistic.note(len(ready), in_vain)
            if table.draining:
                watched = [one for one in ready if one is not None and one.state is State.WATCHED]
                self._lifecycle.guard(drain.finish_answered, watched)
            self._end_round()
        self._make_calls()
        self._poller.close()
        self._calls.close()
        self._drain.close()

    def _react(self, ready: Iterable[Connection | None]) -> int:  # noqa: C901  a call would slow it down
        """Read once from each ready connection, and let the service react; return how many had no input.

        The hot path: every message pays for each line.
        """
        lifecycle, buffer, part, now = self._lifecycle, self._buffer, self._part, self._now
        watched = State.WATCHED
        in_vain = 0
        for connection in ready:
            if connection is None:
                self._calls.consume_wake()
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
                    lifecycle.end_unreadable(connection, error)
                    continue
                if not count:
                    self._end_input(connection)
                    continue
                connection.last_active = now
                connection.bytes_in += count
                connection.reads += 1
                if count > connection.portion:
                    connection.further_in += (count - 1) // connection.portion
                if not connection.is_touched:
                    connection.is_touched = True
                    self._touched.append(connection)
                if count != len(part):
                    part = self._part = self._view[:count]
                connection.handler.received(part)
                if not connection.can_send_now:
                    self._attend(connection)
            except Exception as error:  # noqa: BLE001  a defect on one connection must not end the others
                lifecycle.end_failed(connection, error)
        return in_vain

    def _go_on(self, connection: Connection) -> None:
        """Empty the outbox of a connection that isn't read from, or discard the input of one that is ending."""
        if connection.interest == WRITABLE or connection.state is State.WATCHED:
            self._attend(connection)
        elif connection.state is not State.CLOSED:
            self._lifecycle.discard(connection, self._buffer)

    def _end_round(self) -> None:
        """Make the queued calls, emit traffic, and do all that is due."""
        # Read before making the calls, so that connections added before the drain take part in it.
        drain_asked = self._drain_asked
        if self._calls:
            self._make_calls()
        if self._touched:
            self._traffic.emit_touched(self._now)
        if drain_asked is not None and not self._table.draining:
            self._drain.begin(drain_asked)
        if self._now >= self._table.due_at:
            self._lifecycle.meet_deadlines()
        if self._now >= self._drain.due_at:
            self._drain.expire()
        if self._now >= self._traffic.due_at:
            self._traffic.emit_sums(self._now)

    def _end_input(self, connection: Connection) -> None:
        """Let the service send its last messages to a client that has ended its input, then close."""
        connection.input_ended = True
        self._journal.emit(InputEnded(connection=connection.number, peer=connection.peer))
        connection.handler.ended()
        if connection.error is not None:
            self._lifecycle.end_broken(connection, connection.error)
        elif not self._lifecycle.stay(connection):
            self._lifecycle.finish(connection, connection.reason or DisconnectReason.CLIENT_CLOSED)

    def _add(self, connection: Connection) -> None:
        self._lifecycle.add(connection)
        if connection.state is State.WATCHED:
            connection.handler.opened()
            self._table.wait_for(connection, READABLE)
        if self._table.draining:
            self._drain.add(connection)

    def _watch(self, connection: Connection) -> None:
        """Watch a connection whose conversation is over."""
        if connection.reason is not None or connection.error is not None or connection.state is State.CLOSED:
            self._lifecycle.end_conversation(connection)
            return
        connection.state = State.WATCHED
        connection.handler.resumed()
        self._table.wait_for(connection, 0)  # `attend` then decides what to wait for
        self._attend(connection)
        if self._table.draining:
            self._drain.add(connection)

    def _make_calls(self) -> None:
        for call, connection in self._calls.pop_all():
            try:
                call(connection)
            except Exception as error:  # noqa: BLE001  as in _react
                self._lifecycle.end_failed(connection, error)
