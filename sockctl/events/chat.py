"""The events of the chat: members come, leave and are renamed, operators act, files can't be written.

No event holds what members say.
"""

from dataclasses import dataclass
from typing import ClassVar

from sockctl.events.base import ConnectionEvent, Event, Level
from sockctl.text import format_count


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatUnkept(Event):
    """The chat can't write its files. `messages` counts the messages that aren't on the disk."""

    level: ClassVar[Level] = Level.ERROR

    error: str
    messages: int

    @property
    def happened(self) -> str:
        return f"The chat can't write its files: {self.error}"

    @property
    def explanation(self) -> str:
        if not self.messages:
            return "The chat goes on."
        return f"{format_count(self.messages, 'message is', 'messages are')} not on the disk. The chat goes on."


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatKeptAgain(Event):
    """The chat can write its files again. `lost` counts the messages that never will be on the disk."""

    level: ClassVar[Level] = Level.WARNING

    lost: int

    @property
    def happened(self) -> str:
        lost = format_count(self.lost, "message of the history is", "messages of the history are")
        return f"The chat can write its files again: {f'{lost} lost' if self.lost else 'nothing was lost'}."


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberCame(ConnectionEvent):
    """A client has joined the chat under a name."""

    who: str

    @property
    def happened(self) -> str:
        return f"The client chats as {self.who}."


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberLeft(ConnectionEvent):
    """A client has left the chat. Each connection has one `member_came` and one `member_left`."""

    who: str
    reason: str

    @property
    def happened(self) -> str:
        return f"The client chats as {self.who} no more ({self.reason})."


@dataclass(frozen=True, slots=True, kw_only=True)
class MemberRenamed(Event):
    """A member has changed the name."""

    who: str
    name_now: str

    @property
    def happened(self) -> str:
        return f"{self.who} is called {self.name_now} now."


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorActed(Event):
    """An operator has kicked, banned or muted a member, or announced something."""

    operator: str
    did: str

    @property
    def happened(self) -> str:
        return self.did
