"""Tells the clients of a server what they may miss: what the engine has lost, or what the server could not read."""

import contextlib
from collections.abc import Callable, Mapping
from typing import Any

from sockctl.cluster.entry import Lost, Missed
from sockctl.errors import SockctlError

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
        load_state: Loads topics, bans and mutes again, or raises a SockctlError; blocks.
        forget: Lets all rooms forget what was said up to an id.
    """

    def __init__(
        self,
        *,
        tell: Callable[[str, str], None],
        ask: Callable[[Mapping[str, Any]], None],
        load_state: Callable[[], None],
        forget: Callable[[int], None],
    ) -> None:
        self._tell = tell
        self._ask = ask
        self._load_state = load_state
        self._forget = forget
        self._is_stale = False  # whether the state may lack what was missed
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
            self._forget(one.before - 1)  # else a client that comes back would miss it without a word
            self._tell(MISSED, "missed")
            self._ask({})
            self._is_stale = True
            self._load_if_stale()

    def hear(self, told: Mapping[str, Any]) -> None:
        """Hear of a loss from another server; tell of it if this one had read nothing of what is lost."""
        self._load_if_stale()
        if not told:
            return
        previous, upto = told["previous"], told["upto"]
        if self._read_ids.get(previous, upto) <= previous < upto:
            self._read_ids[previous] = upto
            self._tell(LOSS, "lost")

    def _load_if_stale(self) -> None:
        """Load the state, in the reader's thread: in another one, it would undo what the reader applies meanwhile."""
        if self._is_stale:
            with contextlib.suppress(SockctlError):  # the engine is away again: the answer to `ask` tries once more
                self._load_state()
                self._is_stale = False
