"""What members and operators do to others, as data, and what comes of it here.

A `Sequencer` brings effects into one order. In this order, `Effects` carries them out.
"""

import enum
from dataclasses import dataclass
from typing import assert_never

from sockctl.events.chat import MemberRenamed
from sockctl.events.journal import Journal
from sockctl.protocol.frames import encode_frame
from sockctl.protocol.messages import encode_message, make_message
from sockctl.protocol.names import make_name_key
from sockctl.services.chat.bans import Ban, Topic, describe_ban
from sockctl.services.chat.member import Identity, Member
from sockctl.services.chat.members import Members
from sockctl.services.chat.reasons import BANNED, KICKED
from sockctl.services.chat.room_event import Rename, RoomEvent, encode_event
from sockctl.services.chat.room_registry import RoomRegistry
from sockctl.services.chat.state import ChatState


@dataclass(frozen=True, slots=True)
class PrivateText:
    """A member writes to another one alone.

    Attributes:
        sender: The writer.
        key: The writer's author key.
        to: The id of the other one.
        text: The text.
        at: The time, in the form of RFC 3339.
    """

    sender: Identity
    key: str
    to: str
    text: str
    at: str


@dataclass(frozen=True, slots=True)
class AwayChange:
    """A member is away, or back for an empty text."""

    member: str
    text: str


@dataclass(frozen=True, slots=True)
class Typing:
    """A member types in a room."""

    member: str
    room: str


@dataclass(frozen=True, slots=True)
class Preferences:
    """A member ignores these author keys, and hears who comes and goes unless it is quiet."""

    member: str
    ignored: frozenset[str]
    quiet: bool


@dataclass(frozen=True, slots=True)
class TopicChange:
    """A member with an author key sets a room's topic, or removes it with None."""

    room: str
    topic: Topic | None
    by: str
    key: str


class Rule(enum.StrEnum):
    """What an operator decides."""

    ANNOUNCE = "announce"
    KICK = "kick"
    BAN = "ban"
    UNBAN = "unban"
    MUTE = "mute"
    UNMUTE = "unmute"


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """An operator decides something.

    Attributes:
        rule: What.
        text: What the operators are told; empty for nothing.
        public: What all others are told.
        until: When it ends, in the form of RFC 3339; None for never.
        ban: The ban or the mute that begins or ends.
        member: The id of the member who is put out.
    """

    rule: Rule
    text: str = ""
    public: str = ""
    until: str | None = None
    ban: Ban | None = None
    member: str = ""


Effect = PrivateText | AwayChange | Typing | Preferences | TopicChange | Act


