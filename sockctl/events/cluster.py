"""The events of a node: its engine is away or back, messages are lost, other nodes come and go."""

from dataclasses import dataclass
from typing import Any, ClassVar

from sockctl.events.base import Event, Level
from sockctl.text import format_count, format_seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreConnected(Event):
    """The node has registered in the engine that the nodes share.

    Attributes:
        store: The engine's URL.
        node: The name of this node.
        others: How many other nodes are there.
    """

    store: str
    node: str
    others: int

    @property
    def happened(self) -> str:
        return f"The server is the node {self.node} of the chat on {self.store}."

    @property
    def explanation(self) -> str:
        others = format_count(self.others, "other node") if self.others else "No other node"
        is_there = "is" if self.others <= 1 else "are"
        return f"{others} {is_there} there. All nodes read one log in the engine, so their members hear the same."


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreUnsafe(Event):
    """The engine may lose messages, or lets in anybody, as it is set.

    Attributes:
        setting: The engine's setting.
        problem: What is wrong with it, as a sentence.
        fix: The shell's line that mends it, or shows more.
        mends: Whether the line mends it.
    """

    level: ClassVar[Level] = Level.WARNING

    setting: str
    problem: str
    fix: str
    mends: bool = True

    @property
    def happened(self) -> str:
        return self.problem

    @property
    def explanation(self) -> str:
        return announce_line(self.fix, mends=self.mends)


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreAway(Event):
    """The engine has not answered for a while."""

    level: ClassVar[Level] = Level.ERROR

    error: str

    @property
    def happened(self) -> str:
        return f"The engine is away: {self.error}"

    @property
    def explanation(self) -> str:
        return (
            "Nobody is put out yet: what members say waits for the engine. After 10 s the chat tells a member what was "
            "not said, and after 30 s it closes its connections."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreBack(Event):
    """The engine answers again. `not_said` counts the messages that were refused meanwhile."""

    level: ClassVar[Level] = Level.WARNING

    seconds: float
    not_said: int

    @property
    def happened(self) -> str:
        not_said = f"{format_count(self.not_said, 'message')} not said" if self.not_said else "everything was said"
        return f"The engine is back after {format_seconds(self.seconds)}: {not_said}."


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreLost(Event):
    """The engine has lost messages that this node has read.

    Attributes:
        after: The last id that it has not lost.
        upto: The last id that it has lost.
    """

    level: ClassVar[Level] = Level.ERROR

    after: int
    upto: int

    @property
    def happened(self) -> str:
        return f"The engine has lost what was said after {self.after}, up to {self.upto}."

    @property
    def explanation(self) -> str:
        return "The members who may have missed it are told. With appendfsync always, an engine loses nothing."

    @property
    def fields(self) -> dict[str, Any]:
        return {"from": self.after, "upto": self.upto}


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreLag(Event):
    """The node reads the log more slowly than the nodes write it."""

    level: ClassVar[Level] = Level.WARNING

    seconds: float

    @property
    def happened(self) -> str:
        return f"The server is {format_seconds(self.seconds)} behind the other nodes."

    @property
    def explanation(self) -> str:
        return "Its members hear everything later. The machine, or the network to the engine, is too slow."


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreUnread(Event):
    """The node could not take what the log says: a defect of sockctl's, or another program writes there."""

    level: ClassVar[Level] = Level.ERROR

    error: str

    @property
    def happened(self) -> str:
        return f"The server could not take what the log says, and passes over it: {self.error}"

    @property
    def explanation(self) -> str:
        return "Its members may have missed something. It is a defect of sockctl's, or another program writes there."


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeJoined(Event):
    """Another node has come."""

    node: str

    @property
    def happened(self) -> str:
        return f"The node {self.node} has come."


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeGone(Event):
    """A node has gone: it has stopped, or the engine has not heard of it for the length of its lease."""

    level: ClassVar[Level] = Level.WARNING

    node: str

    @property
    def happened(self) -> str:
        return f"The node {self.node} has gone."

    @property
    def explanation(self) -> str:
        return "Its members who have not come to another node have left."


def announce_line(line: str, *, mends: bool) -> str:
    """Return a line of the shell about an engine's setting, announced as one that mends it, or shows more."""
    return f"This {'mends it' if mends else 'shows more'}: {line}"
