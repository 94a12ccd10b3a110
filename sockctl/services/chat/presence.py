"""Away texts and typing marks: how members show that they are away, and that they type."""

import time
from collections.abc import Sequence

from sockctl.errors import CommandError
from sockctl.services.chat.effects import AwayChange, Typing
from sockctl.services.chat.member import Client, Member
from sockctl.services.chat.moderation import Moderation
from sockctl.services.chat.room_registry import RoomRegistry
from sockctl.services.chat.sequencer import Sequencer

MAX_AWAY = 100
"""Characters of an away text."""
TYPING_EVERY_S = 2.0
"""The shortest pause between two typing marks of a member that the chat passes on."""


class Presence:
    """Sets and ends away texts, and passes typing marks on. Any thread may use it; it never blocks."""

    def __init__(self, rooms: RoomRegistry, moderation: Moderation, sequencer: Sequencer) -> None:
        self._rooms = rooms
        self._moderation = moderation
        self._sequencer = sequencer

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
        self._set(member, text)

    def end_away(self, member: Member) -> None:
        """End the away text of a member that is back, and tell the member's clients."""
        self._set(member, "")

    def _set(self, member: Member, text: str) -> None:
        member.away = text  # at once: each text that the member says asks for it
        self._sequencer.order(AwayChange(member.id, text))

    def mark_typing(self, client: Client) -> None:
        """Broadcast a typing mark to the clients in a client's room that show it; a large room has none."""
        member, now = client.member, time.monotonic()
        room = self._rooms.find(client.room)
        if room is None or room.is_large or now - member.typed_at < TYPING_EVERY_S or self._moderation.is_muted(client):
            return
        member.typed_at = now
        self._sequencer.order(Typing(member.id, room.name))
