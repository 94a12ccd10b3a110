"""How much of what the chat bears, and how long it waits: what tests want smaller, they pass in."""

from dataclasses import dataclass

__all__ = ["ChatLimits"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatLimits:
    """The limits and times of a chat.

    Attributes:
        silent_s: After how long a member that says nothing is pinged.
        answer_s: How long it may take to answer.
        stall_s: After how long without a tick the server has stood still, and its members with it.
        told_singly: Up to how many members a room tells each coming and going; a larger one is crowded, and tells sums.
        sum_every_s: How often it tells them.
    """

    silent_s: float = 60.0
    answer_s: float = 30.0
    stall_s: float = 2.0
    told_singly: int = 200
    sum_every_s: float = 1.0
