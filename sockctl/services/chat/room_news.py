"""Processes the events of a room: tells its audience, which joins and leaves by events, too.

In a large room the others don't hear of each joining, leaving and renaming: the room counts these, and tells sums.
"""

import threading
from collections.abc import Iterable, Sequence

from sockctl.protocol.messages import make_message
from sockctl.services.chat.audience import Audience
from sockctl.services.chat.room_event import (
    Enter,
    Exit,
    HeardText,
    Join,
    Leave,
    Movement,
    Rename,
    RoomEvent,
    Told,
    encode_event,
)
from sockctl.services.chat.room_info import RoomInfo

_SUMS = {"joined": "joined {}.", "left": "left {}.", "renamed": "in {} took another name."}


class RoomNews:
    """Tells a room's audience its events. One thread at a time calls `process`, any thread `take_sums`.

    Args:
        name: The room's name.
        audience: Who hears the room.
        info: Welcomes clients.
        told_singly: The most members of a room that isn't large.
    """

    def __init__(self, name: str, audience: Audience, info: RoomInfo, *, told_singly: int) -> None:
        self._name = name
        self._audience = audience
        self._info = info
        self._told_singly = told_singly
        self._lock = threading.Lock()  # guards the next; a leaf
        self._sums: dict[str, int] = {}  # movements that `take_sums` will tell, by the kind of the message

    def take_sums(self) -> list[RoomEvent]:
        """Return the events that tell how many members have moved since the last call."""
        if not self._sums:
            return []
        with self._lock:
            sums, self._sums = self._sums, {}
        told = []
        for kind, count in sums.items():
            text = f"{count:,} {_SUMS[kind].format(self._name)}"
            told.append(encode_event(make_message(kind, text, room=self._name, count=count), movement=True))
        return told

    def process(self, kind: type[Told | Movement], run: Iterable[Told | Movement]) -> None:
        """Process events of one type."""
        if kind is RoomEvent or kind is HeardText:
            self._audience.broadcast([one for one in run if isinstance(one, Told)])
        elif kind is Join:
            self._process_joins([one for one in run if isinstance(one, Join)])
        elif kind is Leave:
            self._process_leaves([one for one in run if isinstance(one, Leave)])
        elif kind is Rename:
            self._process_renames([one for one in run if isinstance(one, Rename)])
        elif kind is Enter:
            self._process_enters([one for one in run if isinstance(one, Enter)])
        elif kind is Exit:
            self._process_exits([one for one in run if isinstance(one, Exit)])

    def _process_joins(self, joins: Sequence[Join]) -> None:
        """Add several clients at once: each hears of the later ones, and the room's clients so far hear of all."""
        told = self._encode_singly(joins, coming=len(joins))
        self._audience.broadcast(told)
        for number, one in enumerate(joins, 1):
            self._audience.add(one.client, is_told=one.is_told)
            self._info.welcome(one.client, one.history, missed=one.missed)
            if one.then is not None:
                one.client.reply(one.then)
            self._audience.deliver(told[number:], [one.client])

    def _process_leaves(self, leaves: Sequence[Leave]) -> None:
        """Remove several clients at once: each still hears of the earlier ones."""
        told = self._encode_singly(leaves)
        for number, one in enumerate(leaves):
            heard = one.client in self._audience
            self._audience.remove(one.client, stays=one.stays is not None and one.stays())
            if heard and one.client not in self._audience:  # the listener goes on hearing the room
                self._audience.deliver(told[:number], [one.client])
            if one.then is not None:
                one.then()
        self._audience.broadcast(told)

    def _process_enters(self, enters: Sequence[Enter]) -> None:
        """Add several members at once, and tell all but their own clients."""
        told = self._encode_singly(enters, coming=len(enters))
        for one in enters:
            self._audience.add_member(one.member)
        for one, event in zip(enters, told, strict=False):  # a large room tells none
            self._audience.broadcast_but(event, one.member)

    def _process_exits(self, exits: Sequence[Exit]) -> None:
        """Remove several members at once, and tell all but their own clients."""
        told = self._encode_singly(exits)
        for one in exits:
            self._audience.remove_member(one.member)
        for one, event in zip(exits, told, strict=False):
            self._audience.broadcast_but(event, one.member)

    def _process_renames(self, renames: Sequence[Rename]) -> None:
        """Tell all of new names; in a large room, only the members' own clients."""
        told = self._encode_singly(renames)
        self._audience.broadcast(told)
        for one in () if told else renames:
            self._audience.deliver([one.encode()], [client for client in one.clients if client in self._audience])

    def _encode_singly(self, movements: Sequence[Movement], *, coming: int = 0) -> list[RoomEvent]:
        """Return an event for each movement; none in a large room, which counts them.

        While the room still has to tell a sum, it counts later movements, too.
        """
        with self._lock:
            large = len(self._audience) + coming > self._told_singly or bool(self._sums)
            if large:
                for one in movements:
                    if one.news is not None:
                        self._sums[one.news.kind] = self._sums.get(one.news.kind, 0) + 1
        return [] if large else [one.encode() for one in movements]
