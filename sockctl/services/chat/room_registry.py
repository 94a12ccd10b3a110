"""The registry of rooms: members create rooms by joining them, or the rooms are a fixed set."""

import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence

from sockctl.accounts.throttle import RateLimit
from sockctl.errors import CommandError
from sockctl.protocol.look_alikes import LookAlikes
from sockctl.services.chat.commands import LOBBY
from sockctl.services.chat.history import History, HistoryBudget
from sockctl.services.chat.history_entry import read_entry
from sockctl.services.chat.member import Client
from sockctl.services.chat.room import Room
from sockctl.services.chat.room_history import Store
from sockctl.services.chat.settings import ChatLimits
from sockctl.services.chat.store import StoredRoom
from sockctl.source_network import find_source_network
from sockctl.stores.timestamps import parse_timestamp, read_utc_clock

SKIPPED_IDS = 100_000
"""Ids that each start skips: more than a crash can have lost."""


class RoomRegistry:
    """The rooms. Any thread may use it.

    Args:
        fixed: The names of the only rooms; empty where members create rooms by joining.
        stored: The rooms that the store has loaded.
        history: How many messages a room remembers.
        store: Saves the messages and the topics.
        limits: The number of rooms, the memory of their histories, and the number of rooms that one address may create.

    Attributes:
        budget: Counts the memory of the histories.
        first: The name of the room into which new members come.
        find: Returns the room of a name; None if there is none. Each batch of texts uses it, so it is the table's own
            method.
    """

    def __init__(
        self,
        *,
        fixed: Sequence[str],
        stored: Mapping[str, StoredRoom],
        history: int,
        store: Store,
        limits: ChatLimits,
    ) -> None:
        self._fixed = frozenset(fixed)
        self._history = history
        self._store = store
        self._limits = limits
        share = limits.history_bytes // limits.max_rooms
        self.budget = HistoryBudget(limits.history_bytes, share_bytes=share)
        self._lock = threading.Lock()  # guards what follows, to the listener
        self._creations = RateLimit(
            burst=limits.rooms_at_once, every_s=limits.room_every_s, max_keys=limits.max_counted
        )
        self._now = time.monotonic()  # as of the last tick
        self._highest_id = 0  # of the dropped rooms
        self._rooms: dict[str, Room] = {}
        self.find: Callable[[str], Room | None] = self._rooms.get
        self._looks = LookAlikes()  # of their names
        self._listener: Client | None = None
        self.first = next(iter(fixed), LOBBY)
        for name in dict.fromkeys([*fixed, *([] if fixed else [LOBBY, *stored])]):
            self._add(name, stored.get(name))

    def list_all(self) -> list[Room]:
        """Return the rooms, in the order in which they were created."""
        with self._lock:
            return list(self._rooms.values())

    def get_current(self, client: Client) -> Room:
        """Return the room in which a client speaks.

        Raises:
            CommandError: There is none.
        """
        room = self.find(client.room)
        if room is None:
            raise CommandError("You are in no room: /join one, such as #lobby.")
        return room

    def open(self, name: str, *, by: Client | None = None) -> Room:
        """Return the room of that name; create it if it is missing.

        Args:
            name: The name.
            by: The client that creates it, whose creations are limited; None for no limit.

        Raises:
            CommandError: The room can't be created.
        """
        with self._lock:
            room = self._rooms.get(name)
            if room is None:
                if self._fixed:
                    raise CommandError(f"There is no room {name} here: /rooms lists those that there are.")
                if alike := self._looks.find(name):
                    raise CommandError(f"{name} looks like {alike}: join that one, or choose another name.")
                if by is not None and not self._may_create(by):
                    raise CommandError("You make rooms too fast: wait a minute, or join one that /rooms lists.")
                if len(self._rooms) >= self._limits.max_rooms:
                    self._drop_one()
                room = self._add(name)
            return room

    def bring(self, name: str) -> Room:
        """Return the room of that name; create it if it is missing, as another server has done."""
        with self._lock:
            room = self._rooms.get(name)
            if room is None:
                with contextlib.suppress(CommandError):  # the limit holds where a member asks
                    if len(self._rooms) >= self._limits.max_rooms:
                        self._drop_one()
                room = self._add(name)
            return room

    def _may_create(self, client: Client) -> bool:
        """Return whether a client may create one more room, by its address and account; an operator always may."""
        if client.member.operator or not client.address:
            return True
        account = client.member.account
        keys = [f"address {find_source_network(client.address)}", *([f"account {account}"] if account else [])]
        return self._creations.allow(keys, time.monotonic())

    def tick(self, now: float) -> None:
        """Let the rooms tell their sums, note which rooms are in use, and free unused histories if memory is short."""
        with self._lock:
            self._now = now
            rooms = list(self._rooms.values())
        for room in rooms:
            room.tell_sums()
            if not room.is_empty:
                room.used_at = now
        for room in self._list_unused(rooms) if self.budget.is_tight else ():
            room.forget()
            if not self.budget.is_tight:
                break
        if self.budget.surplus_bytes:
            self._trim_longest(rooms)

    def miss(self, last_id: int) -> None:
        """Let all rooms forget what was said up to an id: some of it was never heard here."""
        for room in self.list_all():
            room.miss(last_id)

    def _trim_longest(self, rooms: Iterable[Room]) -> None:
        """Forget the oldest messages of the longest histories, until all histories fit their limit."""
        sizes = [(room.history_bytes, room) for room in rooms]
        for size, room in sorted(sizes, key=lambda one: one[0], reverse=True):
            spare = min(self.budget.surplus_bytes, size - self.budget.share_bytes)
            if spare <= 0:
                break
            room.forget_oldest(spare)

    def _list_unused(self, rooms: Iterable[Room]) -> list[Room]:
        """Return the rooms that had no members for long, the one unused for longest first."""
        unused = [room for room in rooms if room.is_empty and self._now - room.used_at >= self._limits.unused_s]
        return sorted(unused, key=lambda room: room.used_at)

    def set_listener(self, client: Client) -> None:
        """Let a client hear all rooms, new ones included."""
        with self._lock:
            self._listener = client
            for room in self._rooms.values():
                room.set_listener(client)

    def _add(self, name: str, stored: StoredRoom | None = None) -> Room:
        room = self._rooms[name] = self._create(name, stored)
        self._looks.add(name)
        if self._listener is not None:
            room.set_listener(self._listener)
        return room

    def _create(self, name: str, stored: StoredRoom | None = None) -> Room:
        # Ids grow even if a crash has lost the history: else a client would think that it had seen a new message.
        last_id = max(
            time.time_ns() // 1_000_000, self._highest_id, 0 if stored is None else stored.last_id + SKIPPED_IDS
        )
        entries = [] if stored is None else [*map(read_entry, stored.frames)]
        return Room(
            name,
            store=self._store,
            history=History(entries, max_messages=self._history),
            last_id=last_id,
            limits=self._limits,
            budget=self.budget,
            used_at=self._now - _compute_age_s(stored),
        )

    def _drop_one(self) -> None:
        """Drop a room without members: one without messages, or one that nobody has used for long."""
        rooms = [room for room in self._rooms.values() if room.name != LOBBY]
        silent = (room for room in rooms if room.is_empty and not room.remembered)
        room = next(silent, None) or next(iter(self._list_unused(rooms)), None)
        if room is None:
            raise CommandError(f"There are {self._limits.max_rooms:,} rooms already: join one of them.")
        self._highest_id = max(self._highest_id, room.last_id)
        room.forget()
        del self._rooms[room.name]
        self._looks.remove(room.name)


def _compute_age_s(stored: StoredRoom | None) -> float:
    """Return the age of a room's last message by the wall clock, which may have been set."""
    if stored is None or not stored.frames:
        return 0.0
    at = parse_timestamp(json.loads(stored.frames[-1])["at"])
    return max(0.0, (read_utc_clock() - at).total_seconds())
