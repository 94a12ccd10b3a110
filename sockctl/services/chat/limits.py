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
        history_bytes: What the histories of all rooms together may take of the memory.
        unused_s: After how long in which nobody was in a room its history may go for that of others.
        max_rooms: Rooms at once.
        rooms_at_once: How many rooms may be made from one address, and by one account, without a pause.
        room_every_s: How soon another one may follow.
        comings_at_once: How many may come in from one address without a pause: twice what is there at once by default.
        coming_every_s: How soon another one may follow.
    """

    silent_s: float = 60.0
    answer_s: float = 30.0
    stall_s: float = 2.0
    told_singly: int = 200
    sum_every_s: float = 1.0
    history_bytes: int = 64 * 1024 * 1024
    unused_s: float = 86_400.0
    max_rooms: int = 1_000
    rooms_at_once: int = 30
    room_every_s: float = 60.0
    comings_at_once: int = 64
    coming_every_s: float = 0.1