class Effects:
    """Carries effects out among the clients of this server. Any thread may use it; it never blocks."""

    def __init__(self, members: Members, rooms: RoomRegistry, state: ChatState) -> None:
        self._members = members
        self._rooms = rooms
        self._state = state
        self._journal: Journal

    def start(self, journal: Journal) -> None:
        """Emit events to `journal` from now on."""
        self._journal = journal

    def apply(self, effect: Effect) -> None:
        """Carry an effect out."""
        match effect:
            case PrivateText():
                self._deliver(effect)
            case AwayChange():
                self._set_away(effect)
            case Typing():
                self._show_typing(effect)
            case Preferences():
                if (member := self._members.find_id(effect.member)) is not None:
                    member.ignored, member.quiet = effect.ignored, effect.quiet
            case TopicChange():
                self._set_topic(effect)
            case Act():
                self._act(effect)
            case _:
                assert_never(effect)

    def announce_rename(self, member: Member, before: str, *, account: str = "") -> None:
        """Tell a member's new name to its rooms; without any room, to its own clients.

        Args:
            member: The member.
            before: Its name before.
            account: The user for whose sake it had to give that name away; empty for none.
        """
        news = make_message("renamed", f"{before} is {member.name} now.", before=before, name=member.name)
        self._journal.emit(MemberRenamed(who=before, name_now=member.name))
        names = self._members.list_rooms(member)
        clients = self._members.list_clients(member)
        for room in filter(None, map(self._rooms.find, names)):
            room.enqueue(Rename(news, member.account or make_name_key(before), clients))
            room.process_pending()
        if not names:
            for client in clients:
                client.reply(news)
        if account:
            looks = "is" if make_name_key(before) == account else f"looks like {account},"
            text = f"{before} {looks} the name of a user now: you are {member.name} from here on."
            for client in clients:
                client.tell("notice", text, code="renamed")

    def _deliver(self, one: PrivateText) -> None:
        member, sender = self._members.find_id(one.to), self._members.find_id(one.sender.id)
        if member is None:
            if sender is not None:
                self._return_to(sender, one)
            return
        told = make_message("say", one.text, private=True, sender=one.sender.name, to=member.name, at=one.at)
        if one.key not in member.ignored:
            member.reply_to = one.sender
            for client in self._members.list_clients(member):
                client.post(told)
        if sender is not None and sender is not member:
            for own in self._members.list_clients(sender):
                if own.framed:
                    own.post(told)

    def _return_to(self, sender: Member, one: PrivateText) -> None:
        """Tell the writer of a private text that the other one has left before it came."""
        departed = self._members.find_departed_id(one.to)
        name = "The member" if departed is None else departed.name
        text = f"{name} has left: what you wrote was sent to nobody: {one.text}"
        for own in self._members.list_clients(sender):
            own.post(make_message("error", text, code="bad_command"))

    def _set_away(self, one: AwayChange) -> None:
        member = self._members.find_id(one.member)
        if member is not None:
            member.away = one.text
            text = f"You are away: {one.text}" if one.text else "You are back."
            for client in self._members.list_clients(member):
                client.post(make_message("notice", text, code="away", away=one.text))

    def _show_typing(self, one: Typing) -> None:
        member, room = self._members.find_id(one.member), self._rooms.find(one.room)
        if member is not None and room is not None:
            mark = make_message("typing", f"{member.name} is typing.", room=room.name, sender=member.name)
            frame = encode_frame(encode_message(mark))
            room.enqueue(RoomEvent(frame, b"", key=member.author_key, typing=True))
            room.process_pending()

    def _set_topic(self, one: TopicChange) -> None:
        self._state.put_topic(one.room, one.topic, rooms={each.name for each in self._rooms.list_all()})
        room = self._rooms.find(one.room)
        if room is not None:
            topic = "" if one.topic is None else one.topic.text
            text = f"{one.by} set the topic of {room.name}: {topic}"
            news = make_message("notice", text, code="topic", room=room.name, topic=topic)
            room.enqueue(encode_event(news, key=one.key))
            room.process_pending()

    def _act(self, act: Act) -> None:
        bans, mutes = self._state.bans, self._state.mutes
        if act.ban is not None:
            if act.rule in {Rule.BAN, Rule.MUTE}:
                (bans if act.rule is Rule.BAN else mutes).put(act.ban)
            else:
                (bans if act.rule is Rule.UNBAN else mutes).drop(act.ban.target.key)
        if act.text:
            full = make_message("notice", act.text, code="announcement", until=act.until)
            short = make_message("notice", act.public, code="announcement", until=act.until)
            for each in self._members.list_all_clients():
                each.post(full if each.member.operator else short)
        if act.rule is Rule.KICK and (member := self._members.find_id(act.member)) is not None:
            for each in self._members.list_clients(member):
                each.close(KICKED)
        if act.rule is Rule.BAN:
            self._close_banned()

    def _close_banned(self) -> None:
        for each in self._members.list_all_clients():
            own = each.member
            found = self._state.bans.find(account=own.account, guest=own.id, address=each.address)
            if found is not None:
                each.tell("error", describe_ban(found), code="banned", until=found.ends)
                each.close(BANNED)
