"""A log in memory, which several chats in one process share, without an engine."""

import threading
from collections.abc import Callable, Collection, Sequence

from sockctl.cluster.entry import GONE, NODE, Entry, Lost, Missed, News
from sockctl.cluster.health import Away, Back
from sockctl.cluster.node_settings import Callbacks
from sockctl.cluster.posting import ACT, CAME, WENT, Claim, Posting
from sockctl.cluster.snapshot import Kept, Snapshot
from sockctl.errors import EngineAwayError
from sockctl.events.base import Event
from sockctl.services.chat.settings import ChatRules
from tests.support.running import TIMEOUT_S

FIRST_ID = 1_000_000


class ListLog:
    """The log: a list, in which each server has its place."""

    def __init__(self) -> None:
        self.changed = threading.Condition()  # guards all below
        self.news: list[News] = []
        self.last_id = FIRST_ID
        self.names: dict[str, tuple[str, set[str]]] = {}
        self.rooms: dict[str, list[Kept]] = {}
        self.state: dict[str, bytes] = {}
        self.nodes: dict[str, ListNode] = {}

    def make(self, name: str) -> Callable[[Callbacks, ChatRules], "ListNode"]:
        """Return the function that connects a server of that name."""
        return lambda callbacks, _: ListNode(self, name, callbacks)

    def append(self, kind: str, node: str, data: bytes = b"", *, room: str = "", lines: int = 1) -> int:
        self.last_id += lines
        self.news.append(Entry(self.last_id, kind, node, 0, room, data, lines))
        if kind in {"say", "block"}:
            self.rooms.setdefault(room, []).append(Kept(self.last_id, lines, data))
        self.changed.notify_all()
        return self.last_id

    def take(self, node: str, one: Posting) -> None:
        """Do what a posting says, as the functions of the engine do."""
        with self.changed:
            if one.claim is not None and not self._claim(node, one, one.claim):
                return
            if one.kind == WENT:
                self._release(node, one.member)
            if one.kind == ACT and one.field:
                if one.value is None:
                    self.state.pop(one.field, None)
                else:
                    self.state[one.field] = one.value
            entry_id = self.append(one.kind, node, one.data, room=one.room, lines=one.lines)
            if one.claim is not None:
                one.claim.settle(str(entry_id).encode(), b"")

    def count(self, kind: str, node: str) -> int:
        """Return how many entries of a kind a server has posted."""
        with self.changed:
            return sum(isinstance(one, Entry) and (one.kind, one.node) == (kind, node) for one in self.news)

    def bury(self, node: str) -> None:
        """Give a server up; it notices when it posts the next time."""
        with self.changed:
            for member in {member for member, nodes in self.names.values() if node in nodes}:
                self._release(node, member)
            self.append(GONE, node)

    def _claim(self, node: str, one: Posting, claim: Claim) -> bool:
        holder, nodes = self.names.get(claim.key, (one.member, set()))
        if holder != one.member:
            claim.settle(b"", claim.key.encode())
            return False
        before = [key for key, (member, _) in self.names.items() if member == one.member]
        for key in before:
            nodes = nodes | self.names.pop(key)[1]
        self.names[claim.key] = (one.member, {node} if claim.alone and one.kind == CAME else nodes | {node})
        return True

    def _release(self, node: str, member: str) -> None:
        for key, (holder, nodes) in [*self.names.items()]:
            if holder == member:
                nodes.discard(node)
                if not nodes:
                    del self.names[key]


