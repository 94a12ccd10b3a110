"""Tells the clients of a server what they may miss: what the engine has lost, or what the server could not read."""

import threading
from collections.abc import Callable, Mapping
from typing import Any

from sockctl.cluster.entry import Lost, Missed

LOSS = "The servers' engine has lost what was said last: some heard it, some did not."
MISSED = "Something was said that this server could not read in time."
REMEMBERED = 10
"""The most losses in which this server still recognizes its part."""


class Losses:
    """Tells of losses. The log's reader alone uses it.

    A server that had read nothing of what the engine lost can't know of it: those who had read it tell the others.

    Args:
        tell: Tells all clients of this server a text, with a code.
        ask: Asks all servers who is where, since that may be lost, too; and tells them what this server has lost.
        load_state: Loads topics, bans and mutes again; blocks.
    """

    def __init__(
        self,
        *,
        tell: Callable[[str, str], None],
        ask: Callable[[Mapping[str, Any]], None],
        load_state: Callable[[], None],
    ) -> None:
        self._tell = tell
        self._ask = ask
        self._load_state = load_state
        self._read_ids: dict[int, int] = {}  # the last id that this server had read, by the last one before an epoch

    def note_epoch(self, previous: int, *, read_id: int) -> None:
        """Note an epoch: the last id before it, and the last one that this server had read."""
        self._read_ids[previous] = read_id
        if len(self._read_ids) > REMEMBERED:
            del self._read_ids[next(iter(self._read_ids))]

    def take(self, one: Lost | Missed) -> None:
        """Tell of a loss that this server has noticed itself."""
        if isinstance(one, Lost):
            self._tell(LOSS, "lost")
            self._ask({"previous": one.previous, "upto": one.upto})
        else:
            self._tell(MISSED, "missed")
            threading.Thread(target=self._load_state, name="sockctl-chat-state", daemon=True).start()
            self._ask({})

    def hear(self, told: Mapping[str, Any]) -> None:
        """Hear of a loss from another server; tell of it if this one had read nothing of what is lost."""
        if not told:
            return
        previous, upto = told["previous"], told["upto"]
        if self._read_ids.get(previous, upto) <= previous < upto:
            self._read_ids[previous] = upto
            self._tell(LOSS, "lost")
