"""The parser of command lines, and of the words behind a command.

`sockctl.protocol.said_text` tells texts from commands. A command's usage names the words that follow the command. TEXT
and WHY stand last and mean the rest of the line, without the one space before it. The handler of a command decides what
the words mean (is there such a member?); `parse_room`, `parse_duration`, `parse_count` and `parse_page` parse the words
that have a form of their own.
"""

import datetime
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from sockctl.errors import CommandError, NameRefusedError, RoomRefusedError
from sockctl.protocol.names import MAX_NAME, make_name_key, normalize_name
from sockctl.services.chat.command_table import BY_WORD, Command, find_command
from sockctl.services.chat.member import Client
from sockctl.text import format_count, is_whole_number, make_visible

Handler = Callable[[Client, Sequence[str]], None]
"""Runs a client's command, given the client and the words behind the command. Raises CommandError if it refuses."""
PAGE_LINES = 50
"""Lines on one page of a long list."""
T = TypeVar("T")
LOBBY = "#lobby"
"""The room that every member joins first, where the chat has no rooms of its own."""
LONGEST = datetime.timedelta(days=365)
"""The longest time of a ban or mute that ends."""
_UNITS_S = {"s": 1, "m": 60, "": 60, "h": 3_600, "d": 86_400}
_DURATION = re.compile(r"([0-9]{1,9})([smhd]?)")
_COUNT = re.compile(r"0*([1-9][0-9]*)")
_LARGEST = 10**9
_COMMAND_LINE = re.compile(r"/([^ \t]*)[ \t]?(.*)", re.DOTALL)
_WORD = re.compile(r"[ \t]*([^ \t]+)[ \t]?")
_REST_OF_LINE = frozenset({"TEXT", "WHY"})


@dataclass(frozen=True, slots=True)
class Call:
    """A command that a member gave, and the words behind it: as many as its usage allows, or fewer."""

    command: Command
    arguments: tuple[str, ...]


def parse(line: str, *, operator: bool) -> Call:
    """Return the call that a line makes. Pure; any thread may call it.

    Args:
        line: The line, without its end; it begins with ``/``.
        operator: Whether an operator has typed it.

    Raises:
        UnknownCommandError: The member may use no such command; the error names the nearest one.
        CommandError: A word is missing, or there is one too many; the error shows the usage.
    """
    match = _COMMAND_LINE.fullmatch(line)
    assert match is not None  # noqa: S101  each line that begins with a slash matches
    command = find_command(match[1], operator=operator)
    return Call(command, _split_arguments(command, match[2]))


def split_command(line: str) -> tuple[str, list[str]]:
    """Return the name of a line's command, empty for none, and the first words behind it."""
    match = _COMMAND_LINE.fullmatch(line)
    command = None if match is None else BY_WORD.get(match[1].lower())
    return ("", []) if match is None or command is None else (command.name, match[2].split(maxsplit=2))


def parse_duration(text: str) -> datetime.timedelta:
    """Return the time that ``90s``, ``10m``, ``2h`` or ``7d`` means; a bare number counts minutes.

    The time is at least a second and at most LONGEST; its one unit may be in either case.

    Raises:
        CommandError: The text is no such time; the error shows examples.
    """
    match = _DURATION.fullmatch(text.lower())
    seconds = int(match[1]) * _UNITS_S[match[2]] if match else 0
    if not 1 <= seconds <= LONGEST.total_seconds():
        raise CommandError(
            f"{_shorten(text)!r} is no time: write 90s, 10m, 2h or 7d, a year ({LONGEST.days}d) at most; a bare number "
            f"counts minutes."
        )
    return datetime.timedelta(seconds=seconds)


def parse_term(words: Sequence[str]) -> tuple[datetime.timedelta | None, str]:
    """Return the time, None for none, and the reason that the words ``[TIME] [WHY]`` give; a time begins with a digit.

    Raises:
        CommandError: The first word begins with a digit, and is no time.
    """
    if words and is_whole_number(words[0][:1]):
        return parse_duration(words[0]), " ".join(words[1:]).strip()
    return None, " ".join(words).strip()


def parse_count(text: str, *, of: str = "messages") -> int:
    """Return the whole number from 1 on that a text means; a very large one means the largest.

    Args:
        text: The text.
        of: The things counted, for the error.

    Raises:
        CommandError: The text is no such number.
    """
    match = _COUNT.fullmatch(text)
    if match is None:
        raise CommandError(f"{_shorten(text)!r} is no number of {of}: write one from 1 on, such as 20.")
    return int(match[1]) if len(match[1]) < len(str(_LARGEST)) else _LARGEST


def parse_page(words: Sequence[str]) -> tuple[str, int]:
    """Return the room and the page that the words behind ``/who`` name; empty, and 0, where they name none.

    Raises:
        CommandError: The page is no number.
    """
    if len(words) == 1 and not re.fullmatch("[0-9]+", words[0]):
        return words[0], 0
    return (words[0] if len(words) > 1 else ""), (parse_count(words[-1], of="pages") if words else 0)


def select_page(items: Sequence[T], words: Sequence[str], *, of: str) -> tuple[int, Sequence[T]]:
    """Return the number of the page that a command's words ask for, and its items.

    Args:
        items: All items, one at least.
        words: The number of the page; none for the first.
        of: What is listed, such as ``rooms``.

    Raises:
        CommandError: There is no such page.
    """
    number, pages = parse_count(words[0], of="pages") if words else 1, -(-len(items) // PAGE_LINES)
    if number > pages:
        raise CommandError(f"There {'is' if pages == 1 else 'are'} {format_count(pages, 'page')} of {of}.")
    return number, items[(number - 1) * PAGE_LINES : number * PAGE_LINES]


def tell_next_page(client: Client, number: int, items: Sequence[T], *, command: str) -> None:
    """Tell a client which command shows the next page, if there is one."""
    pages = -(-len(items) // PAGE_LINES)
    if number < pages:
        text = f"That is page {number} of {pages}: /{command} {number + 1} goes on."
        client.tell("notice", text, code=command, page=number, pages=pages)


def parse_room(text: str) -> str:
    """Return the one form of a room's name, such as ``#lobby``; members may type it without ``#``, and in any case.

    Raises:
        RoomRefusedError: The name breaks the rule for names. No name is reserved for a room.
    """
    try:
        name = normalize_name(text.strip().removeprefix("#"), of="a room", example="#lobby")
    except NameRefusedError as error:
        raise RoomRefusedError(str(error)) from error
    return f"#{make_name_key(name)}"


def _split_arguments(command: Command, rest: str) -> tuple[str, ...]:
    words: list[str] = []
    for parameter in command.parameters:
        if not rest.strip():
            if not parameter.startswith("["):
                raise CommandError(f"Something is missing: write {command.usage}")
            break
        if parameter.strip("[]") in _REST_OF_LINE:
            words.append(rest)
            return tuple(words)
        match = _WORD.match(rest)
        assert match is not None  # noqa: S101  there is more than space
        words.append(match[1])
        rest = rest[match.end() :]
    if rest.strip():
        raise CommandError(f"That is too much: write {command.usage}")
    return tuple(words)


def _shorten(text: str) -> str:
    return make_visible(text[:MAX_NAME])
