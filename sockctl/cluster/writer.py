"""Posts what a node's members say, each once, and tells exactly what was not said; one thread uses it.

The engine numbers a node's postings and keeps the last number. A request without a reply may have been carried out, or
may still be, once the engine wakes. So the writer first says hello over a new connection: from then on the engine
refuses requests of an earlier generation, and the number that it answers is final. The writer then posts the rest.
"""

from collections.abc import Callable, Mapping, Sequence

from sockctl.cluster.engine import Engine, Word
from sockctl.cluster.engine_connection import NOT_DONE
from sockctl.cluster.functions import call_function
from sockctl.cluster.keys import LOG, LOOKS, META, NAMES, NODES, ROOMS, STATE, posted_key, room_key
from sockctl.cluster.outbox import Outbox
from sockctl.cluster.posting import Posting
from sockctl.cluster.reader import Reader
from sockctl.errors import EngineError, EngineReplyError

AT_ONCE = 500
"""Postings of one request."""


MAX_LOG = 100_000
"""Entries of the log that the engine keeps, roughly."""
USUAL_HISTORY = 100
"""Messages of each room that it keeps, roughly."""


class Writer:
    """Posts to the log for one node.

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
        self._generation = ""  # empty where hello must be said first
        self._in_flight: list[Posting] = []
        self._first = 1  # the sequence of the first of these
        self.is_buried = False
        self.answers = 0

    def greet(self) -> None:
        """Learn what of the postings in flight was said, once nothing can change that any more.

        Raises:
            EngineError: The engine is away; `write` tries again.
        """
        keys = (META, LOG, NODES, posted_key(self._node))
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

    def refuse(self, postings: Sequence[Posting]) -> None:
        """Tell that postings were not said, and never will be."""
        for one in postings:
            if one.claim is not None:
                one.claim.fail()
        if said := [one for one in postings if one.claim is None]:
            self._on_refused(said)

    def write(self) -> int:
        """Post what waits, in one request, and return how many postings the engine has carried out.

        A node that was buried posts no more: `is_buried` says so, and all that waits is refused.

        Raises:
            EngineError: The engine is away; the next call tries again.
        """
        try:
            if not self._generation:
                self.greet()
            if not self._in_flight and not self.is_buried:
                self._in_flight = self._outbox.take(AT_ONCE)
            if not self._in_flight:
                return 0
            answers = self._post_or_put_back()
            self.answers += 1
        except EngineReplyError as error:
            if error.code in {"BURIED", "STALE"}:
                self.greet()
                return 0
            self._generation = ""
            raise
        except EngineError:
            self._generation = ""
            raise
        return self._finish(len(self._in_flight), answers)

    def _post_or_put_back(self) -> dict[int, tuple[bytes, bytes]]:
        """Post as `_post`; put back what the engine refuses to carry out: it waits, and gets too old."""
        try:
            return self._post()
        except EngineReplyError as error:
            if error.code in NOT_DONE:
                self._outbox.put_back(self._in_flight)
                self._in_flight = []
            raise

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

    def _post(self) -> dict[int, tuple[bytes, bytes]]:
        """Post what is in flight; return the answers to claims, and to what is refused, by their numbers."""
        rooms: dict[str, int] = {}
        words: list[Word] = []
        for one in self._in_flight:
            number = rooms.setdefault(one.room, len(rooms) + 1) if one.room else 0
            words += (number, one.kind, one.lines, one.data, *one.words)
        keys = [META, LOG, NODES, posted_key(self._node), NAMES, LOOKS, ROOMS, STATE, *map(room_key, rooms)]
        head = (self._node, self._generation, self._first, self._max_log, self._history)
        _, *answers = call_function(self._engine, "post", keys, *head, *words)
        numbers, ids, taken = (answers[first::3] for first in range(3))
        return dict(zip(map(int, numbers), zip(ids, taken, strict=True), strict=True))
