"""What members do: they say things, and give commands."""

from collections.abc import Callable, Sequence

from sockctl.errors import AnswerRefusedError, CommandError
from sockctl.events.chat import MemberRenamed
from sockctl.events.journal import Journal
from sockctl.events.reasons import DisconnectReason, Reason
from sockctl.protocol.messages import Message, message
from sockctl.protocol.names import MAX_NAME, checked_name, same_name_key
from sockctl.services.chat.clients import NOTHING, Client, RemoteClient
from sockctl.services.chat.commands import Call, help_lines, parse, parse_count, room_name, which_page
from sockctl.services.chat.history import COMING_BYTES, SHOWN, past_messages
from sockctl.services.chat.members import Member, Members
from sockctl.services.chat.moderation import Moderation
from sockctl.services.chat.reasons import BANNED, KICKED, PING_TIMEOUT
from sockctl.services.chat.room_registry import RoomRegistry
from sockctl.services.chat.rooms import Room
from sockctl.services.chat.store import ChatStore
from sockctl.stores.timestamps import format_timestamp, utc_now
from sockctl.text import plural

__all__ = ["MAX_JOINED", "CommandHandlers"]

MAX_TEXT_BYTES = 4_096
"""Bytes of what is said at once."""
MAX_COMMAND_BYTES = MAX_TEXT_BYTES + 128
"""Bytes of a command: what is said in one may have as many as any other text."""
LITTLE = 4_096
"""Characters that wait for what others say in the same round. More goes out alone: else the piece that each member is
sent would grow with the number of those who speak, beyond what an outbox may hold.
"""
MAX_TOPIC = 300
"""Characters of a topic."""
MAX_IGNORED = 100
ROOMS_AT_ONCE = 50
"""Rooms on a page."""
MAX_JOINED = 30
"""Rooms that a member is in: all clients of one address together can't take all that there may be."""
_WORDS = {
    DisconnectReason.CLIENT_RESET: "connection lost",
    DisconnectReason.CLIENT_VANISHED: "connection lost",
    PING_TIMEOUT: "connection lost",
    DisconnectReason.SLOW_READER: "too slow to read along",
    KICKED: "put out",
    BANNED: "banned",
    DisconnectReason.FLOODING: "flooding",
}
"""Why a member has left, for the others; any other reason is nobody's business."""


