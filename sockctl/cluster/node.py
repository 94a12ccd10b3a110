"""A node's share in the log: three threads, each with a connection of its own.

The writer posts what members say, and the reader tells what the log says. The heart renews the node's lease. A node
that was buried registers anew, under another name. The module is long as all that a node does comes together here; the
work itself is in modules of their own.
"""

import concurrent.futures
import contextlib
import dataclasses
import math
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial

from sockctl.cluster.engine import Engine
from sockctl.cluster.engine_access import EngineAccess
from sockctl.cluster.entry import News
from sockctl.cluster.health import Away, Back, Health
from sockctl.cluster.heart import Heart
from sockctl.cluster.node_settings import TIMES, Callbacks, NodeTimes
from sockctl.cluster.outbox import Outbox
from sockctl.cluster.pacing import ReadMark, Repeater
from sockctl.cluster.posting import CAME, RENAMED, SPOKEN, Claim, Posting
from sockctl.cluster.reader import Reader
from sockctl.cluster.registry import Registration, register, retire
from sockctl.cluster.reports import Reports
from sockctl.cluster.snapshot import Snapshot, load, load_state
from sockctl.cluster.waiting import rest, wait_for_news
from sockctl.cluster.writer import USUAL_HISTORY, Writer
from sockctl.errors import EngineAwayError, EngineError, EngineTimeoutError
from sockctl.events.base import Event

FAILURES = 3
"""How often in a row the news can't be taken until the node gives up: something is wrong with more than one entry."""


