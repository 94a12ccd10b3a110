"""Rooms: what is said in one order, and heard by everybody in that order.

What happens in a room is a `RoomEvent`. They are put in line under the room's lock, which gives the ids and the order,
and are carried out by one thread at a time: whoever finds nobody at it, until the line is empty. So nothing is sent
under the lock, nobody waits for a network, and all that is in line goes to each member in one piece; each time another
member is the first. Coming and going are events as well: who comes hears everything behind its own coming, and sees all
that was before as history.

In a crowded room the others don't hear of each coming, going and renaming: these are counted, and told as sums.
"""

import threading
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby, islice
from json.encoder import encode_basestring

from sockctl.errors import CommandError
from sockctl.net.peer import Peer, post_to_all
from sockctl.protocol.frames import encode_frame
from sockctl.protocol.messages import Message, as_line, encode_message, message
from sockctl.services.chat.clients import Client
from sockctl.services.chat.commands import LOBBY
from sockctl.services.chat.history import COMING_BYTES, History, HistoryBudget, HistoryEntry, audible, past_messages
from sockctl.services.chat.limits import ChatLimits
from sockctl.services.chat.members import Member
from sockctl.services.chat.store import ChatStore
from sockctl.text import plural

__all__ = ["Room"]

NAMES_AT_ONCE = 100
"""Names in one `members` message, and on one page of them."""
GOLDEN = (5**0.5 - 1) / 2
"""Steps of this, around a circle, come evenly by every place on it."""


_SUMS = {"joined": "joined {}.", "left": "left {}.", "renamed": "in {} took another name."}


@dataclass(frozen=True, slots=True)
class RoomEvent:
    """Something that happens in a room, encoded for both wires.

    Attributes:
        frame: It as a frame.
        line: It as a line.
        place: Where it was said; there it isn't repeated on a line. None where nobody said it.
        key: The key of the member's name that it is about.
        movement: Whether somebody comes or goes, which not everybody wants to know.
    """

    frame: bytes
    line: bytes
    place: Client | None = None
    key: str = ""
    movement: bool = False


@dataclass(frozen=True, slots=True)
class Movement:
    """Somebody comes, goes, or is called otherwise.

    Attributes:
        news: What the others are told of it; None where it is nothing to them.
        key: The key of the member's name that it is about.
        comes: Who hears from here on what happens in the room.
        past: What had been said before it came.
        more: Whether it has missed more than that.
        then: What it is told when it has been told of the room.
        goes: Who doesn't hear any more.
        own: Who hears of a renaming also in a crowded room.
    """

    news: Message | None
    key: str
    comes: Client | None = None
    past: Sequence[HistoryEntry] = ()
    more: bool = False
    then: Message | None = None
    goes: Client | None = None
    own: Collection[Client] = ()

    def as_item(self) -> RoomEvent:
        """Return the news of it, encoded."""
        frame, line = _encoded(self.news)
        return RoomEvent(frame, line, key=self.key, movement=self.comes is not None or self.goes is not None)


def _encoded(one: Message | None) -> tuple[bytes, bytes]:
    """Return a message for both wires; nothing for none."""
    return (
        (b"", b"")
        if one is None
        else (encode_frame(encode_message(one)), f"{as_line(one, unmarked_room=LOBBY)}\r\n".encode())
    )


