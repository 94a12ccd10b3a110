"""What a node loads before it serves: the last messages of the rooms, and the state."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from sockctl.cluster.keys import ROOMS, STATE, room_key

if TYPE_CHECKING:
    from sockctl.cluster.engine import Engine

AT_ONCE = 100
"""Rooms of one request."""


class Kept(NamedTuple):
    """A message of a room, as the engine keeps it.

    Attributes:
        id: Its id; for a block, that of the last line.
        lines: How many ids it takes.
        data: What was posted.
    """

    id: int
    lines: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What the engine keeps of the chat.

    The state may be newer than `last_id`: to apply the entries behind that again leads to the same state.

    Attributes:
        last_id: The id of the last entry of the log that the messages include.
        rooms: The last messages of each room, the oldest first; some more than the history of a room is long.
        state: What operators have set, by field.
    """

    last_id: int
    rooms: dict[str, list[Kept]]
    state: dict[str, bytes]


def load(engine: "Engine", last_id: int) -> Snapshot:
    """Load the last messages of the rooms, up to an id, and the state.

    Raises:
        EngineError: The engine is away, or refuses.
    """
    state = load_state(engine)
    names = sorted(name.decode(errors="replace") for name in engine.ask("SMEMBERS", ROOMS))
    rooms: dict[str, list[Kept]] = {}
    for first in range(0, len(names), AT_ONCE):
        some = names[first : first + AT_ONCE]
        requests = [("XREVRANGE", room_key(name), f"0-{last_id}", "-") for name in some]
        for name, reply in zip(some, engine.ask_all(requests), strict=True):
            if isinstance(reply, Exception):
                raise reply
            rooms[name] = list(_read_rows(reply))
    return Snapshot(last_id, rooms, state)


def load_state(engine: "Engine") -> dict[str, bytes]:
    """Load the state.

    Raises:
        EngineError: The engine is away, or refuses.
    """
    words = engine.ask("HGETALL", STATE)
    return {field.decode(errors="replace"): value for field, value in zip(words[::2], words[1::2], strict=True)}


def _read_rows(rows: Any) -> Iterator[Kept]:
    for name, words in reversed(rows):
        with contextlib.suppress(ValueError):  # another program has written there
            _, lines, _, data = words
            yield Kept(int(name.partition(b"-")[2]), int(lines), data)
