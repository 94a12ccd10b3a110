"""The present topics, bans and mutes, all in memory, so that a look-up never waits for a disk."""

import threading
from collections.abc import Callable, Collection, Iterable, Mapping

from sockctl.services.chat.ban_table import BanTable
from sockctl.services.chat.bans import Ban, Topic
from sockctl.stores.timestamps import Clock, read_utc_clock
from sockctl.text import clean

MAX_TOPICS = 1_000
"""The most topics, as many as there may be rooms; beyond it, the topic of a dropped room goes first."""


class ChatState:
    """Topics, bans and mutes. Any thread may use it; nothing in it blocks.

    Args:
        clock: Returns the time, with a time zone.
        on_change: Called after each change, without a lock held.
        max_topics: The most topics.

    Attributes:
        bans: The bans.
        mutes: The mutes.
    """

    def __init__(
        self,
        *,
        clock: Clock = read_utc_clock,
        on_change: Callable[[], None] = lambda: None,
        max_topics: int = MAX_TOPICS,
    ) -> None:
        self._clock = clock
        self._on_change = on_change
        self._max_topics = max_topics
        self._lock = threading.Lock()  # guards the topics
        self._topics: dict[str, Topic] = {}
        self.bans = BanTable(clock=clock, on_change=on_change)
        self.mutes = BanTable(clock=clock, on_change=on_change)

    def find_topic(self, room: str) -> Topic | None:
        """Return a room's topic; None if it has none."""
        with self._lock:
            return self._topics.get(room)

    def make_topic(self, text: str, *, by: str) -> Topic | None:
        """Return a topic, which `put_topic` sets; None for an empty text."""
        text = clean(text).strip()
        return Topic(text, clean(by), self._clock()) if text else None

    def put_topic(self, room: str, topic: Topic | None, *, rooms: Collection[str] = ()) -> None:
        """Set a room's topic, or remove it with None; the topics of `rooms` stay, whatever the number of topics."""
        with self._lock:
            self._topics.pop(room, None)  # so that it comes last
            if topic is not None:
                self._topics[room] = topic
                if len(self._topics) > self._max_topics:
                    gone = (name for name in self._topics if name not in rooms)
                    del self._topics[next(gone, next(iter(self._topics)))]
        self._on_change()

    def list_topics(self) -> dict[str, Topic]:
        """Return the topics by room."""
        with self._lock:
            return dict(self._topics)

    def restore(self, topics: Mapping[str, Topic], bans: Iterable[Ban], mutes: Iterable[Ban]) -> None:
        """Replace all topics by room, bans and mutes."""
        with self._lock:
            self._topics = dict(topics)
        self.bans.restore(bans)
        self.mutes.restore(mutes)
