"""Away texts and typing marks: how members show that they are away, and that they type."""

import time
from collections.abc import Sequence

from sockctl.errors import CommandError
from sockctl.protocol.frames import encode_frame
from sockctl.protocol.messages import encode_message, make_message
from sockctl.services.chat.member import Client, Member
from sockctl.services.chat.members import Members
from sockctl.services.chat.moderation import Moderation
from sockctl.services.chat.room_event import RoomEvent
from sockctl.services.chat.room_registry import RoomRegistry

MAX_AWAY = 100
"""Characters of an away text."""
TYPING_EVERY_S = 2.0
"""The shortest pause between two typing marks of a member that the chat passes on."""


class Presence:
    """Sets and ends away texts, and passes typing marks on. Any thread may use it; it never blocks."""

    def __init__(self, members: Members, rooms: RoomRegistry, moderation: Moderation) -> None:
        self._members = members
        self._rooms = rooms
        self._moderation = moderation

    def set_away(self, client: Client, words: Sequence[str]) -> None:
        """Run ``/away``."""
        member = client.member
        text = words[0].strip() if words else ""
        if not text:
            if member.away:
                self.end_away(member)
            else:
                client.tell("notice", "You are not away: /away TEXT says that you are.", code="away", away="")
            return
        self._moderation.refuse_muted(client)  # the text can say anything
        if len(text) > MAX_AWAY:
            raise CommandError(f"Your away text has {len(text):,} characters: {MAX_AWAY} fit. It was not set.")
        member.away = text
        self._tell_own(member, f"You are away: {text}")

    def end_away(self, member: Member) -> None:
        """End the away text of a member that is back, and tell the member's clients."""
        member.away = ""
        self._tell_own(member, "You are back.")

    def _tell_own(self, member: Member, text: str) -> None:
        for client in self._members.list_clients(member):
            client.post(make_message("notice", text, code="away", away=member.away))

    def mark_typing(self, client: Client) -> None:
        """Broadcast a typing mark to the clients in a client's room that show it; a large room has none."""
        member, now = client.member, time.monotonic()
        room = self._rooms.find(client.room)
        if room is None or room.is_large or now - member.typed_at < TYPING_EVERY_S or self._moderation.is_muted(client):
            return
        member.typed_at = now
        one = make_message("typing", f"{member.name} is typing.", room=room.name, sender=member.name)
        room.enqueue(
            RoomEvent(encode_frame(encode_message(one)), b"", sender=client, key=member.author_key, typing=True)
        )
        room.process_soon(client)
