"""The handlers of the members' commands."""

from collections.abc import Sequence

from sockctl.errors import CommandError
from sockctl.events.reasons import DisconnectReason
from sockctl.protocol.names import MAX_NAME, check_name, make_name_key
from sockctl.services.chat.clients import RemoteClient
from sockctl.services.chat.command_table import list_help
from sockctl.services.chat.commands import (
    Handler,
    parse_count,
    parse_page,
    parse_room,
    select_page,
    tell_next_page,
)
from sockctl.services.chat.effects import Preferences, PrivateText, TopicChange
from sockctl.services.chat.history import SHOWN
from sockctl.services.chat.history_entry import replay_messages
from sockctl.services.chat.member import Client, Member, make_user_id
from sockctl.services.chat.members import Members
from sockctl.services.chat.membership import Membership
from sockctl.services.chat.moderation import Moderation
from sockctl.services.chat.presence import Presence
from sockctl.services.chat.roll_call import count_idle_s
from sockctl.services.chat.room_registry import RoomRegistry
from sockctl.services.chat.sequencer import Names, Sequencer
from sockctl.services.chat.state import ChatState
from sockctl.services.chat.text_limits import refuse_long
from sockctl.stores.timestamps import format_timestamp, read_utc_clock

MAX_TOPIC = 300
"""Characters of a topic."""
MAX_IGNORED = 100
"""Members that one member ignores."""


