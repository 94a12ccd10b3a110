"""Posts to a log what others must hear; it takes effect where it comes back, see `Replica`."""

import datetime
import itertools
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

from sockctl.cluster.posting import WENT, Posting
from sockctl.protocol.messages import Message
from sockctl.services.chat.clients import ConsoleClient
from sockctl.services.chat.effects import Effect, Typing
from sockctl.services.chat.member import Client, Member
from sockctl.services.chat.refusals import read_number, refuse
from sockctl.services.chat.room import Room
from sockctl.services.chat.shared_log import Log
from sockctl.services.chat.shared_records import ENTER, EXIT, MARK, encode, encode_change, encode_effect
from sockctl.services.chat.shared_replica import Replica
from sockctl.services.chat.shared_talk import BLOCK, SAY, encode_lines, encode_texts
from sockctl.stores.timestamps import format_timestamp, read_utc_clock

FLUSH_S = 2.0
"""How long a client that leaves may wait until its server has read what it has posted."""
ANSWER_S = 12.0
"""How long it may wait for the engine's answer; what waits in the server is refused before."""
NOT_SAID = "The chat's servers can't reach each other now: this was not said."
NOT_DONE = "The chat's servers can't reach each other now: this was not done."
IN_DOUBT = "The chat's servers can't reach each other now: nobody knows whether what you said last was said."


class _Mark(NamedTuple):
    """What waits for a mark, and since when."""

    client: Client
    then: Callable[[], None]
    since: float


def refuse_posted(client: Client, messages: Sequence[Message], text: str) -> None:
    """Tell a client which of its messages had no effect: the number names one, else the text does."""
    for one in messages:
        is_named = read_number(one) is not None or not one.text
        refuse(client, [one], text if is_named else f"{text.removesuffix('.')}: {one.text}", code="not_said")


