"""The events of the chat: members come, leave and are renamed, operators act, files can't be written.

The texts of members are no events.
"""

from dataclasses import dataclass
from typing import ClassVar

from sockctl.events.base import ConnectionEvent, Event, Level
from sockctl.text import plural


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatUnkept(Event):
    """The files of the chat can't be written: `messages` messages aren't on the disk."""

    level: ClassVar[Level] = Level.ERROR

    error: str
    messages: int

    @property
    def text(self) -> str:
        count = f" {plural(self.messages, 'message')} not on the disk." if self.messages else ""
        return f"What the chat keeps can't be written: {self.error}{count} The chat goes on."


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatKeptAgain(Event):
    """The files of the chat can be written again; `lost` messages never will be."""

    level: ClassVar[Level] = Level.WARNING

    lost: int

    @property
    def text(self) -> str:
        lost = f"{plural(self.lost, 'message')} of the history lost" if self.lost else "nothing was lost"
        return f"What the chat keeps can be written again: {lost}."


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberCame(ConnectionEvent):
    """A client has come in under a name."""

    who: str

    @property
    def text(self) -> str:
        return f"The client chats as {self.who}."


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberLeft(ConnectionEvent):
    """A connection for which `member_came` was emitted has ended; each has one of both."""

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
    """An operator has put out, banned or muted a member, or announced something."""

    operator: str
    did: str

    @property
    def text(self) -> str:
        return self.did
