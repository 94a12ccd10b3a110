"""What a chat on several servers stands on: a log that all servers read, see `sockctl.cluster.node`.

A server posts what its members do. Each server carries it out as it comes back, in the order of the log.
The module is long as all that the chat asks of its servers' log, and all that the log tells, comes together here.
"""

import contextlib
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from functools import partial
from typing import Any

from sockctl.cluster.entry import EPOCH, GONE, NODE, Entry, News
from sockctl.cluster.health import Away, Back
from sockctl.cluster.node_settings import Callbacks
from sockctl.cluster.posting import CAME, Claim, Posting
from sockctl.errors import NameTakenError
from sockctl.events.journal import Journal
from sockctl.protocol.look_alikes import compute_skeletons
from sockctl.protocol.messages import make_message
from sockctl.services.chat.clients import include_console
from sockctl.services.chat.effects import Effects
from sockctl.services.chat.member import Member
from sockctl.services.chat.members import Members
from sockctl.services.chat.membership import Membership
from sockctl.services.chat.reasons import ENGINE_AWAY, NAME_LOST
from sockctl.services.chat.room import Room
from sockctl.services.chat.room_history import Store
from sockctl.services.chat.room_registry import RoomRegistry
from sockctl.services.chat.sequencer import Names, Sequencer
from sockctl.services.chat.settings import ChatLimits, ChatRules
from sockctl.services.chat.shared_log import Log, MakeLog
from sockctl.services.chat.shared_losses import Losses
from sockctl.services.chat.shared_members import SharedMembers
from sockctl.services.chat.shared_names import SharedNames
from sockctl.services.chat.shared_pages import SharedPages
from sockctl.services.chat.shared_records import (
    ASK,
    BROKEN,
    MARK,
    ROSTER,
    decode,
    decode_effect,
    encode,
    encode_member,
    restore_state,
)
from sockctl.services.chat.shared_replica import LOST, Replica
from sockctl.services.chat.shared_sequencer import SharedSequencer
from sockctl.services.chat.shared_store import SharedStore
from sockctl.services.chat.shared_talk import BLOCK, SAY, TalkReader, list_readable
from sockctl.services.chat.store import OnFailure, OnRecovery, StoredRoom

CLOSE_AFTER_S = 30.0
"""How long the engine may be away before the server sends its clients to another one."""
ROSTERS_S = 2.0
"""How long a new server waits for the rosters of the others."""
_PART = 100  # members in one part of a roster
_CLAIMS = 500  # names that are claimed again at each tick


