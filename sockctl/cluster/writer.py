"""Posts what a node's members say, each once, and tells exactly what was not said.

The engine numbers a node's postings and keeps the last number. A request without a reply may have been carried out, or
may still be, once the engine wakes. So the writer first says hello over a new connection: from then on the engine
refuses requests of an earlier generation, and the number that it answers is final. The writer then posts the rest.

There is one request at a time. Waking a thread takes longer than the request itself, so as a rule no thread is woken
for it: the thread that has a posting sends it, and the reader's thread takes the reply, as the news come with it. All
that may block, or that goes wrong, is left to the writer's own thread.
"""

import contextlib
import threading
from collections.abc import Callable, Mapping, Sequence

from sockctl.cluster.engine import Engine, Word
from sockctl.cluster.engine_connection import NOT_DONE, list_readable
from sockctl.cluster.functions import call_function, is_missing, make_call
from sockctl.cluster.keys import LOG, LOOKS, META, NAMES, NODES, ROOMS, STATE, posted_key, room_key
from sockctl.cluster.outbox import Outbox
from sockctl.cluster.posting import Posting
from sockctl.cluster.reader import Reader
from sockctl.errors import EngineError, EngineReplyError

AT_ONCE = 500
"""Postings of one request."""
SHORT_BYTES = 8192
"""What any thread may send: the kernel has room for more over a new connection, and nothing else is on its way."""
_OVERHEAD_BYTES = 256
"""What a posting takes beside its data, and the request beside its postings."""
MAX_LOG = 100_000
"""Entries of the log that the engine keeps, roughly."""
USUAL_HISTORY = 100
"""Messages of each room that it keeps, roughly."""


