"""The rules of a chat, as its operator sets them."""

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["ChatRules"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatRules:
    """The rules of a chat.

    Attributes:
        rooms: The only rooms; empty where members create rooms by joining.
        motd: Lines that each new client is told.
        history: How many messages of a room are remembered.
        flood: How many messages a member may say at once, and then a second; None for no limit.
        operators: The users who are operators.
    """

    rooms: Sequence[str] = ()
    motd: Sequence[str] = ()
    history: int = 100
    flood: tuple[float, float] | None = (20, 10)
    operators: frozenset[str] = frozenset()