class SharedBacking:
    """A log that several servers read. It is a `Backing`.

    Args:
        make_log: Connects this server to the log.
        close_after_s: How long after the notice that the engine is away the clients are sent away.
        pages: The pages that the servers advertise.
    """

    is_shared = True

    def __init__(
        self, make_log: MakeLog, *, close_after_s: float = CLOSE_AFTER_S, pages: SharedPages | None = None
    ) -> None:
        self._pages = pages or SharedPages()
        self._make_log = make_log
        self._close_after_s = close_after_s
        self._log: Log
        self._store: SharedStore
        self._members: SharedMembers
        self._effects: Effects
        self._replica: Replica
        self._sequencer: SharedSequencer
        self._talk: TalkReader
        self._own: set[str] = set()  # the names of this server in the log, now and before
        self._losses: Losses
        self._away_at: float | None = None
        self._is_roster_due = False
        self._is_stopping = False  # from then on, who has no client here any more has not left
        self._unclaimed: dict[str, Member] = {}  # members that must claim their name again
        self._awaited: set[str] = set()  # servers whose rosters this one waits for
        self._is_whole = threading.Event()  # no roster is awaited

    def load(
        self,
        rules: ChatRules,
        *,
        on_failure: OnFailure,  # noqa: ARG002  the log tells it
        on_recovery: OnRecovery,  # noqa: ARG002
    ) -> tuple[Store, Mapping[str, StoredRoom]]:
        """Connect to the log, and load what it keeps; blocks.

        Raises:
            EngineError: The engine can't be used.
        """
        callbacks = Callbacks(
            on_news=self._take_news,
            on_refused=self._refuse,
            on_buried=self._note_burial,
            on_health=self._note_health,
        )
        self._log = self._make_log(callbacks, rules)
        self._own.add(self._log.name)
        self._awaited = set(self._log.others)
        snapshot = self._log.load()
        self._store = store = SharedStore(self._log)
        restore_state(store.state, snapshot.state)
        self._pages.restore(snapshot.state)
        rooms = {
            name: StoredRoom(list_readable((one.id, one.data) for one in kept), kept[-1].id)
            for name, kept in snapshot.rooms.items()
            if kept
        }
        return store, rooms

    def make_members(
        self, *, find_reserved: Callable[[str, str], str], clock: Callable[[], float], limits: ChatLimits
    ) -> Members:
        """Return the registry of members."""
        self._members = SharedMembers(find_reserved=find_reserved, clock=clock, limits=limits)
        return self._members

    def connect(self, members: Members, rooms: RoomRegistry, effects: Effects) -> tuple[Sequencer, Names]:  # noqa: ARG002
        """Return what posts to the log, and what claims names there."""
        self._effects = effects
        self._sequencer = SharedSequencer(self._log)
        self._replica = Replica(
            self._members,
            rooms,
            effects,
            is_own=self._own.__contains__,
            reclaim=self._claim_later,
            forsake=self._forsake,
        )
        self._sequencer.replica = self._replica
        ask = partial(self._sequencer.post_for_server, ASK)
        self._losses = Losses(tell=self._tell_all, ask=ask, load_state=self._store.load_again, forget=rooms.miss)
        self._talk = TalkReader(rooms.bring, self._sequencer.find_speaker, self._members.note_active)
        return self._sequencer, SharedNames(self._log, self._members, self._replica, self._sequencer)

    def start(self, membership: Membership, journal: Journal) -> None:
        """Begin to read, and wait for the rosters of the other servers; blocks."""
        self._replica.membership = membership
        self._note_roster("")
        self._log.start(journal.emit)
        self._is_whole.wait(ROSTERS_S)

    def tick(self, now: float) -> None:
        """Post a roster and claims that are due; send the clients away if the engine is away for long."""
        self._sequencer.expire_marks(now)
        if self._away_at is not None:
            if now - self._away_at >= self._close_after_s:
                for client in self._members.list_all_clients():
                    client.close(ENGINE_AWAY)
            return
        self._pages.tell(self._log.post, is_due=self._is_roster_due)
        if (self._is_roster_due or self._sequencer.is_roster_due) and not self._is_stopping:
            self._is_roster_due = self._sequencer.is_roster_due = False
            self._post_roster()
        for member_id in [*self._unclaimed][:_CLAIMS]:
            self._claim_again(self._unclaimed.pop(member_id))

    def count(self) -> dict[str, int]:
        """Return for how many seconds the engine has been away, rounded up; 0 while it is there."""
        away_at = self._away_at
        return {"engine_away_s": 0 if away_at is None else int(time.monotonic() - away_at) + 1}

    def prepare_stop(self) -> None:
        """Tell the clients what isn't said because the engine is away.

        They go to other servers. Until they are there, this server says nothing of who is here and who is not.
        """
        with self._sequencer.presence:
            self._is_stopping = True
        self._sequencer.prepare_stop(self._members.list_all_clients())

    def close(self) -> None:
        """Post what waits, and leave; blocks."""
        self._log.stop()

    # What the log tells.

    def _take_news(self, news: Sequence[News]) -> None:
        heard: dict[str, Room] = {}
        read_id = self._replica.read_id
        for one in news:
            if isinstance(one, Entry) and one.kind in {SAY, BLOCK}:
                self._talk.add(one, is_own=one.node in self._own)
                read_id = one.id
                continue
            heard.update((room.name, room) for room in self._talk.flush())
            if isinstance(one, Entry):
                with contextlib.suppress(*BROKEN):
                    self._apply(one)
                if one.kind == EPOCH:
                    self._losses.note_epoch(one.previous, read_id=read_id)
                self._replica.read_id = read_id = one.id
            else:
                self._claim_all()
                self._losses.take(one)
        heard.update((room.name, room) for room in self._talk.flush())
        self._replica.read_id = read_id
        for room in heard.values():
            room.process_pending()
        self._sequencer.go_on()

    def _apply(self, one: Entry) -> None:
        if one.kind == ROSTER:
            if self._replica.take_roster(one):
                self._note_roster(one.node)
        elif one.kind == MARK and one.node in self._own:
            self._sequencer.note_mark(decode(one.data)["number"])
        elif one.kind == NODE:
            self._is_roster_due = True
        elif one.kind == ASK:
            self._is_roster_due = True
            self._losses.hear(decode(one.data))
        elif self._replica.apply(one):
            if one.kind == GONE:
                self._note_roster(one.node)
        elif not self._pages.hear(one) and (effect := decode_effect(one.kind, one.data)) is not None:
            self._effects.apply(effect)

    def _note_roster(self, node: str) -> None:
        self._awaited.discard(node)
        if not self._awaited:
            self._is_whole.set()

    def _refuse(self, postings: Sequence[Posting]) -> None:
        self._sequencer.refuse(postings)

    def _note_burial(self, before: str) -> None:  # noqa: ARG002  it stays one of this server's names
        """Let the members claim their names again, before anything else is posted under this server's new name."""
        self._own.add(self._log.name)
        self._is_roster_due = True
        self._claim_all()

    def _note_health(self, change: Away | Back) -> None:
        if isinstance(change, Away):
            self._away_at, self._sequencer.is_away = time.monotonic(), True
            self._tell_all("The servers can't reach each other now: what is said waits.", "engine_away")
        else:
            self._away_at, self._sequencer.is_away = None, False
            self._is_roster_due = True
            self._tell_all("The servers reach each other again.", "engine_back")

    def _tell_all(self, text: str, code: str) -> None:
        one = make_message("notice", text, code=code)
        for client in self._members.list_all_clients():
            client.post(one)

    # Rosters, and names that must be claimed again.

    def _post_roster(self) -> None:
        with self._sequencer.presence:
            read_id = self._replica.read_id
            records = [
                self._encode(member)
                for member in self._replica.list_here()
                if self._members.is_here(member)  # else it has gone, and only the log's answer is missing
            ]
            parts = [records[start : start + _PART] for start in range(0, len(records), _PART)] or [[]]
            for number, some in enumerate(parts):
                fields = {"part": number, "parts": len(parts), "read": read_id, "members": some}
                self._sequencer.post_for_server(ROSTER, fields)

    def _encode(self, member: Member) -> dict[str, Any]:
        """Return what the other servers are told of a member who is here."""
        addresses, rooms = self._members.list_addresses(member), self._members.list_rooms(member)
        return encode_member(member, addresses=addresses, rooms=rooms)

    def _claim_all(self) -> None:
        """Let the members with clients here claim their names again; those without have left.

        A member that has come to another server meanwhile loses nothing: this server reads that first.
        """
        for member in self._members.list_all():
            if self._members.is_here(member) and not include_console(self._members.list_clients(member)):
                self._claim_again(member)
            elif self._replica.is_here(member.id):
                self._forsake(member)

    def _forsake(self, member: Member) -> None:
        """Post that a member has no client here, unless its clients have gone with this server."""
        if not self._is_stopping:
            self._sequencer.post_went(member, LOST)

    def _claim_later(self, member: Member) -> None:
        self._unclaimed[member.id] = member

    def _claim_again(self, member: Member) -> None:
        """Post that a member is here."""
        if not self._members.is_here(member):
            return
        claim = Claim(member.key, compute_skeletons(member.name), again=not member.account)
        claim.answer.add_done_callback(partial(self._settle_claim, member))
        if not self._log.post(Posting(CAME, encode(self._encode(member)), member.id, claim=claim), first=True):
            claim.fail()

    def _settle_claim(self, member: Member, answer: Future[int]) -> None:
        error = answer.exception()
        if isinstance(error, NameTakenError):
            for client in self._members.list_clients(member):
                client.tell("error", str(error), code=error.code)
                client.close(NAME_LOST)
        elif error is not None:
            self._claim_later(member)
