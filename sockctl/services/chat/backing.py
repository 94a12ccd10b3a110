"""What a chat stands on: what saves it, brings what is said into order, and gives names."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Protocol

from sockctl.events.journal import Journal
from sockctl.services.chat.effects import Effects
from sockctl.services.chat.members import Members
from sockctl.services.chat.membership import Membership
from sockctl.services.chat.room_history import Store
from sockctl.services.chat.room_registry import RoomRegistry
from sockctl.services.chat.sequencer import LocalNames, LocalSequencer, Names, Sequencer
from sockctl.services.chat.settings import ChatLimits, ChatRules
from sockctl.services.chat.store import ChatStore, OnFailure, OnRecovery, StoredRoom


class Backing(Protocol):
    """What a chat stands on.

    Attributes:
        is_shared: Whether other servers have members of the same chat.
    """

    is_shared: bool

    def load(
        self, rules: ChatRules, *, on_failure: OnFailure, on_recovery: OnRecovery
    ) -> tuple[Store, Mapping[str, StoredRoom]]:
        """Return what saves the chat, and the rooms that were saved; blocks."""

    def make_members(
        self, *, find_reserved: Callable[[str, str], str], clock: Callable[[], float], limits: ChatLimits
    ) -> Members:
        """Return the registry of members, which is empty."""

    def connect(self, members: Members, rooms: RoomRegistry, effects: Effects) -> tuple[Sequencer, Names]:
        """Return what brings effects into order, and what gives names."""

    def start(self, membership: Membership, journal: Journal) -> None:
        """Begin; the chat calls it before the first client comes."""

    def tick(self, now: float) -> None:
        """Do what is due at `now`, on the monotonic clock; never blocks."""

    def count(self) -> dict[str, int]:
        """Return counts for the operator who watches the chat; any thread may call it."""

    def prepare_stop(self) -> None:
        """Refuse what can't be said; the clients are still there. Never blocks."""

    def close(self) -> None:
        """Save all that waits, and stop; blocks."""


class LocalBacking:
    """Files in a directory, and an order in memory. It is a `Backing`."""

    is_shared = False

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir
        self._store: ChatStore

    def load(
        self, rules: ChatRules, *, on_failure: OnFailure, on_recovery: OnRecovery
    ) -> tuple[Store, Mapping[str, StoredRoom]]:
        """Return the store, and the rooms that it has loaded.

        Raises:
            StoreError: A file can't be used.
        """
        self._store = ChatStore(self._data_dir, history=rules.history, on_failure=on_failure, on_recovery=on_recovery)
        return self._store, self._store.start()

    def connect(self, members: Members, rooms: RoomRegistry, effects: Effects) -> tuple[Sequencer, Names]:  # noqa: ARG002
        """Return what brings effects into order, and what gives names."""
        return LocalSequencer(members, effects), LocalNames(members, effects)

    def make_members(
        self, *, find_reserved: Callable[[str, str], str], clock: Callable[[], float], limits: ChatLimits
    ) -> Members:
        """Return the registry of members."""
        return Members(find_reserved=find_reserved, clock=clock, limits=limits)

    def start(self, membership: Membership, journal: Journal) -> None:
        """Nothing to begin."""

    def tick(self, now: float) -> None:
        """Nothing is due."""

    def count(self) -> dict[str, int]:
        """Return no counts."""
        return {}

    def prepare_stop(self) -> None:
        """Nothing to refuse: all is said at once."""

    def close(self) -> None:
        """Save all that waits for the disk."""
        self._store.close()