class Writer:
    """Posts to the log for one node. One thread calls `write`, the reader's `take_reply`, and any `send_soon`.

    Args:
        engine: A connection that the writer alone uses.
        node: The name under which the node is registered.
        outbox: What waits.
        reader: The node's reader.
        on_refused: Called with the postings that were not said, and never will be.
        history: How many messages of each room the engine keeps, roughly.
        max_log: How many entries of the log it keeps, roughly.

    Attributes:
        is_buried: Whether the engine has said that the node was buried.
        answers: How many requests the engine has answered. After a failure the next `write` asks, whether or not
            anything waits: so the writer learns that the engine is back.
        due: Set where `write` has something to do that no other thread does.
    """

    def __init__(
        self,
        engine: Engine,
        node: str,
        outbox: Outbox,
        reader: Reader,
        *,
        on_refused: Callable[[Sequence[Posting]], None],
        history: int = USUAL_HISTORY,
        max_log: int = MAX_LOG,
    ) -> None:
        self._engine = engine
        self._node = node
        self._outbox = outbox
        self._reader = reader
        self._on_refused = on_refused
        self._history = history
        self._max_log = max_log
        self._keys = (META, LOG, NODES, posted_key(node), NAMES, LOOKS, ROOMS, STATE)
        # The thread that uses the engine holds it; it guards what follows. Only `write` and `close` wait for it, and
        # block or call others meanwhile. A thread that finds it held leaves its posting to the one that holds it.
        self._turn = threading.Lock()
        self._generation = ""  # empty where hello must be said first
        self._in_flight: list[Posting] = []
        self._first = 1  # the sequence of the first of these
        self._is_sent = False  # whether they wait for a reply
        self._failure: EngineError | None = None  # what another thread has met, for `write` to raise
        self.is_buried = False
        self.answers = 0
        self.due = threading.Event()

    # For the writer's own thread.

    def write(self) -> int:
        """Post what waits, in one request, and return how many postings the engine has carried out; blocks.

        A node that was buried posts no more: `is_buried` says so, and all that waits is refused.

        Raises:
            EngineError: The engine is away; the next call tries again.
        """
        self.due.clear()
        try:
            with self._turn:
                done = self._write()
        except EngineError:
            self.due.set()
            raise
        if not self._generation:
            self.due.set()
        return done

    def greet_again(self) -> None:
        """Let the next `write` say hello first."""
        with self._turn:
            self._generation = ""

    def close(self) -> None:
        """Post nothing more; blocks until the last reply has come."""
        with self._turn, contextlib.suppress(EngineError):
            self._generation = ""
            if self._is_sent:
                self._take()

    # For other threads.

    def send_soon(self) -> None:
        """Send what waits, unless a request is on its way: then it goes with the next one. Never blocks."""
        while self._can_send and self._turn.acquire(blocking=False):
            try:
                if self._can_send:  # another thread may have had its turn meanwhile
                    self._send_if_short()
            finally:
                self._turn.release()
        if not self._generation and self._outbox.length:
            self.due.set()

    def has_sent(self, member: str) -> bool:
        """Return whether something of a member with a tag was sent to the engine, and has no answer."""
        return any(one.member == member and one.tag is not None for one in [*self._in_flight])

    @property
    def reply_fileno(self) -> int:
        """The descriptor on which replies arrive; -1 while another thread waits for one, or there is no connection."""
        return -1 if self._turn.locked() else self._engine.fileno()

    def take_reply(self) -> None:
        """Take the reply if it has arrived, and send what waits by now. It blocks until all of the reply is there."""
        if not self._turn.acquire(blocking=False):
            return
        try:
            if list_readable([self._engine.fileno()], 0):
                self._take_arrived()
        except EngineError as error:
            self._failure = None if _needs_hello(error) else error
            self.due.set()
        finally:
            self._turn.release()
        self.send_soon()  # also what was posted during this thread's turn

    # All below needs the turn.

    @property
    def _can_send(self) -> bool:
        """Whether a short request can be sent now. To ask it needs no turn."""
        is_free = self._generation and not self._is_sent and not self.is_buried and not self.due.is_set()
        return bool(is_free and self._outbox.length)

    def _take_arrived(self) -> None:
        if self._is_sent:
            self._take()
        else:  # the engine has closed the connection
            self._engine.close()
            self._generation = ""
            self.due.set()

    def _send_if_short(self) -> None:
        self._in_flight = self._in_flight or self._outbox.take(AT_ONCE)
        if sum([len(one.data) + _OVERHEAD_BYTES for one in self._in_flight]) > SHORT_BYTES:
            self.due.set()
            return
        try:
            self._send()
        except EngineError as error:
            self._failure = error
            self.due.set()

    def _write(self) -> int:
        failure, self._failure = self._failure, None
        if failure is not None:
            raise failure
        if not self._is_sent:
            if not self._generation:
                self._greet()
            if self.is_buried:
                return 0
            self._in_flight = self._in_flight or self._outbox.take(AT_ONCE)
            if not self._in_flight:
                return 0
            self._send()
        try:
            return self._take()
        except EngineReplyError as error:
            if not _needs_hello(error):
                raise
        self._greet()
        return 0

    def _greet(self) -> None:
        """Learn what of the postings in flight was said, once nothing can change that any more."""
        keys = self._keys[:4]
        registered, generation, sequence = call_function(self._engine, "hello", keys, self._node, self._reader.last_id)
        self._generation = generation.decode()
        self.answers += 1
        # What the reader has read was said, even if the engine has lost it since.
        said = max(int(sequence), self._reader.find_sequence(self._node))
        self._finish(min(len(self._in_flight), max(0, said - self._first + 1)), {})
        if not registered:
            self.is_buried = True
            refused, self._in_flight = self._in_flight, []
            self.refuse([*refused, *self._outbox.take_all()])

    def _send(self) -> None:
        """Send what is in flight."""
        rooms: dict[str, int] = {}
        words: list[Word] = []
        for one in self._in_flight:
            number = rooms.setdefault(one.room, len(rooms) + 1) if one.room else 0
            words += (number, one.kind, one.lines, one.data, *one.words)
        head = (self._node, self._generation, self._first, self._max_log, self._history)
        try:
            self._engine.send(*make_call("post", (*self._keys, *map(room_key, rooms)), *head, *words))
        except EngineError:
            self._generation = ""
            raise
        self._is_sent = True

    def _take(self) -> int:
        """Take the reply to what is in flight; return how many postings the engine has carried out.

        What the engine has not begun to carry out is put back: it waits, and gets too old.
        """
        self._is_sent = False
        try:
            _, *answers = self._engine.receive()
        except EngineError as error:
            self._generation = ""
            if isinstance(error, EngineReplyError) and error.code in NOT_DONE:
                self._outbox.put_back(self._in_flight)
                self._in_flight = []
            raise
        self.answers += 1
        numbers, ids, taken = (answers[first::3] for first in range(3))  # of claims, and of what is refused
        return self._finish(
            len(self._in_flight), dict(zip(map(int, numbers), zip(ids, taken, strict=True), strict=True))
        )

    def _finish(self, count: int, answers: Mapping[int, tuple[bytes, bytes]]) -> int:
        refused = []
        for number, one in enumerate(self._in_flight[:count]):
            if one.claim is None:
                if number in answers:  # its member isn't here any more
                    refused.append(one)
            elif number in answers:
                one.claim.settle(*answers[number])
            else:  # it was done, and its answer is lost
                one.claim.fail()
        del self._in_flight[:count]
        self._first += count
        self.refuse(refused)
        return count

    def refuse(self, postings: Sequence[Posting]) -> None:
        """Tell that postings were not said, and never will be; this needs no turn."""
        for one in postings:
            if one.claim is not None:
                one.claim.fail()
        if said := [one for one in postings if one.claim is None]:
            self._on_refused(said)


def _needs_hello(error: EngineError) -> bool:
    """Return whether an error means that hello must be said again, and nothing else is wrong."""
    return isinstance(error, EngineReplyError) and (error.code in {"BURIED", "STALE"} or is_missing(error))
