"""The events of the chat."""

from dataclasses import dataclass
from typing import ClassVar

from sockctl.events.base import Event, Level
from sockctl.text import plural

__all__ = ["ChatKeptAgain", "ChatUnkept"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatUnkept(Event):
    """What should survive a restart of the chat can't be written: `messages` of them aren't on the disk."""

    name: ClassVar[str] = "chat_unkept"
    level: ClassVar[Level] = Level.ERROR

    error: str
    messages: int

    @property
    def text(self) -> str:
        count = f" {plural(self.messages, 'message')} not on the disk." if self.messages else ""
        return f"What the chat keeps can't be written: {self.error}{count} The chat goes on."


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatKeptAgain(Event):
    """What the chat keeps can be written again; `lost` messages never will be."""

    name: ClassVar[str] = "chat_kept_again"
    level: ClassVar[Level] = Level.WARNING

    lost: int

    @property
    def text(self) -> str:
        lost = f"{plural(self.lost, 'message')} of the history lost" if self.lost else "nothing was lost"
        return f"What the chat keeps can be written again: {lost}."