class Room:
    """One room. Any thread may use it; nothing in it waits.

    Args:
        name: Its name, such as ``#lobby``.
        store: Keeps what is said, and the topic.
        history: What was said before, and how much of it is remembered.
        last_id: The id of what was said last.
        limits: From how many members on it is crowded.
        budget: What all histories together may take.
        used_at: When somebody was in it last, on the monotonic clock.

    Attributes:
        used_at: As the argument; whoever keeps the rooms sets it.
    """

    def __init__(
        self,
        name: str,
        *,
        store: ChatStore,
        history: History,
        last_id: int,
        limits: ChatLimits,
        budget: HistoryBudget,
        used_at: float = 0.0,
    ) -> None:
        self.name = name
        self.used_at = used_at
        self._budget = budget
        budget.add(history.size_bytes)
        self._store = store
        self._told_singly = limits.told_singly
        self._lock = threading.Lock()  # guards what follows, to the members
        self._history = history
        self._last_id = last_id
        self._line: list[RoomEvent | Movement] = []
        self._sums: dict[str, int] = {}  # movements that are to be told, by the kind of the message
        self._listing: tuple[int, str | None, RoomEvent] | None = None  # for so many members, and that topic
        self._busy = False
        self._members: dict[Member, int] = {}  # with how many places each hears it
        self._audience: dict[Client, None] = {}  # this and the next are used by whoever is at the line alone
        self._first = 0.0  # who is served first, as a part of the audience
        # What was told last of what was said before, by the wire and the ids; any thread may take it away.
        self._told_past: tuple[tuple[bool, list[int]], bytes] | None = None

    @property
    def names(self) -> list[str]:
        """The names of those in the room, in the order in which they came."""
        with self._lock:
            return [member.name for member in self._members]

    @property
    def is_empty(self) -> bool:
        """Whether nobody is in it, or about to be."""
        with self._lock:
            return not self._members and not self._line

    @property
    def count(self) -> int:
        """How many are in it."""
        with self._lock:
            return len(self._members)

    @property
    def is_crowded(self) -> bool:
        """Whether movements are told in sums."""
        return self.count > self._told_singly

    @property
    def remembered(self) -> int:
        """How much of what was said is remembered."""
        with self._lock:
            return len(self._history)

    @property
    def last_id(self) -> int:
        """The id of what was said last."""
        with self._lock:
            return self._last_id

    def forget(self) -> None:
        """Forget what was said."""
        with self._lock:
            if not len(self._history):
                return
            self._budget.add(-self._history.forget_oldest(self._history.size_bytes))
            self._store.forget(self.name)

    @property
    def history_bytes(self) -> int:
        """What its history takes of the memory."""
        with self._lock:
            return self._history.size_bytes

    def forget_oldest(self, size_bytes: int) -> None:
        """Forget the oldest of what was said, until so many bytes are free."""
        with self._lock:
            self._budget.add(-self._history.forget_oldest(size_bytes))
            self._store.keep_last(self.name, len(self._history))

    def listing(self) -> RoomEvent:
        """Return how it is listed among the rooms: the same as before, unless its members or its topic have changed."""
        topic = self._store.topic(self.name)
        said = None if topic is None else topic.text
        with self._lock:
            count, known = len(self._members), self._listing
            if known is None or known[:2] != (count, said):
                text = f"{self.name}: {plural(count, 'member')}" + (f", {said}" if said else "")
                frame, line = _encoded(message("notice", text, code="room", room=self.name, count=count, topic=said))
                self._listing = known = (count, said, RoomEvent(frame, line))
            return known[2]

    def past(self, count: int, *, without: Collection[str] = ()) -> Sequence[HistoryEntry]:
        """Return the last `count` things that were said, without those of members who have one of these keys."""
        with self._lock:
            past = self._history.all()
        return audible(past, without)[-count:]

    # What happens in it.

    def say(self, place: Client, texts: Sequence[str], at: str, *, action: bool = False) -> None:
        """Let a member say something; `process_pending` is to follow.

        Args:
            place: Where it sits.
            texts: What it says.
            at: When, as RFC 3339 has it.
            action: Whether it says what it does.
        """
        # As encode_message and as_line have it, from parts that stand still: those cost 6 µs a message, this 0.7.
        name, key = place.member.name, place.member.key
        head = f',"room":"{self.name}","sender":"{name}","id":'
        tail = f',"at":"{at}"' + (',"action":true}' if action else "}")
        shown = f"* {name} " if action else f"<{name}> "
        shown = shown if self.name == LOBBY else f"{self.name} {shown}"
        frames: list[bytes] = []
        lines: list[str] = []
        kept: list[bytes] = []
        past: list[HistoryEntry] = []
        with self._lock:
            before = self._history.size_bytes
            for text in texts:
                self._last_id += 1
                json = f'{{"kind":"say","text":{encode_basestring(text)}{head}{self._last_id}{tail}'.encode()
                kept.append(json)
                frames += (len(json).to_bytes(4, "big"), json)
                lines.append(f"{shown}{text}\r\n")
                past.append(HistoryEntry(self._last_id, json, key))
            self._history.extend(past)
            beyond = self._budget.add(self._history.size_bytes - before)
            if beyond and (own := self._history.size_bytes - self._budget.share_bytes) > 0:
                self._budget.add(-self._history.forget_oldest(min(beyond, own)))
            self._line.append(RoomEvent(b"".join(frames), "".join(lines).encode(), place, key))
            first = self._last_id - len(kept) + 1
            self._store.said(self.name, first, kept, remembered=len(self._history))  # its lock is a leaf

    def tell(self, one: Message, *, about: str = "") -> None:
        """Let everybody in it know something about a member, whose key it is; `process_pending` is to follow."""
        frame, line = _encoded(one)
        with self._lock:
            self._line.append(RoomEvent(frame, line, key=about))

    def rename(self, news: Message, *, about: str, own: Collection[Client]) -> None:
        """Let everybody in it know that a member is called otherwise; `process_pending` is to follow.

        Args:
            news: What is told.
            about: The key of its name before.
            own: Its places, which hear it also in a crowded room.
        """
        with self._lock:
            self._line.append(Movement(news, about, own=own))

    def tell_sums(self) -> None:
        """Tell how many came, went and were renamed in a crowded room since the last time."""
        self._told_past = None  # it is for those who come together, and takes memory
        if not self._sums:
            return
        with self._lock:
            for kind, count in self._sums.items():
                text = f"{count:,} {_SUMS[kind].format(self.name)}"
                frame, line = _encoded(message(kind, text, room=self.name, count=count))
                self._line.append(RoomEvent(frame, line, movement=True))
            self._sums = {}
        self.process_pending()

    def enter(
        self, place: Client, *, new: bool, after: int, then: Message | None = None, most_bytes: int = COMING_BYTES
    ) -> int:
        """Let a place hear the room from now on; `process_pending` is to follow.

        Args:
            place: The place.
            new: Whether its member comes with it.
            after: The last id that it has seen before, or `NOTHING`.
            then: What it is told when it has been told of the room.
            most_bytes: How much of what was said before it is told at most.

        Returns:
            How many bytes of it that are.
        """
        member = place.member
        coming = message("joined", f"{member.name} joined {self.name}.", room=self.name, name=member.name)
        news = coming if new else None
        with self._lock:
            past, more = self._history.since(after, most_bytes=most_bytes)
            self._line.append(Movement(news, member.key, comes=place, past=past, more=more, then=then))
        return sum([len(one.json) for one in past])

    def listen(self, place: Client) -> None:
        """Let a place hear the room that hears all; before anybody is in it."""
        self._audience[place] = None

    def exit(self, place: Client, *, reason: str | None) -> None:
        """Let a place hear the room no more; `process_pending` is to follow.

        Args:
            place: The place.
            reason: Why its member goes with it; None if it doesn't.
        """
        name = place.member.name
        going = None
        if reason is not None:
            going = message("left", f"{name} left {self.name} ({reason}).", room=self.name, name=name, reason=reason)
        with self._lock:
            self._line.append(Movement(going, place.member.key, goes=place))

    def process_pending(self) -> None:
        """Carry out what is in line, unless somebody is at it: then it is done there."""
        with self._lock:
            if self._busy:
                return
            self._busy = True
        try:
            while pieces := self._taken():
                self._carry_out(pieces)
        except BaseException:
            with self._lock:
                self._busy = False
            raise

    def _taken(self) -> list[RoomEvent | Movement]:
        with self._lock:
            pieces, self._line = self._line, []
            self._busy = bool(pieces)
            return pieces

    # Carrying out: one thread at a time.

    def _carry_out(self, pieces: list[RoomEvent | Movement]) -> None:
        for way, run in groupby(pieces, key=_way_of):
            if way is None:
                self._deliver([one for one in run if isinstance(one, RoomEvent)], self._audience)
            else:
                way(self, [one for one in run if isinstance(one, Movement)])

    def _told_one_by_one(self, batch: list[Movement], *, coming: int = 0) -> list[RoomEvent]:
        """Return what is told of each movement; nothing in a crowded room, where they are counted.

        While a sum is still to be told, nothing is told before it.
        """
        with self._lock:
            crowded = len(self._members) + coming > self._told_singly or bool(self._sums)
            if crowded:
                for one in batch:
                    if one.news is not None:
                        self._sums[one.news.kind] = self._sums.get(one.news.kind, 0) + 1
        return [] if crowded else [one.as_item() for one in batch]

    def _let_in(self, batch: list[Movement]) -> None:
        """Let several in at once: those who were here hear of all, each new one of itself and those behind it."""
        told = self._told_one_by_one(batch, coming=len(batch))
        self._deliver(told, self._audience)
        for number, one in enumerate(batch):
            place = one.comes
            assert place is not None  # noqa: S101  that is what makes it a coming
            if place not in self._audience or place.hears_all:
                with self._lock:
                    self._members[place.member] = self._members.get(place.member, 0) + 1
            self._audience[place] = None
            self._welcome(place, one.past, more=one.more)
            if one.then is not None:
                place.reply(one.then)
            self._deliver(told[number + 1 :], [place])

    def _welcome(self, place: Client, past: Sequence[HistoryEntry], *, more: bool) -> None:
        place.tell("joined", f"You are in {self.name}.", room=self.name, name=place.member.name)
        topic = self._store.topic(self.name)
        if topic is not None:
            text = f"The topic of {self.name} is: {topic.text}"
            place.tell("notice", text, code="topic", room=self.name, topic=topic.text)
        self.tell_members(place)
        if more:
            text = f"More was said in {self.name} meanwhile: /history N shows as much of it as is remembered."
            place.tell("notice", text, code="missed", room=self.name)
        if heard := audible(past, place.member.ignored):
            place.reply_encoded(self._encoded_past(heard, framed=place.framed))

    def _encoded_past(self, past: Sequence[HistoryEntry], *, framed: bool) -> bytes:
        """Return what was said before for one wire: for many who come one after the other it is the same."""
        what = (framed, [one.id for one in past])
        known = self._told_past
        if known is None or known[0] != what:
            encoded = map(_encoded, past_messages(past))
            self._told_past = known = (what, b"".join([frame if framed else line for frame, line in encoded]))
        return known[1]

    def tell_members(self, place: Client) -> None:
        """Tell a place who is in the room; of a crowded one, how many."""
        with self._lock:
            count = len(self._members)
            names = [member.name for member in self._members] if count <= self._told_singly else []
        if count > self._told_singly:
            text = f"In {self.name}: {count:,} members; /who lists them, {NAMES_AT_ONCE} a page."
            place.tell("members", text, room=self.name, members=[], count=count)
            return
        for start in range(0, max(1, len(names)), NAMES_AT_ONCE):
            some = names[start : start + NAMES_AT_ONCE]
            more = start + NAMES_AT_ONCE < len(names)
            text = f"In {self.name}: {', '.join(some) or 'nobody'}{', …' if more else ''}"
            place.tell("members", text, room=self.name, members=some, more=more or None)

    def tell_page(self, place: Client, number: int) -> None:
        """Tell a place who is on a page of those in the room.

        Raises:
            CommandError: There is no such page.
        """
        with self._lock:
            count = len(self._members)
            some = islice(self._members, (number - 1) * NAMES_AT_ONCE, number * NAMES_AT_ONCE)
            names = [member.name for member in some]
        pages = max(1, -(-count // NAMES_AT_ONCE))
        if number > pages:
            raise CommandError(f"{self.name} has {plural(pages, 'page')} of members.")
        text = f"In {self.name}, page {number:,} of {pages:,}: {', '.join(names) or 'nobody'}"
        place.tell("members", text, room=self.name, members=names, count=count, page=number, pages=pages)

    def _let_go(self, batch: list[Movement]) -> None:
        """Let several go at once: each hears still of those who went before it."""
        told = self._told_one_by_one(batch)
        for number, one in enumerate(batch):
            place = one.goes
            assert place is not None  # noqa: S101  as above
            if place not in self._audience:
                continue
            if not place.hears_all:
                del self._audience[place]
                self._deliver(told[:number], [place])
            with self._lock:
                self._members[place.member] -= 1
                if not self._members[place.member]:
                    del self._members[place.member]
        self._deliver(told, self._audience)

    def _let_rename(self, batch: list[Movement]) -> None:
        """Let everybody hear of new names; in a crowded room, those whose name it is."""
        told = self._told_one_by_one(batch)
        self._deliver(told, self._audience)
        for one in () if told else batch:
            self._deliver([one.as_item()], [place for place in one.own if place in self._audience])

    def _deliver(self, batch: list[RoomEvent], audience: Iterable[Client]) -> None:
        if not any(one.frame for one in batch):
            return  # somebody comes or goes whom nobody hears of
        movements = any(one.movement for one in batch)
        framed: list[Peer] = []
        others: list[Client] = []
        # Most hear all of it, in frames: what is asked here is asked for every delivery.
        for place in self._turned(audience):
            member, peer = place.member, place.peer
            if place.framed and peer is not None and not member.ignored and not (movements and member.quiet):
                framed.append(peer)
            else:
                others.append(place)
        if framed:
            post_to_all(framed, b"".join([one.frame for one in batch]))
        if others:
            self._deliver_apart(batch, others)

    def _turned(self, audience: Iterable[Client]) -> list[Client]:
        """Return an audience from another place on each time: so nobody among those served alike is always last."""
        self._first = (self._first + GOLDEN) % 1
        places = list(audience)
        first = int(self._first * len(places))
        return places[first:] + places[:first]

    def _deliver_apart(self, batch: list[RoomEvent], places: list[Client]) -> None:
        """Deliver to those that read lines, or don't hear everything."""
        lines: list[Peer] = []
        movements = any(one.movement for one in batch)
        speakers = {one.place for one in batch}
        for place in places:
            member, peer = place.member, place.peer
            hears_all = not member.ignored and not (movements and member.quiet)  # any thread may have changed them
            if hears_all and peer is not None and not place.framed and place not in speakers:
                lines.append(peer)
            elif own := b"".join(one.frame if place.framed else one.line for one in _heard_at(place, batch)):
                place.post_encoded(own)
        if lines:
            post_to_all(lines, b"".join([one.line for one in batch]))


def _way_of(one: RoomEvent | Movement) -> Callable[[Room, list[Movement]], None] | None:
    """Return how a movement is carried out; None for what everybody just hears."""
    if isinstance(one, RoomEvent):
        return None
    return Room._let_in if one.comes is not None else Room._let_go if one.goes is not None else Room._let_rename


def _heard_at(place: Client, batch: list[RoomEvent]) -> Iterator[RoomEvent]:
    """Return what of a batch is heard at a place that doesn't hear all of it."""
    member = place.member
    for one in batch:
        if one.key in member.ignored or (one.movement and member.quiet and one.key != member.key):
            continue
        if place.framed or one.place is not place:
            yield one
