"""The commands of the chat: which there are, and what a typed line means.

A line that doesn't begin with ``/`` is said as it is, and ``//x`` says ``/x``. The words behind a command are what its
usage names; TEXT and WHY stand last and take the rest of the line as it is, without the one space before it. What the
words mean (is there such a member?) is for whoever carries the command out; `room_name`, `parse_duration` and
`parse_count` read those that have a form of their own.
"""

import datetime
import difflib
import re
from collections.abc import Sequence
from dataclasses import dataclass

from sockctl.errors import CommandError, NameRefusedError, RoomRefusedError, UnknownCommandError
from sockctl.protocol.names import MAX_NAME, RESERVED, checked_name, same_name_key
from sockctl.text import visible

__all__ = [
    "COMMANDS",
    "LOBBY",
    "Call",
    "Command",
    "Said",
    "called",
    "help_lines",
    "parse",
    "parse_count",
    "parse_duration",
    "room_name",
    "which_page",
]

LOBBY = "#lobby"
"""The room that every member joins first, where the chat has no rooms of its own."""
LONGEST = datetime.timedelta(days=365)
"""No ban or mute with an end lasts longer."""
_UNITS_S = {"s": 1, "m": 60, "": 60, "h": 3_600, "d": 86_400}
_DURATION = re.compile(r"([0-9]{1,9})([smhd]?)")
_COUNT = re.compile(r"0*([1-9][0-9]*)")
_LARGEST = 10**9
_COMMAND_LINE = re.compile(r"/([^ \t]*)[ \t]?(.*)", re.DOTALL)
_WORD = re.compile(r"[ \t]*([^ \t]+)[ \t]?")
_TAKE_THE_REST = frozenset({"TEXT", "WHY"})


@dataclass(frozen=True, slots=True)
class Command:
    """One command.

    Attributes:
        name: Its name, without the ``/``.
        usage: How it is written; what stands in brackets may be left out.
        help: One sentence that says what it does.
        operators_only: Whether it is unknown to everybody else.
        aliases: Other names for it.
    """

    name: str
    usage: str
    help: str
    operators_only: bool = False
    aliases: tuple[str, ...] = ()

    @property
    def parameters(self) -> list[str]:
        """What follows the name, as the usage has it."""
        return self.usage.split()[1:]


@dataclass(frozen=True, slots=True)
class Said:
    """A line that is said to the room."""

    text: str


@dataclass(frozen=True, slots=True)
class Call:
    """A command that was given, with the words behind it: as many as its usage allows; those left out are missing."""

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
    Command("mute", "/mute NAME|ADDRESS [TIME]", f"Let a member read only, {_FOR_A_TIME}.", operators_only=True),
    Command("unmute", "/unmute NAME|ADDRESS", "Let a member speak again.", operators_only=True),
    Command("announce", "/announce TEXT", "Say something to everybody in every room.", operators_only=True),
)
_BY_WORD = {word: command for command in COMMANDS for word in (command.name, *command.aliases)}


def parse(line: str, *, operator: bool) -> Said | Call:
    """Return what a typed line means. Pure; any thread may call it.

    Args:
        line: The line, without its end.
        operator: Whether an operator has typed it.

    Raises:
        UnknownCommandError: There is no such command for whoever typed it; the error names the nearest one.
        CommandError: A word is missing, or there is one too many; the error shows the usage.
    """
    if not line.startswith("/"):
        return Said(line)
    if line.startswith("//"):
        return Said(line[1:])
    match = _COMMAND_LINE.fullmatch(line)
    assert match is not None  # noqa: S101  it fits whatever begins with a slash
    command = _found(match[1], operator=operator)
    return Call(command, _arguments(command, match[2]))


def called(line: str) -> tuple[str, list[str]]:
    """Return the name of the command that a line gives, empty if there is none, and the first words behind it."""
    match = _COMMAND_LINE.fullmatch(line)
    command = None if match is None else _BY_WORD.get(match[1].lower())
    return ("", []) if match is None or command is None else (command.name, match[2].split(maxsplit=2))


