"""The rules of a chat, which its operator sets; and its limits and times, which tests pass in smaller."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatRules:
    """The rules of a chat.

    Attributes:
        rooms: The only rooms; empty where members create rooms by joining.
        motd: Lines that the chat sends to each new client.
        history: How many messages a room remembers.
        flood: How many messages a member may send at once, and how many a second afterwards; None for no limit.
        operators: The users who are operators.
    """

    rooms: Sequence[str] = ()
    motd: Sequence[str] = ()
    history: int = 100
    flood: tuple[float, float] | None = (20, 10)
    operators: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatLimits:
    """The limits and times of a chat.

    Attributes:
        silent_s: How long a member may be silent before the chat pings it.
        answer_s: How long the answer to a ping may take.
        stall_s: A longer pause between two ticks means that the server stood still, and its members with it.
        tick_s: How often the chat checks its clients.
        told_singly: The most members of a room that tells each joining and leaving; a larger one tells sums.
        sum_every_s: How often a large room tells the sums.
        history_bytes: The memory of the histories of all rooms together.
        unused_s: How long a room without members keeps its history from others that need the memory.
        max_rooms: Rooms at once.
        max_joined: Rooms of one member: the clients of one address together can't take all rooms.
        rooms_at_once: How many rooms one address, and one account, may create without a pause.
        room_every_s: How soon another one may follow.
        max_counted: The most addresses and accounts whose logins and new rooms are counted.
        comings_at_once: How many members may log in from one address without a pause.
        coming_every_s: How soon another one may follow.
        login_s: How long a guest may take to give a name.
        guest_token_s: How long a departed guest may resume its name, and the chat remembers a user's preferences.
        max_departed: The most departed members that are remembered.
    """

    silent_s: float = 60.0
    answer_s: float = 30.0
    stall_s: float = 2.0
    tick_s: float = 0.25
    told_singly: int = 200
    sum_every_s: float = 1.0
    history_bytes: int = 64 * 1024 * 1024
    unused_s: float = 86_400.0
    max_rooms: int = 1_000
    max_joined: int = 30
    rooms_at_once: int = 30
    room_every_s: float = 60.0
    max_counted: int = 65_536
    comings_at_once: int = 64
    coming_every_s: float = 0.1
    login_s: float = 120.0
    guest_token_s: float = 600.0
    max_departed: int = 10_000
