"""The events of the chat: who comes, goes, is called otherwise, what operators do, and what can't be kept.

What is said is nobody's event.
"""

from dataclasses import dataclass
from typing import ClassVar

from sockctl.events.base import ConnectionEvent, Event, Level
from sockctl.text import plural

__all__ = ["ChatKeptAgain", "ChatUnkept", "MemberCame", "MemberLeft", "MemberRenamed", "OperatorActed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatUnkept(Event):
    """What should survive a restart of the chat can't be written: `messages` of them aren't on the disk."""

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

    level: ClassVar[Level] = Level.WARNING

    lost: int

    @property
    def text(self) -> str:
        lost = f"{plural(self.lost, 'message')} of the history lost" if self.lost else "nothing was lost"
        return f"What the chat keeps can be written again: {lost}."


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberCame(ConnectionEvent):
    """A client has a name, and chats."""

    who: str

    @property
    def text(self) -> str:
        return f"The client chats as {self.who}."


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberLeft(ConnectionEvent):
    """A connection of which `member_came` was told has ended; each has one of both."""

    who: str
    reason: str

    @property
    def text(self) -> str:
        return f"The client chats as {self.who} no more ({self.reason})."


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberRenamed(Event):
    """A member has another name."""

    who: str
    name_now: str

    @property
    def text(self) -> str:
        return f"{self.who} is called {self.name_now} now."


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorActed(Event):
    """An operator has done something to somebody, or announced something."""

    operator: str
    did: str

    @property
    def text(self) -> str:
        return self.did
