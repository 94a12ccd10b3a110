"""Formats messages for a person: time, room, sender, text. All text of the server is made safe for the terminal."""

import datetime
import zlib

from sockctl.client.chat.roster import ChatContext
from sockctl.palette import END, Style
from sockctl.protocol.messages import Message, as_line
from sockctl.protocol.names import same_name_key
from sockctl.stores.timestamps import Clock, parse_timestamp, utc_now
from sockctl.text import visible

PALETTE = (130, 100, 64, 28, 30, 32, 67, 63, 98, 134, 129, 164)
"""Colours of names, from xterm's 256: each has a contrast of 3.6 or more on black and white (WCAG 2); none is red."""
_BOLD, _MARKED = "\x1b[1m", "\x1b[1;7m"


class MessageFormatter:
    """Formats messages as lines.

    Args:
        colours: Whether lines may be coloured.
        now: Returns the time.
        zone: The person's time zone; None for the system's own.
    """

    def __init__(self, *, colours: bool, now: Clock = utc_now, zone: datetime.tzinfo | None = None) -> None:
        self._colours = colours
        self._now = now
        self._zone = zone

    def line(self, one: Message, context: ChatContext | None = None) -> str:
        """Return a message as a line, without the line's end."""
        context = context or ChatContext()
        match one.kind:
            case "say" | "history":
                return self._said(one, context)
            case "ask" | "members":
                return visible(as_line(one))
            case "error":
                return self._in(Style.ERROR, f"! {visible(as_line(one))}")
        return self._in(Style.FAINT, f"* {self._room(one, context)}{visible(as_line(one))}")

    def _said(self, one: Message, context: ChatContext) -> str:
        sender, text = one.get("sender"), visible(one.text)
        mark = ""
        if sender and context.mention is not None and not context.is_me(sender) and context.mention.search(text):
            mark = ">> "
            text = context.mention.sub(lambda match: self._in(_MARKED, match[0]), text)
        head = f"{self._time(one.get('at'))}{self._room(one, context)}{self._private(one, context)}"
        return f"{head}{mark}{self._who(one, sender)}{text}"

    def _who(self, one: Message, sender: str) -> str:
        action = one.fields.get("action") is True
        if not sender:
            return "* " if action else ""
        colour = PALETTE[zlib.crc32(same_name_key(sender).encode()) % len(PALETTE)]
        name = self._in(f"\x1b[38;5;{colour}m", visible(sender))
        return f"* {name} " if action else f"<{name}> "

    def _private(self, one: Message, context: ChatContext) -> str:
        if one.fields.get("private") is not True:
            return ""
        to = one.get("to") if context.is_me(one.get("sender")) else ""
        return self._in(_BOLD, f"[private to {visible(to)}]" if to else "[private]") + " "

    def _room(self, one: Message, context: ChatContext) -> str:
        """Return the room in front of a message; nothing for the user's only room, or if the text names it."""
        room = visible(one.get("room")).lstrip("#")
        if not room or not context.in_several_rooms:
            return ""
        said = one.kind in {"say", "history"}
        return f"#{room} " if said or f"#{room}".lower() not in one.text.lower() else ""

    def _time(self, at: str) -> str:
        try:
            moment = parse_timestamp(at).astimezone(self._zone)
        except ValueError:
            return ""
        today = self._now().astimezone(self._zone).date()
        form = "%H:%M" if moment.date() == today else "%Y-%m-%d %H:%M"
        return self._in(Style.FAINT, moment.strftime(form)) + " "

    def _in(self, style: str, text: str) -> str:
        return f"{style}{text}{END}" if self._colours else text
