"""Topics, bans and mutes, as they hold now: all in memory, so that asking never waits for a disk."""

import datetime
import threading
from collections.abc import Callable, Collection, Iterable, Mapping

from sockctl.services.chat.ban_table import BanTable
from sockctl.services.chat.bans import Ban, Target, Topic
from sockctl.stores.timestamps import Clock, utc_now
from sockctl.text import clean

__all__ = ["ChatState"]

MAX_TOPICS = 1_000
"""Topics that are kept, as many as there may be rooms; beyond it the topic of a room that is gone goes first."""


class ChatState:
    """Topics, bans and mutes. Any thread may use it; nothing in it blocks.

    Args:
        clock: Returns the time, with a time zone.
        on_change: Called after each change, without a lock held.
        max_topics: How many topics are kept.

    Attributes:
        mutes_somebody: Whether there are mutes, lasting or not: while there are none, no message needs to ask more.
    """

    def __init__(
        self,
        *,
        clock: Clock = utc_now,
        on_change: Callable[[], None] = lambda: None,
        max_topics: int = MAX_TOPICS,
    ) -> None:
        self._clock = clock
        self._on_change = on_change
        self._max_topics = max_topics
        self._lock = threading.Lock()  # guards changes of the four below; bans may be asked for without it
        self._topics: dict[str, Topic] = {}
        self._bans = BanTable()
        self._mutes = BanTable()
        self.mutes_somebody = False

    # Topics.

    def find_topic(self, room: str) -> Topic | None:
        """Return a room's topic; None if it has none."""
        with self._lock:
            return self._topics.get(room)

    def set_topic(self, room: str, text: str, *, by: str, rooms: Collection[str] = ()) -> Topic | None:
        """Set a room's topic, and return it; an empty text removes it.

        Args:
            room: The room.
            text: The topic.
            by: The name of the member that sets it.
            rooms: The rooms that exist: their topics stay.
        """
        text = clean(text).strip()
        topic = Topic(text, clean(by), self._clock()) if text else None
        with self._lock:
            self._topics.pop(room, None)  # so that it comes last
            if topic is not None:
                self._topics[room] = topic
                if len(self._topics) > self._max_topics:
                    gone = (name for name in self._topics if name not in rooms)
                    del self._topics[next(gone, next(iter(self._topics)))]
        self._on_change()
        return topic

    # Bans.

    def ban(self, target: Target, *, by: str, time: datetime.timedelta | None = None) -> Ban:
        """Ban a target, and return the ban; it replaces an earlier one of the same target.

        Args:
            target: The target.
            by: The operator's name.
            time: For how long; None for good.
        """
        return self._add(self._bans, target, by, time)

    def unban(self, word: str) -> list[Ban]:
        """End the bans that an account, a name or an address names; return those that still lasted."""
        return self._remove(self._bans, word)

    def find_ban(self, *, account: str = "", token: str = "", address: str = "") -> Ban | None:
        """Return the ban of a user, of a guest's token, or of an IP address; None if none lasts."""
        return self._bans.find(self._clock(), account=account, token=token, address=address) if self._bans else None

    def list_bans(self) -> list[Ban]:
        """Return the bans that last, in the order in which they were made."""
        return self._bans.list_lasting(self._clock())

    # Mutes.

    def mute(self, target: Target, *, by: str, time: datetime.timedelta | None = None) -> Ban:
        """Mute a target; the rest is as for `ban`."""
        return self._add(self._mutes, target, by, time)

    def unmute(self, word: str) -> list[Ban]:
        """End the mutes that an account, a name or an address names; return those that still lasted."""
        return self._remove(self._mutes, word)

    def find_mute(self, *, account: str = "", name: str = "", token: str = "", address: str = "") -> Ban | None:
        """Return the mute of a member; None if none lasts."""
        return self._mutes.find(self._clock(), account=account, name=name, token=token, address=address)

    def list_mutes(self) -> list[Ban]:
        """Return the mutes that last, in the order in which they were made."""
        return self._mutes.list_lasting(self._clock())

    # For the file.

    def snapshot(self) -> tuple[dict[str, Topic], list[Ban], list[Ban]]:
        """Return the topics by room, the bans and the mutes, and forget those that are over."""
        now = self._clock()
        with self._lock:
            for table in (self._bans, self._mutes):
                table.remove(lambda ban: not ban.lasts(now))
            self.mutes_somebody = bool(self._mutes)
            return dict(self._topics), self._bans.list_lasting(now), self._mutes.list_lasting(now)

    def restore(self, topics: Mapping[str, Topic], bans: Iterable[Ban], mutes: Iterable[Ban]) -> None:
        """Take over topics by room, bans and mutes."""
        with self._lock:
            self._topics = dict(topics)
            self._bans = BanTable(bans)
            self._mutes = BanTable(mutes)
            self.mutes_somebody = bool(self._mutes)

    def _add(self, table: BanTable, target: Target, by: str, time: datetime.timedelta | None) -> Ban:
        now = self._clock()
        ban = Ban(target, clean(by), now, None if time is None else now + time)
        with self._lock:
            ban = table.add(ban)
            self.mutes_somebody = bool(self._mutes)
        self._on_change()
        return ban

    def _remove(self, table: BanTable, word: str) -> list[Ban]:
        with self._lock:
            removed = table.remove(lambda ban: ban.target.is_named(word))
            self.mutes_somebody = bool(self._mutes)
        if removed:
            self._on_change()
        now = self._clock()
        return [ban for ban in removed if ban.lasts(now)]
