"""Completes words at Tab: names, commands after ``/``, rooms after ``#``, as IRC clients do."""

from sockctl.client.chat.roster import Roster
from sockctl.protocol.names import make_name_key

_NAMES = (
    "away help history ignore join leave logout me msg nick quiet quit reply rooms topic who whois"
    " bell clear last"  # the client's own
)
_OPERATORS_NAMES = "announce ban bans kick mute mutes unban unmute"
COMMANDS = tuple(sorted(_NAMES.split()))
OPERATORS_COMMANDS = tuple(_OPERATORS_NAMES.split())
_OF_NAMES = frozenset(["/msg", "/tell", "/whois", "/ignore", "/kick", "/ban", "/mute"])
_OF_ROOMS = frozenset(["/join", "/j", "/leave", "/part", "/who", "/names"])
_OF_COMMANDS = frozenset(["/help", "/?"])


def find_completions(before: str, roster: Roster) -> tuple[str, list[str]]:
    """Return the word before the cursor, and the words that it may become; none outside of a room.

    A command says what its first word is: a name, a room or a command. Then that word may be empty.

    Args:
        before: The line up to the cursor.
        roster: The names and rooms.
    """
    words = before.split(" ")
    word = words[-1]
    command = words[0].lower() if len(words) == 2 and before.startswith("/") else ""  # noqa: PLR2004  it and its word
    if not roster.rooms or not (word or command):
        return word, []
    begins = word == before
    if begins and word.startswith("/"):
        return word, [f"/{name} " for name in _commands(roster) if name.startswith(word[1:].lower())]
    if command in _OF_COMMANDS:
        return word, [f"{name} " for name in _commands(roster) if name.startswith(word.removeprefix("/").lower())]
    if word.startswith("#") or command in _OF_ROOMS:
        key = word.removeprefix("#").lower()
        names = sorted(room.removeprefix("#") for room in roster.rooms)
        return word, [f"#{name} " for name in names if name.lower().startswith(key)]
    if not word and command not in _OF_NAMES:
        return word, []
    key, end = make_name_key(word), ": " if begins else " "
    return word, [name + end for name in roster.others if make_name_key(name).startswith(key)]


def _commands(roster: Roster) -> list[str]:
    return sorted([*COMMANDS, *OPERATORS_COMMANDS]) if roster.is_operator else [*COMMANDS]