class ListNode:
    """A server's share in the log. Its reader can be held back, and its writer kept from the log."""

    others: Sequence[str]

    def __init__(self, log: ListLog, name: str, callbacks: Callbacks) -> None:
        self.log = log
        self.callbacks = callbacks
        self.name = name
        self.clock_offset_s = 0.0
        self.is_held = False
        self.is_away = False
        self.loses_answers = False
        self.most_waiting = 100
        self.waiting: list[Posting] = []
        with log.changed:
            self.others = [*log.nodes]
            log.nodes[name] = self
            log.append(NODE, name)
            self._position = len(log.news)
            self._read_id = log.last_id
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name=f"list-log-{name}", daemon=True)

    def load(self) -> Snapshot:
        with self.log.changed:
            return Snapshot(self._read_id, {name: [*kept] for name, kept in self.log.rooms.items()}, {**self.log.state})

    def load_state(self) -> dict[str, bytes]:
        with self.log.changed:
            return {**self.log.state}

    def start(self, emit: Callable[[Event], None]) -> None:  # noqa: ARG002
        self._thread.start()

    def post(self, posting: Posting, *, first: bool = False) -> bool:
        if self.is_away:
            if len(self.waiting) >= self.most_waiting and posting.kind != WENT and posting.member:
                return False
            self.waiting.insert(0 if first else len(self.waiting), posting)
        else:
            self.log.take(self.name, posting)
        return True

    def holds(self, member: str) -> bool:
        return any(one.member == member and one.tag is not None for one in self.waiting)

    def prepare_stop(self) -> None:
        if self.is_away:
            self.most_waiting = 0
            waiting, self.waiting = self.waiting, []
            self.callbacks.on_refused(waiting)

    def claim(self, key: str, member: str, *, skeletons: Collection[str], data: bytes, alone: bool) -> int:
        claim = Claim(key, skeletons, alone)
        if self.is_away:
            raise EngineAwayError("The engine is away.")
        self.post(Posting(CAME, data, member, claim=claim))
        entry_id = claim.answer.result(TIMEOUT_S)
        if self.loses_answers:
            assert self.wait_until_read(entry_id, TIMEOUT_S)
            raise EngineAwayError("The engine has not answered.")
        return entry_id

    def wait_until_read(self, entry_id: int, timeout_s: float) -> bool:
        with self.log.changed:
            return self.log.changed.wait_for(lambda: self._read_id >= entry_id, timeout_s)

    def stop(self) -> None:
        with self.log.changed:
            self._stopping = True
            self.log.nodes.pop(self.name, None)
            self.log.changed.notify_all()
        if self._thread.ident is not None:
            self._thread.join()

    # What tests do to it.

    def hold(self) -> None:
        """Read nothing until `go_on`."""
        self.is_held = True

    def go_on(self) -> None:
        with self.log.changed:
            self.is_held = False
            self.log.changed.notify_all()

    def go_away(self) -> None:
        """Keep what is posted, as if the engine were away."""
        self.is_away = True
        self.callbacks.on_health(Away("it is away"))

    def come_back(self, *, refused: bool = False) -> None:
        """Post what waits, or refuse it."""
        self.is_away = False
        waiting, self.waiting = self.waiting, []
        if refused:
            self.callbacks.on_refused(waiting)
        else:
            for one in waiting:
                self.log.take(self.name, one)
        self.callbacks.on_health(Back(1.0, 0))

    def rename_after_burial(self, name: str) -> None:
        """Come back under another name, as a server does that was given up."""
        before, self.name = self.name, name
        with self.log.changed:
            self.log.nodes[name] = self.log.nodes.pop(before)
            self.log.append(NODE, name)
        self.callbacks.on_buried(before)

    def lose(self, previous: int) -> None:
        """Hear that the engine has lost what came after an entry."""
        self.callbacks.on_news([Lost(previous, self._read_id)])

    def miss(self, previous: int) -> None:
        """Hear that what came after an entry can't be read any more."""
        self.callbacks.on_news([Missed(previous, self._read_id)])

    def _run(self) -> None:
        log = self.log
        while True:
            with log.changed:
                log.changed.wait_for(lambda: self._stopping or (not self.is_held and self._position < len(log.news)))
                if self._stopping:
                    return
                news = log.news[self._position :]
                self._position += len(news)
            self.callbacks.on_news(news)
            with log.changed:
                self._read_id = max(one.id for one in news if isinstance(one, Entry))
                log.changed.notify_all()
