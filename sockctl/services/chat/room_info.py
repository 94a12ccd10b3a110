"""Tells clients about a room: its welcome, topic, members and history."""

from collections.abc import Sequence

from sockctl.protocol.messages import make_message
from sockctl.services.chat.audience import Audience
from sockctl.services.chat.history_entry import HistoryEntry, filter_ignored, replay_messages
from sockctl.services.chat.member import Client
from sockctl.services.chat.roll_call import LISTED_AT_ONCE, tell_who
from sockctl.services.chat.room_event import RoomEvent, encode_event, encode_for_wires
from sockctl.services.chat.state import ChatState
from sockctl.text import format_count

NAMES_AT_ONCE = 100
"""Names in one `members` message for a client that joins."""


class RoomInfo:
    """Tells clients about a room. Any thread may use it, but `welcome` belongs to the thread that processes the room.

    Args:
        name: The room's name.
        audience: Its members.
        state: Holds its topic.
        told_singly: The most members of a room that isn't large.
    """

    def __init__(self, name: str, audience: Audience, state: ChatState, *, told_singly: int) -> None:
        self._name = name
        self._audience = audience
        self._state = state
        self._told_singly = told_singly
        # Each assignment replaces one of these whole, so that they need no lock.
        self._listing: tuple[int, str | None, RoomEvent] | None = None  # for so many members, and that topic
        self._told_history: tuple[tuple[bool, bool, list[tuple[int, int]]], bytes] | None = None  # by wire, and lines

    def encode_listing(self) -> RoomEvent:
        """Return the room's line in a list of rooms; encode it anew only when members or topic have changed."""
        topic = self._state.find_topic(self._name)
        text = None if topic is None else topic.text
        count, known = len(self._audience), self._listing
        if known is None or known[:2] != (count, text):
            line = f"{self._name}: {format_count(count, 'member')}" + (f", {text}" if text else "")
            listing = encode_event(make_message("notice", line, code="room", room=self._name, count=count, topic=text))
            self._listing = known = (count, text, listing)
        return known[2]

    def tell_members(self, client: Client) -> None:
        """Tell a joining client the names of the members; of a large room, their number."""
        count = len(self._audience)
        if count > self._told_singly:
            text = f"In {self._name}: {count:,} members; /who lists them, {LISTED_AT_ONCE} a page."
            client.tell("members", text, room=self._name, members=[], count=count)
            return
        names = self._audience.list_names(to=client.member)
        for start in range(0, max(1, len(names)), NAMES_AT_ONCE):
            some = names[start : start + NAMES_AT_ONCE]
            more = start + NAMES_AT_ONCE < len(names)
            text = f"In {self._name}: {', '.join(some) or 'nobody'}{', …' if more else ''}"
            client.tell("members", text, room=self._name, members=some, more=more or None)

    def tell_who(self, client: Client, page: int | None = None) -> None:
        """Tell a client the members in order, with what they do: one page of them, or all.

        Raises:
            CommandError: There is no such page.
        """
        tell_who(client, self._name, self._audience.list_members(to=client.member), page)

    def welcome(self, client: Client, history: Sequence[HistoryEntry], *, missed: bool) -> None:
        """Tell a client that it has joined, the topic, the members and the history.

        Args:
            client: The client.
            history: The earlier messages for it.
            missed: Whether it has missed more than these.
        """
        name = self._name
        client.tell("joined", f"You are in {name}.", room=name, name=client.member.name)
        topic = self._state.find_topic(name)
        if topic is not None:
            client.tell("notice", f"The topic of {name} is: {topic.text}", code="topic", room=name, topic=topic.text)
        self.tell_members(client)
        if missed:
            text = f"More was said in {name} meanwhile: /history N shows as much of it as is remembered."
            client.tell("notice", text, code="missed", room=name)
        if heard := filter_ignored(history, client.member.ignored):
            client.reply_encoded(self._encode_history(heard, client))

    def _encode_history(self, entries: Sequence[HistoryEntry], client: Client) -> bytes:
        """Return history for a client's wire; encode it anew only if it isn't that of the last joining client."""
        framed, blocks = client.framed, client.shows_blocks
        key = (framed, blocks, [(one.id, one.lines) for one in entries])
        known = self._told_history
        if known is None or known[0] != key:
            encoded = map(encode_for_wires, replay_messages(entries, blocks=blocks))
            self._told_history = known = (key, b"".join([frame if framed else line for frame, line in encoded]))
        return known[1]

    def drop_told_history(self) -> None:
        """Free the memory of the history that was last encoded."""
        self._told_history = None
