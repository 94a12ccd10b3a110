"""The rooms that there are: made by joining, or a fixed set."""

import json
import threading
import time
from collections.abc import Iterable, Mapping, Sequence

from sockctl.errors import CommandError
from sockctl.services.chat.clients import Client
from sockctl.services.chat.commands import LOBBY
from sockctl.services.chat.history import History, HistoryBudget, read_past
from sockctl.services.chat.limits import ChatLimits
from sockctl.services.chat.room_making import RoomMaking
from sockctl.services.chat.rooms import Room
from sockctl.services.chat.store import ChatStore, StoredRoom
from sockctl.stores.timestamps import parse_timestamp, utc_now

__all__ = ["RoomRegistry"]

UNKEPT = 100_000
"""Ids that are left out after a start: more than a crash can have swallowed."""


class RoomRegistry:
    """The rooms. Any thread may use it.

    Args:
        fixed: The names of the only rooms that there are; empty where rooms are made by joining.
        kept: What was kept of each room.
        history: How much of what is said in a room is remembered.
        store: Keeps what is said, and the topics.
        limits: How many rooms there may be, how much of what was said is remembered, who may make how many.
    """

    def __init__(
        self,
        *,
        fixed: Sequence[str],
        kept: Mapping[str, StoredRoom],
        history: int,
        store: ChatStore,
        limits: ChatLimits,
    ) -> None:
        self._fixed = frozenset(fixed)
        self._history = history
        self._store = store
        self._limits = limits
        share = limits.history_bytes // limits.max_rooms
        self._budget = HistoryBudget(limits.history_bytes, share_bytes=share)
        self._lock = threading.Lock()  # guards what follows, to the listener
        self._making = RoomMaking(limits)
        self._now = time.monotonic()  # as of the last tick
        self._highest_id = 0  # of the rooms that have gone
        self._rooms: dict[str, Room] = {}
        self._listener: Client | None = None
        self.first = next(iter(fixed), LOBBY)
        for name in dict.fromkeys([*fixed, *([] if fixed else [LOBBY, *kept])]):
            self._rooms[name] = self._made(name, kept.get(name))

    def all(self) -> list[Room]:
        """Return the rooms, in the order in which they were made."""
        with self._lock:
            return list(self._rooms.values())

    def find(self, name: str) -> Room | None:
        """Return the room of that name."""
        return self._rooms.get(name)

    def opened(self, name: str, *, by: Client | None = None) -> Room:
        """Return the room of that name; it is made where it isn't there.

        Args:
            name: The name.
            by: Who makes it, for whom it is counted; None where it costs nobody anything.

        Raises:
            CommandError: It can't be made.
        """
        with self._lock:
            room = self._rooms.get(name)
            if room is None:
                if self._fixed:
                    raise CommandError(f"There is no room {name} here: /rooms lists those that there are.")
                if by is not None and not self._making.may(by, time.monotonic()):
                    raise CommandError("You make rooms too fast: wait a minute, or join one that /rooms lists.")
                if len(self._rooms) >= self._limits.max_rooms:
                    self._drop_one()
                room = self._rooms[name] = self._made(name)
                if self._listener is not None:
                    room.listen(self._listener)
            return room

    def tick(self, now: float) -> None:
        """Let the rooms tell their sums, note which are in use, and forget what was said in others if need be."""
        with self._lock:
            self._now = now
            rooms = list(self._rooms.values())
        for room in rooms:
            room.tell_sums()
            if not room.is_empty:
                room.used_at = now
        for room in self._unused(rooms) if self._budget.is_tight else ():
            room.forget()
            if not self._budget.is_tight:
                break
        if self._budget.surplus_bytes:
            self._make_room(rooms)

    def _make_room(self, rooms: Iterable[Room]) -> None:
        """Let the longest histories give way to the short ones that have grown within their share."""
        sizes = [(room.history_bytes, room) for room in rooms]
        for size, room in sorted(sizes, key=lambda one: one[0], reverse=True):
            spare = min(self._budget.surplus_bytes, size - self._budget.share_bytes)
            if spare <= 0:
                break
            room.forget_oldest(spare)

    def _unused(self, rooms: Iterable[Room]) -> list[Room]:
        """Return the rooms in which nobody was for long, the one that is unused for longest first."""
        unused = [room for room in rooms if room.is_empty and self._now - room.used_at >= self._limits.unused_s]
        return sorted(unused, key=lambda room: room.used_at)

    def listen(self, place: Client) -> None:
        """Let a place hear all rooms, also those to come."""
        with self._lock:
            self._listener = place
            for room in self._rooms.values():
                room.listen(place)

    def _made(self, name: str, kept: StoredRoom | None = None) -> Room:
        # Ids grow also where the history was lost, or its end by a crash: nobody takes what is new for seen already.
        last_id = max(time.time_ns() // 1_000_000, self._highest_id, 0 if kept is None else kept.last_id + UNKEPT)
        past = [] if kept is None else map(read_past, kept.frames)
        return Room(
            name,
            store=self._store,
            history=History(past, most=self._history),
            last_id=last_id,
            limits=self._limits,
            budget=self._budget,
            used_at=self._now - _age_s(kept),
        )

    def _drop_one(self) -> None:
        """Make place for a room: one in which nobody is goes, and nothing was said, or nobody was for long.

        Raises:
            CommandError: There is none.
        """
        rooms = [room for room in self._rooms.values() if room.name != LOBBY]
        silent = (room for room in rooms if room.is_empty and not room.remembered)
        room = next(silent, None) or next(iter(self._unused(rooms)), None)
        if room is None:
            raise CommandError(f"There are {self._limits.max_rooms:,} rooms already: join one of them.")
        self._highest_id = max(self._highest_id, room.last_id)
        room.forget()
        del self._rooms[room.name]


def _age_s(kept: StoredRoom | None) -> float:
    """Return how long ago something was said, as far as the clock can be believed."""
    if kept is None or not kept.frames:
        return 0.0
    at = parse_timestamp(json.loads(kept.frames[-1])["at"])
    return max(0.0, (utc_now() - at).total_seconds())