class CommandHandlers:
    """Runs the members' commands. Any thread may call the handlers; they never block.

    Attributes:
        handlers: The handler of each command, by its name.
    """

    def __init__(
        self,
        members: Members,
        rooms: RoomRegistry,
        state: ChatState,
        membership: Membership,
        moderation: Moderation,
        *,
        presence: Presence,
        sequencer: Sequencer,
        names: Names,
    ) -> None:
        self._members = members
        self._rooms = rooms
        self._state = state
        self._membership = membership
        self._moderation = moderation
        self._presence = presence
        self._sequencer = sequencer
        self._names = names
        self.handlers: dict[str, Handler] = {
            "nick": self._change_name,
            "msg": self._send_private,
            "reply": self._reply_private,
            "who": self._list_members,
            "whois": self._describe_member,
            "rooms": self._list_rooms,
            "join": self._join,
            "leave": self._leave,
            "topic": self._show_or_set_topic,
            "history": self._replay_history,
            "ignore": self._toggle_ignored,
            "quiet": self._toggle_quiet,
            "away": presence.set_away,
            "help": self._tell_help,
            "quit": self._quit,
        }

    # Names and private messages.

    def _change_name(self, client: Client, words: Sequence[str]) -> None:
        self._moderation.refuse_muted(client)  # a name can say anything
        self._names.rename(client, check_name(words[0]))

    def _send_private(self, client: Client, words: Sequence[str]) -> None:
        self._write(client, self._members.get(words[0]), words[1])

    def _reply_private(self, client: Client, words: Sequence[str]) -> None:
        writer = client.member.reply_to
        if writer is None:
            raise CommandError("Nobody has written to you alone yet: /msg NAME TEXT begins.")
        member = self._members.find_id(writer.id)
        if member is None:
            raise CommandError(f"{writer.name} has left: what you wrote was sent to nobody.")
        self._write(client, member, words[0])

    def _write(self, client: Client, member: Member, text: str) -> None:
        if not member.operator:  # a muted member may ask an operator why
            self._moderation.refuse_muted(client)
        refuse_long(text)
        sender = client.member
        if sender.away:
            self._presence.end_away(sender)
        at = format_timestamp(read_utc_clock())
        self._sequencer.order(PrivateText(sender.identity, sender.author_key, member.id, text, at), by=client)
        if member.away and member is not sender:
            text = f"{member.name} is away: {member.away}"
            client.tell("notice", text, code="away", name=member.name, away=member.away)

    # Members and rooms.

    def _list_members(self, client: Client, words: Sequence[str]) -> None:
        name, page = parse_page(words)
        room = self._rooms.find(parse_room(name)) if name else self._rooms.get_current(client)
        if room is None:
            raise CommandError(f"There is no room {parse_room(name)}: /rooms lists those that there are.")
        room.info.tell_who(client, page or (1 if room.is_large else None))

    def _describe_member(self, client: Client, words: Sequence[str]) -> None:
        member = self._members.get(words[0])
        rooms = self._members.list_rooms(member)
        kind = "the operator at the server's terminal" if member.operator else "a guest"
        who = f"logged in as {member.account}" if member.account else kind
        since = f"{member.since:%Y-%m-%d %H:%M} UTC"
        text = f"{member.name} is {who}, here since {since}, in {', '.join(rooms) or 'no room'}."
        if member.away:
            text += f" Away: {member.away}"
        addresses = None
        if client.member.operator:
            addresses = sorted(self._members.list_addresses(member))
            text += f" At {', '.join(addresses)}." if addresses else ""
        client.tell(
            "notice",
            text,
            code="whois",
            name=member.name,
            account=member.account or None,
            since=format_timestamp(member.since),
            rooms=rooms,
            away=member.away or None,
            idle_s=count_idle_s(member),
            addresses=addresses,
        )

    def _list_rooms(self, client: Client, words: Sequence[str]) -> None:
        rooms = self._rooms.list_all()
        number, some = select_page(rooms, words, of="rooms")
        listed = [room.info.encode_listing() for room in some]
        client.reply_encoded(b"".join([one.frame if client.framed else one.line for one in listed]))
        tell_next_page(client, number, rooms, command="rooms")

    def _join(self, client: Client, words: Sequence[str]) -> None:
        self._membership.join(client, parse_room(words[0]))

    def _leave(self, client: Client, words: Sequence[str]) -> None:
        self._membership.leave(client, parse_room(words[0]) if words else client.room)

    def _show_or_set_topic(self, client: Client, words: Sequence[str]) -> None:
        room, by = self._rooms.get_current(client), client.member
        if not words:
            known = self._state.find_topic(room.name)
            text = f"The topic of {room.name} is: {known.text}" if known else f"{room.name} has no topic."
            client.tell("notice", text, code="topic", room=room.name, topic=known.text if known else "")
            return
        self._moderation.refuse_muted(client)
        topic = words[0].strip()
        if len(topic) > MAX_TOPIC:
            raise CommandError(f"Your topic has {len(topic):,} characters: {MAX_TOPIC} fit. It was not set.")
        known = self._state.make_topic(topic, by=by.name)
        self._sequencer.order(TopicChange(room.name, known, by.name, by.author_key), by=client)

    def _replay_history(self, client: Client, words: Sequence[str]) -> None:
        room = self._rooms.get_current(client)
        entries = room.list_history(parse_count(words[0]) if words else SHOWN, without=client.member.ignored)
        if not entries:
            text = f"Nothing that was said in {room.name} is remembered."
            client.tell("notice", text, code="history", room=room.name)
        client.replay(replay_messages(entries, again=True, blocks=client.shows_blocks))

    # A member's own preferences.

    def _toggle_ignored(self, client: Client, words: Sequence[str]) -> None:
        member = client.member
        if not words:
            ignored = ", ".join(sorted(member.ignored))
            client.tell("notice", f"You ignore {ignored or 'nobody'}.", code="ignore", ignored=sorted(member.ignored))
            return
        if len(make_name_key(words[0])) > MAX_NAME:
            raise CommandError(f"No name has more than {MAX_NAME} characters.")
        key, shown = self._find_author(words[0], member)
        if key not in member.ignored and len(member.ignored) >= MAX_IGNORED:
            raise CommandError(f"You ignore {MAX_IGNORED} members already.")
        member.ignored ^= {key}
        self._sequencer.order(Preferences(member.id, member.ignored, member.quiet))
        does = "ignore" if key in member.ignored else "don't ignore"
        client.tell("notice", f"You {does} {shown} now.", code="ignore", ignored=sorted(member.ignored))

    def _find_author(self, word: str, own: Member) -> tuple[str, str]:
        """Return the author key that a name means to a member, and its form for a person.

        The name may be one that the member ignores already, that of a member who is here or left lately, or any other.
        """
        key = make_name_key(word)
        found = None
        if key not in own.ignored:
            account = make_user_id(key)
            found = self._members.find(word) or self._members.find_id(account) or self._members.find_departed(word)
        if found is own:
            raise CommandError("You can't ignore yourself.")
        if found is None:
            return key, key
        known = f" (account {found.account})" if found.account not in {"", found.key} else ""
        return found.author_key, f"{found.name}{known}"

    def _toggle_quiet(self, client: Client, _: Sequence[str]) -> None:
        member = client.member
        member.quiet = not member.quiet
        self._sequencer.order(Preferences(member.id, member.ignored, member.quiet))
        client.tell("notice", f"You {'are not' if member.quiet else 'are'} told who comes and goes now.", code="quiet")

    # Help and the end.

    def _tell_help(self, client: Client, words: Sequence[str]) -> None:
        name = words[0] if words else None
        for line in list_help(name, operator=client.member.operator, wraps=not client.framed):
            client.tell("notice", line, code="help")

    def _quit(self, client: Client, _: Sequence[str]) -> None:
        if isinstance(client, RemoteClient):
            client.finish_replay()
        client.leaving = self._sequencer.flush(client, lambda: client.close(DisconnectReason.SERVER_CLOSED)) > 0
        if not client.leaving:
            client.close(DisconnectReason.SERVER_CLOSED)
