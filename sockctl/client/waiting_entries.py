"""Entries that wait for the connection to come back."""

from sockctl.client.chat.belonging import room_key
from sockctl.client.chat.unconfirmed import find_returning_text
from sockctl.client.entry import Entry
from sockctl.client.session_events import Remark, SessionEvent, TextReturned
from sockctl.text import format_count, make_visible

MAX_ENTRIES = 50
MAX_BYTES = 16_384
_MOVES = frozenset({"/join", "/j", "/leave", "/part"})
"""The commands that change the room in which the user speaks."""
SHOWN_CHARACTERS = 500
"""Characters that the client shows of an entry that waits."""


class WaitingEntries:
    """Entries in their order, each with the room that it was meant for.

    Args:
        events: Where events are appended.
    """

    def __init__(self, events: list[SessionEvent]) -> None:
        self._events = events
        self._entries: list[tuple[Entry, str]] = []
        self._bytes = 0

    def add(self, entry: Entry, room: str) -> None:
        """Let an entry wait; give it back where there is no more place.

        Args:
            entry: The entry.
            room: The room in which the user speaks; empty if it isn't known.
        """
        size = len(entry.text.encode(errors="replace"))
        if not entry.text.strip():
            return
        if len(self._entries) >= MAX_ENTRIES or self._bytes + size > MAX_BYTES:
            self._events.append(TextReturned(entry.text, "Not sent, too much waits already"))
            return
        self._entries.append((entry, room))
        self._bytes += size
        more = f" (and {format_count(len(entry.lines) - 1, 'more line')})" if entry.is_block else ""
        self._events.append(Remark(f"waiting: {make_visible(entry.lines[0])[:SHOWN_CHARACTERS]}{more}", is_error=False))

    def take(self, room: str) -> list[Entry]:
        """Return the entries that are to be sent now, and give the others back.

        A text for another room than it was meant for comes back. So does all that follows a command that changes the
        room: whether it succeeds isn't known yet.

        Args:
            room: The room in which the user speaks now.
        """
        sent: list[Entry] = []
        is_moving = False
        for entry, meant in self._entries:
            word = entry.text.split()[0].lower()
            says = entry.is_block or bool(find_returning_text(entry.text))
            if is_moving:
                self._events.append(TextReturned(entry.text, "Not sent, behind a change of rooms"))
            elif says and room_key(meant) != room_key(room):
                why = f"Not sent, you are not in {make_visible(meant) or 'a room'} any more"
                self._events.append(TextReturned(entry.text, why))
            else:
                sent.append(entry)
                is_moving = word in _MOVES and not entry.is_block
        self._clear()
        return sent

    def give_back(self) -> None:
        """Give all entries back."""
        self._events += [TextReturned(entry.text, "Not sent") for entry, _ in self._entries]
        self._clear()

    def _clear(self) -> None:
        self._entries.clear()
        self._bytes = 0