class SharedSequencer:
    """Posts to a log what others must hear. It is a `Sequencer`: any thread may use it; it never blocks.

    Args:
        log: The log.

    Attributes:
        presence: Guards the order of the postings that say where members are. A roster holds it, too.
        replica: Knows the members of all servers.
        is_away: Whether the engine is away.
        is_roster_due: Whether a posting was lost that says where members are: the next roster tells it.
    """

    def __init__(self, log: Log) -> None:
        self._log = log
        self.presence = threading.Lock()
        self.is_roster_due = False
        self.replica: Replica
        self.is_away = False
        self._numbers = itertools.count()
        self._marks: dict[int, _Mark] = {}
        self._read: list[int] = []
        self._speakers: dict[int, Client] = {}  # clients that read lines, by the number of their connection

    def find_speaker(self, number: int) -> Client | None:
        """Return the client that reads lines over a connection; None if it has gone."""
        return self._speakers.get(number)

    def say(
        self, room: Room, client: Client, texts: Sequence[str], spoken: Sequence[Message], *, action: bool = False
    ) -> None:
        """Post texts of a client's member."""
        member = client.member
        number = self._number(client)
        said = [one for one in spoken if one.kind != "line" or one.text.strip()]
        data = encode_texts(member, number, texts, room=room.name, at=self._tell_time(), action=action)
        post, sender = self._log.post, _identify(client)
        unsaid = [
            one
            for one, each in zip(said, data, strict=True)
            if not post(Posting(SAY, each, sender, room.name, tag=(client, one)))
        ]
        if unsaid:
            refuse_posted(client, unsaid, NOT_SAID)

    def say_block(self, room: Room, client: Client, lines: Sequence[str], spoken: Message) -> None:
        """Post a block."""
        member = client.member
        data = encode_lines(member, self._number(client), lines, room=room.name, at=self._tell_time())
        tag = (client, spoken)
        if not self._log.post(Posting(BLOCK, data, _identify(client), room.name, len(lines), tag=tag)):
            refuse_posted(client, [spoken], NOT_SAID)

    def join(self, room: Room, client: Client, *, new: bool, after: int, then: Message | None, most_bytes: int) -> int:
        """Let a client hear a room at once, and post that its member is there if that is new."""
        is_local = isinstance(client, ConsoleClient)
        told = room.join(client, new=False, after=after, then=then, most_bytes=most_bytes, is_told=is_local)
        room.process_soon(client)
        if not is_local and (new or not self.replica.has_entered(client.member, room.name)):
            self._post_presence(ENTER, client.member, room=room.name)
        return told

    def leave(self, room: Room, clients: Sequence[Client], by: Client, *, tell: Callable[[Client], None]) -> None:
        """Let the clients of a member hear a room no more, at once, and post that the member left."""
        for each in clients:
            room.leave(each, reason=None, then=partial(tell, each))
        if not isinstance(by, ConsoleClient):
            self._post_presence(EXIT, by.member, room=room.name, reason="left")

    def remove(self, rooms: Sequence[Room], client: Client, *, is_last: bool, reason: str | None) -> None:
        """Let a client hear some rooms no more; post that its member is here no more if it was the last one.

        Of a server that stops, clients go to another one: they leave nothing.
        """
        peer = client.peer
        if peer is not None:
            self._speakers.pop(peer.number, None)
        for room in rooms:
            room.leave(client, reason=None)
            room.process_soon(client)
        if is_last and not (peer is not None and peer.stopping):
            self.post_went(client.member, reason or "left")

    def flush(self, client: Client, then: Callable[[], None]) -> float:
        """Call `then` when this server has read all that was posted until now, has refused it, or waits no longer."""
        if isinstance(client, ConsoleClient) or (self.is_away and not self._log.holds(client.member.id)):
            return 0.0
        number = next(self._numbers)
        self._marks[number] = _Mark(client, then, time.monotonic())
        self.post_for_server(MARK, {"number": number})
        return ANSWER_S + FLUSH_S

    def prepare_stop(self, clients: Sequence[Client]) -> None:
        """Tell clients, before they go with their server, what is not said because the engine is away."""
        self._log.prepare_stop()
        for client in clients if self.is_away else ():
            self._tell_doubt(client)

    def note_mark(self, number: int) -> None:
        """Note that this server has read a mark of its own; `go_on` makes the call."""
        self._read.append(number)

    def go_on(self) -> None:
        """Make the calls whose marks were read; the log's reader calls it."""
        read, self._read = self._read, []
        for number in read:
            if (mark := self._marks.pop(number, None)) is not None:
                mark.then()

    def expire_marks(self, now: float) -> None:
        """Make the calls that have waited for too long; while the engine is away, all that wait for no answer of it."""
        for number, mark in [*self._marks.items()]:
            waited_s = now - mark.since
            is_open = self._log.holds(mark.client.member.id)
            is_due = waited_s > ANSWER_S if is_open else self.is_away or waited_s > FLUSH_S
            if is_due and self._marks.pop(number, None) is not None:
                self._tell_doubt(mark.client)
                mark.then()

    def _tell_doubt(self, client: Client) -> None:
        """Tell a client that nobody knows whether what it said last was said, if that is so."""
        if not isinstance(client, ConsoleClient) and self._log.holds(client.member.id):
            client.tell("error", IN_DOUBT, code="in_doubt")

    def order(self, effect: Effect, *, by: Client | None = None) -> None:
        """Post an effect."""
        kind, data = encode_effect(effect)
        field, value = encode_change(effect)
        sender = _identify(by) if by is not None else getattr(effect, "member", "")
        if by is None and not self.replica.is_here(sender):
            sender = ""  # the one at the terminal
        tag = (by, by.asking) if by is not None and by.asking is not None else None
        posting = Posting(kind, data, sender, field=field, value=value, tag=tag)
        if not self._log.post(posting) and not isinstance(effect, Typing):
            self.refuse([posting])

    def refuse(self, postings: Sequence[Posting]) -> None:
        """Tell the clients what was not said, and never will be."""
        unsaid: dict[tuple[Client, str], list[Message]] = {}
        for one in postings:
            if one.tag is not None:
                client, message = one.tag
                unsaid.setdefault((client, NOT_SAID if one.kind in {SAY, BLOCK, "tell"} else NOT_DONE), []).append(
                    message
                )
            elif one.kind != "typing":
                self.is_roster_due = True
        for (client, text), messages in unsaid.items():
            refuse_posted(client, messages, text)

    def post_went(self, member: Member, reason: str) -> None:
        """Post that a member has no client here any more."""
        self._post_presence(WENT, member, reason=reason)

    def _post_presence(self, kind: str, member: Member, **fields: Any) -> None:
        with self.presence:
            if not self._log.post(Posting(kind, encode({"m": member.id, **fields}), member.id)):
                self.is_roster_due = True

    def post_for_server(self, kind: str, fields: Mapping[str, Any]) -> None:
        """Post something of the server itself."""
        self._log.post(Posting(kind, encode(fields)))

    def _number(self, client: Client) -> int:
        """Return the number of a client's connection if it reads lines, and remember the client; else 0."""
        if client.framed or client.peer is None:
            return 0
        self._speakers[client.peer.number] = client
        return client.peer.number

    def _tell_time(self) -> str:
        return format_timestamp(read_utc_clock() + datetime.timedelta(seconds=self._log.clock_offset_s))


def _identify(client: Client) -> str:
    """Return the id of a client's member; empty for a server's terminal, which no other server knows."""
    return "" if isinstance(client, ConsoleClient) else client.member.id
