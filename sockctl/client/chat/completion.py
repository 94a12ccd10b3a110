"""Completes words at Tab: names, commands after ``/``, rooms after ``#``, as IRC clients do."""

from sockctl.client.chat.roster import Roster
from sockctl.protocol.names import same_name_key

_NAMES = "help history ignore join leave me msg nick quiet quit reply rooms topic who whois"
COMMANDS = tuple(_NAMES.split())


def completions(before: str, roster: Roster) -> tuple[str, list[str]]:
    """Return the word before the cursor, and the words that it may become; none outside of a room.

    Args:
        before: The line up to the cursor.
        roster: The names and rooms.
    """
    word = before[before.rfind(" ") + 1 :]
    if not word or not roster.rooms:
        return word, []
    begins = word == before
    if begins and word.startswith("/"):
        return word, [f"/{name} " for name in COMMANDS if name.startswith(word[1:].lower())]
    if word.startswith("#"):
        rooms = sorted(f"#{room.lstrip('#')} " for room in roster.rooms)
        return word, [room for room in rooms if room.lower().startswith(word.lower())]
    key, end = same_name_key(word), ": " if begins else " "
    return word, [name + end for name in roster.others if same_name_key(name).startswith(key)]
