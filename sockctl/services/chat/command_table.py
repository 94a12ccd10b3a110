"""The commands of the chat as a table: how each is written, what it does, and who may use it."""

import difflib
from dataclasses import dataclass

from sockctl.errors import UnknownCommandError
from sockctl.protocol.names import MAX_NAME
from sockctl.services.chat.text_limits import COLUMNS
from sockctl.text import make_visible
from sockctl.wrapping import wrap_lines

TALKING, ROOMS, PEOPLE, YOU, KEEPING_ORDER = GROUPS = ("Talking", "Rooms", "People", "You", "Keeping order")
"""The groups, in the order in which the help lists them. Operators alone may use the last one."""
_TIMES = "A time is such as 10m, 2h or 7d; without one it is for good. All members are told why."
_AGAIN = "The same command again ends it."


@dataclass(frozen=True, slots=True)
class Command:
    """One command.

    Attributes:
        group: Its group.
        usage: The command with its words; those in brackets may be left out.
        help: One short sentence that says what it does.
        example: A line that gives it.
        more: Further sentences for the help on this command alone.
        aliases: Its other names.
    """

    group: str
    usage: str
    help: str
    example: str
    more: str = ""
    aliases: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Its name, without the ``/``."""
        return self.usage.split()[0].removeprefix("/")

    @property
    def parameters(self) -> list[str]:
        """The words behind the name, as the usage has them."""
        return self.usage.split()[1:]

    @property
    def operators_only(self) -> bool:
        """Whether only operators may use it."""
        return self.group == KEEPING_ORDER


COMMANDS = (
    Command(
        TALKING, "/msg NAME TEXT", "Say something to one member alone.", "/msg bob Shall we go?", aliases=("tell",)
    ),
    Command(TALKING, "/reply TEXT", "Answer who wrote to you alone last.", "/reply In a minute.", aliases=("r",)),
    Command(TALKING, "/me TEXT", "Say what you do.", "/me waves"),
    Command(TALKING, "/history [N]", "Show the last N messages of your room again.", "/history 50"),
    Command(ROOMS, "/join ROOM", "Come into a room.", "/join #games", "Where rooms are free, it makes it.", ("j",)),
    Command(ROOMS, "/leave [ROOM]", "Leave a room: yours, if none is named.", "/leave #games", aliases=("part",)),
    Command(ROOMS, "/rooms [PAGE]", "List the rooms.", "/rooms 2", "A page has 50 of them.", ("list",)),
    Command(ROOMS, "/topic [TEXT]", "Show the topic of your room, or set it.", "/topic Tea at five"),
    Command(
        PEOPLE,
        "/who [ROOM] [PAGE]",
        "List who is in your room, or in another one.",
        "/who #games",
        "@ marks operators. A large room is listed by pages of 50; a bare number is a page.",
        ("names",),
    ),
    Command(PEOPLE, "/whois NAME", "Tell what is known of a member.", "/whois bob"),
    Command(
        PEOPLE,
        "/ignore [NAME]",
        "Hide what a member says.",
        "/ignore bob",
        f"A user stays ignored under any name. {_AGAIN} Without a name it lists whom you ignore.",
    ),
    Command(PEOPLE, "/quiet", "Hide who comes and goes.", "/quiet", _AGAIN),
    Command(YOU, "/nick NAME", "Take another name.", "/nick zoe"),
    Command(
        YOU,
        "/away [TEXT]",
        "Say why you are away; without TEXT: be back.",
        "/away at lunch",
        "Who writes to you alone is told. Saying something ends it.",
    ),
    Command(YOU, "/help [COMMAND]", "List the commands, or explain one.", "/help msg", aliases=("?",)),
    Command(YOU, "/quit", "Leave the chat.", "/quit", aliases=("exit",)),
    Command(
        YOU,
        "/logout",
        "End your login, and leave the chat.",
        "/logout",
        more="Its token lets nobody in again. In a chat without logins there is none to end.",
    ),
    Command(KEEPING_ORDER, "/kick NAME [WHY]", "Put a member out, who may come back.", "/kick bob Enough of that"),
    Command(KEEPING_ORDER, "/ban NAME|ADDRESS [TIME] [WHY]", "Keep a member or an address out.", "/ban bob 2h", _TIMES),
    Command(KEEPING_ORDER, "/unban NAME|ADDRESS", "Let a member or an address in again.", "/unban bob"),
    Command(
        KEEPING_ORDER,
        "/bans [PAGE]",
        "List the bans.",
        "/bans",
        "Each with who or which address, by whom, since when, until when; 50 a page.",
    ),
    Command(KEEPING_ORDER, "/mute NAME|ADDRESS [TIME] [WHY]", "Let a member read only.", "/mute bob 10m", _TIMES),
    Command(KEEPING_ORDER, "/unmute NAME|ADDRESS", "Let a member speak again.", "/unmute bob"),
    Command(KEEPING_ORDER, "/mutes [PAGE]", "List the mutes.", "/mutes", "As /bans lists the bans."),
    Command(KEEPING_ORDER, "/announce TEXT", "Say something to all in every room.", "/announce Back at noon"),
)
BY_WORD = {word: command for command in COMMANDS for word in (command.name, *command.aliases)}


def find_command(word: str, *, operator: bool) -> Command:
    """Return the command of a name, in any case and without its ``/``.

    Args:
        word: The name, or one of the other names.
        operator: Whether an operator asks.

    Raises:
        UnknownCommandError: The member may use no such command; the error names the nearest one.
    """
    key = word.lower()
    command = BY_WORD.get(key)
    if command is not None and (operator or not command.operators_only):
        return command
    if not key:
        raise UnknownCommandError("A command has a name behind the /: /help lists them.")
    words = [own for own, known in BY_WORD.items() if operator or not known.operators_only]
    nearest = difflib.get_close_matches(key[:MAX_NAME], words, n=1)
    advice = f"did you mean /{nearest[0]}?" if nearest else "see /help, or begin with // to say it."
    raise UnknownCommandError(f"There is no /{make_visible(word[:MAX_NAME])}: {advice}")


def list_help(name: str | None, *, operator: bool, wraps: bool = True) -> list[str]:
    """Return the help for one command, or the list of them all by groups.

    Args:
        name: The command, with or without its ``/``; None for all.
        operator: Whether an operator asks.
        wraps: Whether lines have 79 columns at most; a client that reads messages wraps by itself.

    Raises:
        UnknownCommandError: The member may use no such command.
    """
    if name is not None:
        lines = _explain(find_command(name.removeprefix("/"), operator=operator))
        return [part for line in lines for part in wrap_lines(line, COLUMNS).split("\n")] if wraps else lines
    listed = [command for command in COMMANDS if operator or not command.operators_only]
    width = max(len(command.usage) for command in listed)
    lines = []
    for group in GROUPS:
        if own := [command for command in listed if command.group == group]:
            lines += [f"{group}:", *(f"  {command.usage:<{width}}  {command.help}" for command in own)]
    return [*lines, "/help COMMAND tells more. Anything else is said to your room; //x says /x."]


def _explain(command: Command) -> list[str]:
    also = f"Also written {' or '.join(f'/{alias}' for alias in command.aliases)}." if command.aliases else ""
    lines = [f"{command.usage}: {command.help}", command.more, f"For example: {command.example}", also]
    return [line for line in lines if line]