class Node:
    """A node. Any thread may use it.

    Its callbacks begin with `start`: the first entry is the one behind that of its own registration.

    Args:
        access: The way to the engine.
        name: What people call the node.
        callbacks: What it tells.
        rules: The rules in which all nodes must agree, each with its value.
        history: How many messages of each room the engine keeps, roughly.
        times: Its times.

    Raises:
        RulesDifferError: Other nodes are there, with other rules.
        EngineError: The engine can't be used.
    """

    def __init__(
        self,
        access: EngineAccess,
        name: str,
        callbacks: Callbacks,
        *,
        rules: Mapping[str, str],
        history: int = USUAL_HISTORY,
        times: NodeTimes = TIMES,
    ) -> None:
        self._access = access = dataclasses.replace(access, timeout_s=min(access.timeout_s, times.away_after_s))
        self._name = name
        self._callbacks = callbacks
        self._rules = rules
        self._history = history
        self._times = times
        self._outbox = Outbox()
        self._health = Health(self._tell_health, away_after_s=times.away_after_s)
        self._stopping = threading.Event()
        self._engines = [Engine(access), Engine(access), Engine(access)]  # the writer's, the reader's, the heart's
        self._heart = Heart(self._engines[2], self._health, lease_s=times.lease_s, retry_s=times.longest_pause_s)
        try:
            self._place = self._register()
        except EngineError:
            self._close()
            raise
        self._reader = Reader(self._place.last_id)
        self._writer = self._make_writer()
        self._mark = ReadMark(self._place.last_id)
        self._reports: Reports
        self._failures = 0  # of taking the news, in a row; the reader's alone
        repeater = Repeater(self._health, self._stopping, times, timeout_s=access.timeout_s)
        self._threads = [
            threading.Thread(target=run, args=args, name=f"sockctl-cluster-{what}", daemon=True)
            for what, run, args in (
                ("writer", repeater.run, ("writer", self._write)),
                ("reader", repeater.run, ("reader", self._read)),
                ("heart", self._heart.run, (self._stopping, self._look, self._tell_lag)),
            )
        ]

    @property
    def name(self) -> str:
        """The name under which the engine knows the node now; no other node ever has it."""
        return self._place.node

    @property
    def others(self) -> Sequence[str]:
        """The names of the other nodes that were there when this one registered."""
        return self._place.others

    @property
    def clock_offset_s(self) -> float:
        """What the engine's clock shows more than this machine's, in seconds."""
        return self._heart.clock_offset_s

    def load(self) -> Snapshot:
        """Load what the engine keeps of the chat, up to the entries that `on_news` has got; blocks.

        Raises:
            EngineError: The engine is away, or refuses.
        """
        with contextlib.closing(Engine(self._access)) as engine:
            return load(engine, self._mark.entry_id)

    def load_state(self) -> dict[str, bytes]:
        """Load what operators have set, by field; blocks.

        Raises:
            SockctlError: The engine can't be used.
        """
        with contextlib.closing(Engine(self._access)) as engine:
            return load_state(engine)

    def start(self, emit: Callable[[Event], None]) -> None:
        """Start to read, and to post.

        Args:
            emit: Emits events, and never blocks.
        """
        self._reports = Reports(emit)
        self._reports.report_registration(str(self._access), self._place)
        for thread in self._threads:
            thread.start()

    def post(self, posting: Posting, *, first: bool = False) -> bool:
        """Post something; return False if too much waits, and it is not said. Never blocks.

        Args:
            posting: What to post.
            first: Whether it goes in front of all that waits, without limits.
        """
        is_added = self._outbox.add(posting, first=first)
        self._writer.send_soon()
        if not is_added and posting.kind in SPOKEN:
            self._health.note_refused(1)
        return is_added

    def claim(self, key: str, member: str, *, skeletons: Collection[str] = (), data: bytes, alone: bool = False) -> int:
        """Claim a name for a member who comes to this node, and let all nodes know; blocks.

        After any error but `NameTakenError` the engine may still carry the claim out. So the caller posts ``went``,
        unless the member has another client at this node.

        Args:
            key: The key of the name; names that are the same have the same.
            member: The member's id, which has no space.
            skeletons: How the name looks, see `sockctl.protocol.look_alikes`.
            data: What the nodes are told of the member.
            alone: Whether the member is at no other node from now on.

        Returns:
            The id of the entry ``came``; `wait_until_read` waits until this node has read it.

        Raises:
            NameTakenError: Another member has it, or one that looks like it.
            EngineError: The engine is away.
        """
        return self._ask(CAME, data, member, Claim(key, skeletons, alone))

    def rename(self, key: str, member: str, *, skeletons: Collection[str] = (), data: bytes) -> int:
        """Change the name of a member, on all its nodes, and let all nodes know; blocks.

        After `EngineError` the engine may still carry it out: the entry ``renamed`` tells.

        Args:
            key: The key of the new name.
            member: The member's id.
            skeletons: How the name looks.
            data: What the nodes are told.

        Returns:
            The id of the entry ``renamed``.

        Raises:
            NameTakenError: As for `claim`.
            EngineError: The engine is away.
        """
        return self._ask(RENAMED, data, member, Claim(key, skeletons))

    def wait_until_read(self, entry_id: int, timeout_s: float) -> bool:
        """Wait until `on_news` has got the entries up to an id; return whether it has. Blocks."""
        return self._mark.wait_for(entry_id, timeout_s)

    def holds(self, member: str) -> bool:
        """Return whether something of a member with a tag waits for the engine, or for its answer."""
        return self._outbox.holds(member) or self._writer.has_sent(member)

    def prepare_stop(self) -> None:
        """Refuse what members have said and will say if the engine doesn't answer."""
        if self._health.is_failing:
            self._outbox.close()
            self._outbox.refuse_older(math.inf, self._writer.refuse)

    def stop(self) -> None:
        """Post what waits, leave the other nodes time to take the members over, and stop; blocks for some seconds."""
        if self._stopping.is_set():
            return
        self._stopping.set()
        self._writer.due.set()
        for thread in self._threads:
            if thread.ident is not None:
                thread.join()
        with contextlib.suppress(EngineError):
            while self._writer.write():
                pass
        self._writer.close()
        self._writer.refuse(self._outbox.take_all())
        with contextlib.suppress(EngineError):
            retire(self._engines[0], self.name, lease_s=self._times.retired_s)
        self._close()

    def _ask(self, kind: str, data: bytes, member: str, claim: Claim) -> int:
        posting = Posting(kind, data, member, claim=claim)
        if self._health.is_away or not self.post(posting):
            raise EngineAwayError("The engine is away: try again in a moment.")
        try:
            return claim.answer.result(self._times.claim_s)
        except concurrent.futures.TimeoutError as error:
            self._outbox.remove(posting)
            raise EngineTimeoutError("The engine does not answer: try again in a moment.") from error

    def _register(self, highest_id: int = 0) -> Registration:
        asked_at = time.time()
        place = register(
            self._engines[0], self._name, rules=self._rules, lease_s=self._times.lease_s, highest_id=highest_id
        )
        self._heart.note_clock(place.engine_us, asked_at)
        return place

    def _close(self) -> None:
        for engine in self._engines:
            engine.close()

    def _make_writer(self) -> Writer:
        return Writer(
            self._engines[0],
            self._place.node,
            self._outbox,
            self._reader,
            on_refused=self._refuse,
            history=self._history,
        )

    def _refuse(self, postings: Sequence[Posting]) -> None:
        self._health.note_refused(sum(one.kind in SPOKEN for one in postings))
        self._callbacks.on_refused(postings)

    def _tell_health(self, change: Away | Back) -> None:
        if isinstance(change, Away):
            change = Away(f"{change.error.rstrip('.')}. 'sockctl cluster check {self._access}' says what to do.")
        self._reports.report_health(change)
        self._callbacks.on_health(change)

    def _tell_lag(self, seconds: float) -> None:
        self._reports.report_lag(seconds)

    def _look(self) -> tuple[str, int, int]:
        return self.name, self._mark.entry_id, self._outbox.length

    def _write(self) -> bool:
        self._writer.due.wait(self._times.longest_pause_s)
        try:
            if self._heart.is_buried.is_set():
                self._heart.is_buried.clear()
                self._writer.greet_again()
            before = self._writer.answers
            self._writer.write()
            if self._writer.is_buried:
                self._register_again()
        except EngineError:
            self._outbox.refuse_older(time.monotonic() - self._times.refused_after_s, self._writer.refuse)
            raise
        self._writer.send_soon()  # what was posted during this thread's turn
        return self._writer.answers != before

    def _register_again(self) -> None:
        before = self.name
        self._place = self._register(self._reader.last_id)
        self._writer = self._make_writer()
        self._reports.report_registration(str(self._access), self._place)
        self._callbacks.on_buried(before)

    def _read(self) -> bool:
        engine, wait_s = self._engines[1], self._times.reader_wait_s
        wait = partial(wait_for_news, engine, self._writer, wait_s)
        try:
            news = self._reader.read(engine, wait_ms=int(wait_s * 1000), meanwhile=wait)
        except EngineError:
            self._writer.take_reply()  # it may have lost its connection, too: then nothing more is sent over that one
            raise
        came_at = time.monotonic()
        if news:
            self._tell_news(news)
        self._mark.move(self._reader.last_id)
        rest(self._writer, came_at)
        return True

    def _tell_news(self, news: Sequence[News]) -> None:
        self._reports.report_news(news)
        try:
            self._callbacks.on_news(news)
        except Exception as error:
            self._reports.report_defect(error)
            self._failures += 1
            if self._failures == FAILURES:
                raise
        else:
            self._failures = 0