def help_lines(name: str | None, *, operator: bool) -> list[str]:
    """Return the help for one command, or the list of them all.

    Args:
        name: The command, with or without its ``/``; None for all.
        operator: Whether an operator asks.

    Raises:
        UnknownCommandError: There is no such command for whoever asks.
    """
    if name is not None:
        command = _found(name.removeprefix("/"), operator=operator)
        also = [f"Also written {' or '.join(f'/{alias}' for alias in command.aliases)}."] if command.aliases else []
        return [f"{command.usage}: {command.help}", *also]
    listed = [command for command in COMMANDS if operator or not command.operators_only]
    width = max(len(command.usage) for command in listed)
    return [
        *(f"{command.usage:<{width}}  {command.help}" for command in listed),
        "Anything else is said to your room; begin with // to say something that begins with /.",
    ]


def parse_duration(text: str) -> datetime.timedelta:
    """Return the time that ``90s``, ``10m``, ``2h`` or ``7d`` stands for; a bare number counts minutes.

    It is at least a second and at most LONGEST, and has one unit only, in either case.

    Raises:
        CommandError: It is none of that; the error shows examples.
    """
    match = _DURATION.fullmatch(text.lower())
    seconds = int(match[1]) * _UNITS_S[match[2]] if match else 0
    if not 1 <= seconds <= LONGEST.total_seconds():
        raise CommandError(
            f"{_shown(text)!r} is no time: write 90s, 10m, 2h or 7d, a year ({LONGEST.days}d) at most; a bare number "
            f"counts minutes."
        )
    return datetime.timedelta(seconds=seconds)


def parse_count(text: str, *, of: str = "messages") -> int:
    """Return the whole number, from 1 on, that a text stands for; a very large one is as good as the largest.

    Args:
        text: The text.
        of: What is counted.

    Raises:
        CommandError: It is none.
    """
    match = _COUNT.fullmatch(text)
    if match is None:
        raise CommandError(f"{_shown(text)!r} is no number of {of}: write one from 1 on, such as 20.")
    return int(match[1]) if len(match[1]) < len(str(_LARGEST)) else _LARGEST


def which_page(words: Sequence[str]) -> tuple[str, int]:
    """Return the room and the page that the words behind ``/who`` name: empty, and 0, where they don't.

    Raises:
        CommandError: The page is no number.
    """
    if len(words) == 1 and not re.fullmatch("[0-9]+", words[0]):
        return words[0], 0
    return (words[0] if len(words) > 1 else ""), (parse_count(words[-1], of="pages") if words else 0)


def room_name(text: str) -> str:
    """Return the one form of a room's name, such as ``#lobby``: it may be typed without the ``#``, and in any case.

    Raises:
        RoomRefusedError: It breaks the rule for names, of which none is reserved here.
    """
    name = text.strip().removeprefix("#")
    if same_name_key(name) not in RESERVED:
        try:
            name = checked_name(name)
        except NameRefusedError as error:
            raise RoomRefusedError(
                f"{_shown(text)!r} is no name of a room: it has up to {MAX_NAME} letters (a-z), digits, _ . and -, and "
                f"doesn't begin with . or -, such as #lobby."
            ) from error
    return f"#{same_name_key(name)}"


def _found(word: str, *, operator: bool) -> Command:
    key = word.lower()
    command = _BY_WORD.get(key)
    if command is not None and (operator or not command.operators_only):
        return command
    if not key:
        raise UnknownCommandError("A command has a name behind the /: /help lists them.")
    words = [own for own, known in _BY_WORD.items() if operator or not known.operators_only]
    nearest = difflib.get_close_matches(key[:MAX_NAME], words, n=1)
    advice = f"did you mean /{nearest[0]}?" if nearest else "/help lists the commands, and // begins a text with /."
    raise UnknownCommandError(f"There is no /{_shown(word)}: {advice}")


def _arguments(command: Command, rest: str) -> tuple[str, ...]:
    words: list[str] = []
    for parameter in command.parameters:
        if not rest.strip():
            if not parameter.startswith("["):
                raise CommandError(f"Something is missing: write {command.usage}")
            break
        if parameter.strip("[]") in _TAKE_THE_REST:
            words.append(rest)
            return tuple(words)
        match = _WORD.match(rest)
        assert match is not None  # noqa: S101  there is more than space
        words.append(match[1])
        rest = rest[match.end() :]
    if rest.strip():
        raise CommandError(f"That is too much: write {command.usage}")
    return tuple(words)


def _shown(text: str) -> str:
    return visible(text[:MAX_NAME])
