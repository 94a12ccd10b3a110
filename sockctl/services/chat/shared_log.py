"""What a chat on several servers needs of the log that they share."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Protocol

from sockctl.cluster.node_settings import Callbacks
from sockctl.cluster.posting import Posting
from sockctl.cluster.snapshot import Snapshot
from sockctl.events.base import Event
from sockctl.services.chat.settings import ChatRules


class Log(Protocol):
    """A server's share in the log, of which `sockctl.cluster.node.Node` says more. Any thread may use it."""

    @property
    def name(self) -> str:
        """The name of this server; another one when the others have given it up."""

    @property
    def others(self) -> Sequence[str]:
        """The names of the other servers that were there at first."""

    @property
    def clock_offset_s(self) -> float:
        """What the clock of the log shows more than that of this machine."""

    def load(self) -> Snapshot:
        """Load the last messages of the rooms, and the state; blocks."""

    def load_state(self) -> Mapping[str, bytes]:
        """Load the state alone; blocks."""

    def start(self, emit: Callable[[Event], None]) -> None:
        """Begin to read and to post."""

    def post(self, posting: Posting, *, first: bool = False) -> bool:
        """Post something, with `first` in front of all that waits; return False if too much waits. Never blocks."""

    def claim(self, key: str, member: str, *, skeletons: Collection[str], data: bytes, alone: bool) -> int:
        """Claim a name, and return the id of the entry that says so; blocks."""

    def wait_until_read(self, entry_id: int, timeout_s: float) -> bool:
        """Wait until this server has read an entry; blocks."""

    def holds(self, member: str) -> bool:
        """Return whether it is open if something of a member, by its id, is said. Never blocks."""

    def prepare_stop(self) -> None:
        """Refuse what members have said and will say if it can't be posted. Never blocks."""

    def stop(self) -> None:
        """Post what waits, and stop; blocks."""


MakeLog = Callable[[Callbacks, ChatRules], Log]
"""Connects a server to the log, given what the log tells and the rules in which all servers must agree."""
