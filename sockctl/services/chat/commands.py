"""The commands of the chat, and the parser of the lines that give them.

A line that doesn't begin with ``/`` is said as it is, and ``//x`` says ``/x``: the parser sees neither. The words
behind a command are those that its usage names. TEXT and WHY stand last and mean the rest of the line as it is, without
the one space before it. The handler of a command decides what the words mean (is there such a member?); `parse_room`,
`parse_duration`, `parse_count` and `parse_page` parse the words that have a form of their own.
"""

import datetime
import difflib
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from sockctl.errors import CommandError, NameRefusedError, RoomRefusedError, UnknownCommandError
from sockctl.protocol.names import MAX_NAME, normalize_name, same_name_key
from sockctl.services.chat.member import Client
from sockctl.text import plural, visible

Handler = Callable[[Client, Sequence[str]], None]
"""Carries out a command that a client gave, with the words behind it. Raises CommandError if it can't be."""
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
class Command:
    """One command.

    Attributes:
        name: Its name, without the ``/``.
        usage: How it is written; words in brackets may be left out.
        help: One sentence that says what it does.
        operators_only: Whether only operators know it.
        aliases: Its other names.
    """

    name: str
    usage: str
    help: str
    operators_only: bool = False
    aliases: tuple[str, ...] = ()

    @property
    def parameters(self) -> list[str]:
        """The words behind the name, as the usage has them."""
        return self.usage.split()[1:]


@dataclass(frozen=True, slots=True)
class Call:
    """A command as it was given, with the words behind it: as many as its usage allows, or fewer."""

    command: Command
    arguments: tuple[str, ...]


_FOR_A_TIME = "for a time such as 10m, 2h or 7d, or for good"
COMMANDS = (
    Command("nick", "/nick NAME", "Take another name."),
    Command("msg", "/msg NAME TEXT", "Say something to one member alone.", aliases=("tell",)),
    Command("reply", "/reply TEXT", "Answer who wrote to you alone last.", aliases=("r",)),
    Command("me", "/me TEXT", "Say what you do: /me waves."),
    Command(
        "who",
        "/who [ROOM] [PAGE]",
        "List who is in a room: in yours, if none is named. A large room is listed by pages; a bare number is a page.",
        aliases=("names",),
    ),
    Command("whois", "/whois NAME", "Tell what is known of a member."),
    Command("rooms", "/rooms [PAGE]", "List the rooms, 50 a page.", aliases=("list",)),
    Command("join", "/join ROOM", "Come into a room.", aliases=("j",)),
    Command("leave", "/leave [ROOM]", "Leave a room: yours, if none is named.", aliases=("part",)),
    Command("topic", "/topic [TEXT]", "Show the topic of your room, or set it."),
    Command("history", "/history [N]", "Show the last N messages of your room again."),
    Command("ignore", "/ignore [NAME]", "Hide what a member says; again: not any more; without a name: list them."),
    Command("quiet", "/quiet", "Hide who comes and goes; again: not any more."),
    Command("help", "/help [COMMAND]", "List the commands, or explain one.", aliases=("?",)),
    Command("quit", "/quit", "Leave the chat.", aliases=("exit",)),
    Command("kick", "/kick NAME [WHY]", "Put a member out, who may come back.", operators_only=True),
    Command("ban", "/ban NAME|ADDRESS [TIME]", f"Keep a member or an address out, {_FOR_A_TIME}.", operators_only=True),
    Command("unban", "/unban NAME|ADDRESS", "Let a member or an address in again.", operators_only=True),
    Command(
        "bans",
        "/bans [PAGE]",
        "List the bans, 50 a page: who or which address, by whom, since when, until when.",
        operators_only=True,
    ),
    Command("mute", "/mute NAME|ADDRESS [TIME]", f"Let a member read only, {_FOR_A_TIME}.", operators_only=True),
    Command("unmute", "/unmute NAME|ADDRESS", "Let a member speak again.", operators_only=True),
    Command("mutes", "/mutes [PAGE]", "List the mutes, as /bans lists the bans.", operators_only=True),
    Command("announce", "/announce TEXT", "Say something to everybody in every room.", operators_only=True),
)
_BY_WORD = {word: command for command in COMMANDS for word in (command.name, *command.aliases)}


def parse(line: str, *, operator: bool) -> Call:
    """Return the call that a line gives. Pure; any thread may call it.

    Args:
        line: The line, without its end; it begins with ``/``.
        operator: Whether an operator has typed it.

    Raises:
        UnknownCommandError: The member knows no such command; the error names the nearest one.
        CommandError: A word is missing, or there is one too many; the error shows the usage.
    """
    match = _COMMAND_LINE.fullmatch(line)
    assert match is not None  # noqa: S101  each line that begins with a slash matches
    command = _find_command(match[1], operator=operator)
    return Call(command, _split_arguments(command, match[2]))


def split_command(line: str) -> tuple[str, list[str]]:
    """Return the name of the command that a line gives, empty for none, and the first words behind it."""
    match = _COMMAND_LINE.fullmatch(line)
    command = None if match is None else _BY_WORD.get(match[1].lower())
    return ("", []) if match is None or command is None else (command.name, match[2].split(maxsplit=2))


def list_help(name: str | None, *, operator: bool) -> list[str]:
    """Return the help for one command, or the list of them all.

    Args:
        name: The command, with or without its ``/``; None for all.
        operator: Whether an operator asks.

    Raises:
        UnknownCommandError: The member that asks knows no such command.
    """
    if name is not None:
        command = _find_command(name.removeprefix("/"), operator=operator)
        also = [f"Also written {' or '.join(f'/{alias}' for alias in command.aliases)}."] if command.aliases else []
        return [f"{command.usage}: {command.help}", *also]
    listed = [command for command in COMMANDS if operator or not command.operators_only]
    width = max(len(command.usage) for command in listed)
    return [
        *(f"{command.usage:<{width}}  {command.help}" for command in listed),
        "Anything else is said to your room; begin with // to say something that begins with /.",
    ]


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
        raise CommandError(f"There {'is' if pages == 1 else 'are'} {plural(pages, 'page')} of {of}.")
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
    return f"#{same_name_key(name)}"


def _find_command(word: str, *, operator: bool) -> Command:
    key = word.lower()
    command = _BY_WORD.get(key)
    if command is not None and (operator or not command.operators_only):
        return command
    if not key:
        raise UnknownCommandError("A command has a name behind the /: /help lists them.")
    words = [own for own, known in _BY_WORD.items() if operator or not known.operators_only]
    nearest = difflib.get_close_matches(key[:MAX_NAME], words, n=1)
    advice = f"did you mean /{nearest[0]}?" if nearest else "/help lists the commands, and // begins a text with /."
    raise UnknownCommandError(f"There is no /{_shorten(word)}: {advice}")


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
    return visible(text[:MAX_NAME])
