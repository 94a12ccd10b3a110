"""The rooms that there are: made by joining, or a fixed set."""

import threading
import time
from collections.abc import Mapping, Sequence

from sockctl.errors import CommandError
from sockctl.protocol.messages import LOBBY
from sockctl.services.chat.history import History, read_past
from sockctl.services.chat.keeper import Keeper, KeptRoom
from sockctl.services.chat.limits import ChatLimits
from sockctl.services.chat.places import Place
from sockctl.services.chat.rooms import Room

__all__ = ["Directory"]

UNKEPT = 100_000
"""Ids that are left out after a start: more than a crash can have swallowed."""
MAX_ROOMS = 1_000
"""Rooms at once; for one more, one in which nobody is goes with its history."""


class Directory:
    """The rooms. Any thread may use it.

    Args:
        fixed: The names of the only rooms that there are; empty where rooms are made by joining.
        kept: What was kept of each room.
        history: How much of what is said in a room is remembered.
        keeper: Keeps what is said, and the topics.
        limits: From how many members on a room is crowded.
    """

    def __init__(
        self,
        *,
        fixed: Sequence[str],
        kept: Mapping[str, KeptRoom],
        history: int,
        keeper: Keeper,
        limits: ChatLimits,
    ) -> None:
        self._fixed = frozenset(fixed)
        self._kept = kept
        self._history = history
        self._keeper = keeper
        self._limits = limits
        self._lock = threading.Lock()  # guards the two below
        self._rooms: dict[str, Room] = {}
        self._listener: Place | None = None
        self.first = next(iter(fixed), LOBBY)
        for name in dict.fromkeys([*fixed, *([] if fixed else [LOBBY, *kept])]):
            self._rooms[name] = self._made(name)

    def all(self) -> list[Room]:
        """Return the rooms, in the order in which they were made."""
        with self._lock:
            return list(self._rooms.values())

    def find(self, name: str) -> Room | None:
        """Return the room of that name."""
        return self._rooms.get(name)

    def opened(self, name: str) -> Room:
        """Return the room of that name; it is made where it isn't there.

        Raises:
            CommandError: It can't be made.
        """
        with self._lock:
            room = self._rooms.get(name)
            if room is None:
                if self._fixed:
                    raise CommandError(f"There is no room {name} here: /rooms lists those that there are.")
                if len(self._rooms) >= MAX_ROOMS:
                    self._drop_one()
                room = self._rooms[name] = self._made(name)
                if self._listener is not None:
                    room.listen(self._listener)
            return room

    def listen(self, place: Place) -> None:
        """Let a place hear all rooms, also those to come."""
        with self._lock:
            self._listener = place
            for room in self._rooms.values():
                room.listen(place)

    def _made(self, name: str) -> Room:
        kept = self._kept.get(name)
        # Ids grow also where the history was lost, or its end by a crash: nobody takes what is new for seen already.
        last_id = max(time.time_ns() // 1_000_000, 0 if kept is None else kept.last_id + UNKEPT)
        past = [] if kept is None else map(read_past, kept.frames)
        history = History(past, most=self._history)
        return Room(name, keeper=self._keeper, history=history, last_id=last_id, limits=self._limits)

    def _drop_one(self) -> None:
        for name, room in self._rooms.items():
            if name != LOBBY and room.is_empty:
                del self._rooms[name]
                return
        raise CommandError(f"There are {MAX_ROOMS:,} rooms already: join one of them.")