class CommandHandlers:
    """What members can do. Any thread may call it; nothing in it waits.

    Args:
        members: Who is here.
        rooms: The rooms.
        store: What survives a restart.
        moderation: What operators can do.
    """

    def __init__(self, members: Members, rooms: RoomRegistry, store: ChatStore, moderation: Moderation) -> None:
        self._members = members
        self._rooms = rooms
        self._store = store
        self._moderation = moderation
        self._journal: Journal
        self._does: dict[str, Callable[[Client, Sequence[str]], None]] = {
            "nick": self._nick,
            "msg": self._msg,
            "reply": self._reply,
            "me": self._me,
            "who": self._who,
            "whois": self._whois,
            "rooms": self._list_rooms,
            "join": self._join,
            "leave": self._leave,
            "topic": self._topic,
            "history": self._history,
            "ignore": self._ignore,
            "quiet": self._quiet,
            "help": self._help,
            "quit": self._quit,
            **self._moderation.commands,
        }

    def start(self, journal: Journal) -> None:
        """Tell events to `journal` from now on."""
        self._journal = journal
        self._moderation.start(journal)

    def take(self, place: Client, batch: Sequence[Message]) -> None:
        """Let a member say or do what its messages hold."""
        texts: list[str] = []
        for one in batch:
            if place.leaving:
                return  # by what came before
            if one.kind != "line" or not one.text.strip():
                continue
            if one.text.startswith("/") and not one.text.startswith("//"):
                self._say(place, texts)
                texts = []
                self._obey(place, one.text)
            else:
                texts.append(one.text.removeprefix("/"))
        self._say(place, texts)

    def enter(self, place: Client, name: str, *, new: bool, speaks: bool = True, most_bytes: int = COMING_BYTES) -> int:
        """Let a place into a room.

        Args:
            place: The place.
            name: The room.
            new: Whether its member wasn't in it.
            speaks: Whether it speaks there from now on; it does so anyway where it was in none.
            most_bytes: How much of what was said before it is told at most.

        Returns:
            How many bytes of it that are.

        Raises:
            CommandError: There is no such room, and it can't be made; or its member is in too many.
        """
        if len(rooms := self._members.rooms_of(place.member)) >= MAX_JOINED and name not in rooms:
            raise CommandError(f"You are in {MAX_JOINED} rooms: /leave one first.")
        room = self._rooms.opened(name, by=place)
        new = self._members.enter(place.member, name) or new
        if speaks or not place.room:
            place.room = name
        after = place.seen.pop(name, NOTHING) if isinstance(place, RemoteClient) else NOTHING
        then = None if place.room == name else _speaks_in(place.room)
        told = room.enter(place, new=new, after=after, then=then, most_bytes=most_bytes)
        self._soon(place, room)
        return told

    def tell_renamed(self, member: Member, before: str) -> None:
        """Tell the rooms of a member, or itself if it is in none, that it has another name now."""
        told = message("renamed", f"{before} is {member.name} now.", before=before, name=member.name)
        self._journal.emit(MemberRenamed(who=before, name_now=member.name))
        rooms = self._known(self._members.rooms_of(member))
        own = self._members.places_of(member)
        for room in rooms:
            room.rename(told, about=same_name_key(before), own=own)
            room.process_pending()
        if not rooms:
            for place in own:
                place.reply(told)

    def catch_up(self, place: Client) -> None:
        """Carry out now what is in line in a place's rooms."""
        for room in self._known(self._members.rooms_of(place.member)):
            room.process_pending()

    def part(self, place: Client, reason: Reason | None) -> None:
        """Let a place go.

        Args:
            place: The place.
            reason: Why its connection has ended; None where its member comes from another one now.
        """
        gone, rooms = self._members.leave(place)
        why = _WORDS.get(reason, "left") if reason is not None and gone else None
        for room in self._known(rooms):
            room.exit(place, reason=why)
            self._soon(place, room)

    def _soon(self, place: Client, room: Room) -> None:
        """Carry out what is in line: a moment later, so that many who speak, come or go at once make one piece."""
        if isinstance(place, RemoteClient):
            place.peer.call_soon(room.process_pending)
        else:
            room.process_pending()

    def _known(self, names: Sequence[str]) -> list[Room]:
        return [room for name in names if (room := self._rooms.find(name)) is not None]

    # Saying.

    def _say(self, place: Client, texts: Sequence[str], *, action: bool = False) -> None:
        if not texts:
            return
        try:
            room = self._room_of(place)
            self._refuse_muted(place)
        except CommandError as error:
            place.tell("error", str(error), code=error.code)
            return
        said = [text for text in texts if len(text) * 4 <= MAX_TEXT_BYTES or len(text.encode()) <= MAX_TEXT_BYTES]
        if len(said) < len(texts):
            place.tell("error", f"A text may have {MAX_TEXT_BYTES:,} bytes: it was not said.", code="too_long")
        if said:
            room.say(place, said, format_timestamp(utc_now()), action=action)
            if sum(map(len, said)) > LITTLE:
                room.process_pending()
            else:
                self._soon(place, room)

    def _room_of(self, place: Client) -> Room:
        room = self._rooms.find(place.room)
        if room is None:
            raise CommandError("You are in no room: /join one, such as #lobby.")
        return room

    def _refuse_muted(self, place: Client) -> None:
        if self._store.mutes_somebody and self._moderation.mute_of(place) is not None:
            raise CommandError("An operator lets you read only.")

    def _obey(self, place: Client, line: str) -> None:
        if len(line.encode()) > MAX_COMMAND_BYTES:
            text = f"A command may have {MAX_COMMAND_BYTES:,} bytes: it was not carried out."
            place.tell("error", text, code="too_long")
            return
        self.catch_up(place)  # what it is answered comes behind what it has said, and holds for it
        try:
            call = parse(line, operator=place.member.operator)
            if isinstance(call, Call):
                if place.is_backlogged and call.command.name != "quit":
                    _refuse_clogged()
                self._does[call.command.name](place, call.arguments)
        except (CommandError, AnswerRefusedError) as error:
            place.tell("error", str(error), code=error.code)

    # The commands.

    def _nick(self, place: Client, words: Sequence[str]) -> None:
        member = place.member
        self._refuse_muted(place)  # a name can say anything
        before = self._members.rename(member, checked_name(words[0]))
        if before != member.name:
            self.tell_renamed(member, before)

    def _msg(self, place: Client, words: Sequence[str]) -> None:
        self._write(place, self._members.get(words[0]), words[1])

    def _reply(self, place: Client, words: Sequence[str]) -> None:
        writer = place.member.answers
        if writer is None:
            raise CommandError("Nobody has written to you alone yet: /msg NAME TEXT begins.")
        member = self._members.of(writer)
        if member is None:
            raise CommandError(f"{writer.name} has left: what you wrote was sent to nobody.")
        self._write(place, member, words[0])

    def _write(self, place: Client, member: Member, text: str) -> None:
        self._refuse_muted(place)
        if len(text.encode()) > MAX_TEXT_BYTES:
            raise CommandError(f"A text may have {MAX_TEXT_BYTES:,} bytes: it was not said.")
        sender = place.member
        at = format_timestamp(utc_now())
        one = message("say", text, private=True, sender=sender.name, to=member.name, at=at)
        if sender.key not in member.ignored:
            member.answers = sender.identity
            for other in self._members.places_of(member):
                other.post(one)
        for own in self._members.places_of(sender):
            if own.framed and member is not sender:
                own.post(one)

    def _me(self, place: Client, words: Sequence[str]) -> None:
        self._say(place, words, action=True)

    def _who(self, place: Client, words: Sequence[str]) -> None:
        name, page = which_page(words)
        room = self._rooms.find(room_name(name)) if name else self._room_of(place)
        if room is None:
            raise CommandError(f"There is no room {room_name(name)}: /rooms lists those that there are.")
        if page or room.is_crowded:
            room.tell_page(place, page or 1)
        else:
            room.tell_members(place)

    def _whois(self, place: Client, words: Sequence[str]) -> None:
        member = self._members.get(words[0])
        rooms = self._members.rooms_of(member)
        who = f"logged in as {member.account}" if member.account else "a guest"
        text = (
            f"{member.name} is {who}, here since {member.since:%Y-%m-%d %H:%M} UTC, in {', '.join(rooms) or 'no room'}."
        )
        addresses = None
        if place.member.operator:
            addresses = sorted({one.address for one in self._members.places_of(member) if one.address})
            text += f" At {', '.join(addresses) or 'the terminal of the server'}."
        place.tell(
            "notice",
            text,
            code="whois",
            name=member.name,
            account=member.account or None,
            since=format_timestamp(member.since),
            rooms=rooms,
            addresses=addresses,
        )

    def _list_rooms(self, place: Client, words: Sequence[str]) -> None:
        """List a page of the rooms, of each what was encoded for whoever asked last."""
        rooms = self._rooms.all()
        page, pages = parse_count(words[0], of="pages") if words else 1, -(-len(rooms) // ROOMS_AT_ONCE)
        if page > pages:
            raise CommandError(f"There {'is' if pages == 1 else 'are'} {plural(pages, 'page')} of rooms.")
        listed = [room.listing() for room in rooms[(page - 1) * ROOMS_AT_ONCE : page * ROOMS_AT_ONCE]]
        place.reply_encoded(b"".join([one.frame if place.framed else one.line for one in listed]))
        if page < pages:
            text = f"That is page {page} of {pages}: /rooms {page + 1} goes on."
            place.tell("notice", text, code="rooms", page=page, pages=pages)

    def _join(self, place: Client, words: Sequence[str]) -> None:
        name = room_name(words[0])
        if name in self._members.rooms_of(place.member):
            self._members.enter(place.member, name)  # it speaks there from now on
            place.room = name
            place.reply(_speaks_in(name))
            return
        self.enter(place, name, new=True)  # first, so that those who are not watched yet find it among their rooms
        for own in self._members.places_of(place.member):
            if own is place:
                continue
            if own.is_backlogged:
                own.close(DisconnectReason.SLOW_READER)  # what it is told unasked must not fill the memory
            elif own.watched:
                self._bring(own, name)

    def _bring(self, place: Client, name: str) -> None:
        """Let a place hear a room that its member has joined from another one; it speaks where it did."""
        self.enter(place, name, new=False, speaks=False)
        room = self._rooms.find(name)
        if room is not None and place not in self._members.places_of(place.member):  # it has left meanwhile
            room.exit(place, reason=None)
            self._soon(place, room)

    def _leave(self, place: Client, words: Sequence[str]) -> None:
        member = place.member
        name = room_name(words[0]) if words else place.room
        if name not in self._members.rooms_of(member):
            raise CommandError(f"You are not in {name}." if name else "You are in no room.")
        room = self._rooms.find(name)
        places = self._members.places_of(member)  # first: who leaves from here on doesn't know that it was in there
        self._members.exit(member, name)
        left = self._members.rooms_of(member)
        own = message("left", f"You left {name}.", room=name, name=member.name)
        others = [each for each in places if each is not place]
        for each in (*others, place):  # itself at the end: its other places needn't hear that it left
            if room is not None:
                room.exit(each, reason="left" if each is place else None)
            send = each.reply if each is place else each.post
            send(own)
            if each.room == name:
                each.room = left[-1] if left else ""
                if each is not place and each.room:
                    send(_speaks_in(each.room))
        if room is not None:
            room.process_pending()
        if place.room:
            place.reply(_speaks_in(place.room))

    def _topic(self, place: Client, words: Sequence[str]) -> None:
        room, by = self._room_of(place), place.member
        if not words:
            known = self._store.topic(room.name)
            text = f"The topic of {room.name} is: {known.text}" if known else f"{room.name} has no topic."
            place.tell("notice", text, code="topic", room=room.name, topic=known.text if known else "")
            return
        self._refuse_muted(place)
        topic = words[0].strip()
        if len(topic) > MAX_TOPIC:
            raise CommandError(f"A topic may have {MAX_TOPIC} characters: it was not set.")
        self._store.set_topic(room.name, topic, by=by.name, rooms={each.name for each in self._rooms.all()})
        text = f"{by.name} set the topic of {room.name}: {topic}"
        room.tell(message("notice", text, code="topic", room=room.name, topic=topic), about=by.key)
        room.process_pending()

    def _history(self, place: Client, words: Sequence[str]) -> None:
        room = self._room_of(place)
        past = room.past(parse_count(words[0]) if words else SHOWN, without=place.member.ignored)
        if not past:
            place.tell("notice", f"Nothing that was said in {room.name} is remembered.", code="history", room=room.name)
        place.replay(past_messages(past, again=True))

    def _ignore(self, place: Client, words: Sequence[str]) -> None:
        member = place.member
        if not words:
            ignored = ", ".join(sorted(member.ignored))
            place.tell("notice", f"You ignore {ignored or 'nobody'}.", code="ignore", ignored=sorted(member.ignored))
            return
        if len(words[0]) > MAX_NAME:
            raise CommandError(f"No name has more than {MAX_NAME} characters.")
        key = same_name_key(words[0])
        if key == member.key:
            raise CommandError("You can't ignore yourself.")
        if key not in member.ignored and len(member.ignored) >= MAX_IGNORED:
            raise CommandError(f"You ignore {MAX_IGNORED} members already.")
        member.ignored ^= {key}
        does = "ignore" if key in member.ignored else "don't ignore"
        place.tell("notice", f"You {does} {key} now.", code="ignore", ignored=sorted(member.ignored))

    def _quiet(self, place: Client, _: Sequence[str]) -> None:
        member = place.member
        member.quiet = not member.quiet
        place.tell("notice", f"You {'are not' if member.quiet else 'are'} told who comes and goes now.", code="quiet")

    def _help(self, place: Client, words: Sequence[str]) -> None:
        for line in help_lines(words[0] if words else None, operator=place.member.operator):
            place.tell("notice", line, code="help")

    def _quit(self, place: Client, _: Sequence[str]) -> None:
        if isinstance(place, RemoteClient):
            place.finish_answer()
        place.close(DisconnectReason.SERVER_CLOSED)


def _speaks_in(room: str) -> Message:
    return message("notice", f"You speak in {room} now.", code="room", room=room)


def _refuse_clogged() -> None:
    """Refuse a command: its answer would only add to what waits.

    Raises:
        CommandError: Always.
    """
    raise CommandError("You don't read what you are sent: the command was not carried out.")
