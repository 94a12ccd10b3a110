"""What operators and members have decided, as it holds now: topics, bans and mutes.

All of it is in memory: who asks never waits for a disk.
"""

import datetime
import threading
from collections.abc import Collection

from sockctl.services.chat.ban_table import BanTable
from sockctl.services.chat.bans import Ban, Target, Topic
from sockctl.services.chat.state_file import ban_fields, read_ban, read_topic, topic_fields
from sockctl.stores.json_store import Content
from sockctl.stores.timestamps import Clock, utc_now
from sockctl.text import clean

__all__ = ["ChatState"]

MAX_TOPICS = 1_000
"""Topics that are kept, as many as there may be rooms; one more, and that of a room that has gone goes first."""


class ChatState:
    """Topics, bans and mutes. Any thread may use them; nothing here blocks.

    Args:
        clock: Returns the time, with a time zone.
    """

    def __init__(self, *, clock: Clock = utc_now) -> None:
        self._clock = clock
        self._rulings_lock = threading.Lock()  # guards changes of the three below; bans may be asked for without it
        self._topics: dict[str, Topic] = {}
        self._bans = BanTable()
        self._mutes = BanTable()

    # Topics.

    def topic(self, room: str) -> Topic | None:
        """Return a room's topic; None if it has none."""
        with self._rulings_lock:
            return self._topics.get(room)

    def set_topic(self, room: str, text: str, *, by: str, rooms: Collection[str] = ()) -> Topic | None:
        """Set a room's topic, and return it; an empty text takes it away.

        Args:
            room: The room.
            text: The topic.
            by: Who sets it.
            rooms: The rooms that are there: their topics stay.
        """
        text = clean(text).strip()
        topic = Topic(text, clean(by), self._clock()) if text else None
        with self._rulings_lock:
            self._topics.pop(room, None)  # so that it comes last
            if topic is not None:
                self._topics[room] = topic
                if len(self._topics) > MAX_TOPICS:
                    gone = (name for name in self._topics if name not in rooms)
                    del self._topics[next(gone, next(iter(self._topics)))]
        self._changed()
        return topic

    # Bans.

    def ban(self, target: Target, *, by: str, time: datetime.timedelta | None = None) -> Ban:
        """Keep somebody out from now on, and return the ban; it replaces an earlier one of the same target.

        Args:
            target: For whom it holds.
            by: Who decides it.
            time: For how long; None for good.
        """
        return self._add(self._bans, target, by, time)

    def unban(self, word: str) -> list[Ban]:
        """End the bans that an account, a name or an address names; return those that still lasted."""
        return self._remove(self._bans, word)

    def banned(self, *, account: str = "", token: str = "", address: str = "") -> Ban | None:
        """Return the ban that keeps out a user, a guest with a token, or a client's IP address; None if none lasts."""
        return self._bans.find(self._clock(), account=account, token=token, address=address) if self._bans else None

    def bans(self) -> list[Ban]:
        """Return the bans that last, in the order in which they were made."""
        return self._bans.all(self._clock())

    # Mutes.

    def mute(self, target: Target, *, by: str, time: datetime.timedelta | None = None) -> Ban:
        """Keep somebody from speaking; the rest is as for `ban`."""
        return self._add(self._mutes, target, by, time)

    def unmute(self, word: str) -> list[Ban]:
        """End the mutes that an account, a name or an address names; return those that still lasted."""
        return self._remove(self._mutes, word)

    @property
    def mutes_somebody(self) -> bool:
        """Whether there is any mute: so that each message needn't ask more while there is none."""
        return bool(self._mutes)

    def muted(self, *, account: str = "", name: str = "", token: str = "", address: str = "") -> Ban | None:
        """Return the mute that holds for a member; None if none lasts."""
        return self._mutes.find(self._clock(), account=account, name=name, token=token, address=address)

    def mutes(self) -> list[Ban]:
        """Return the mutes that last."""
        return self._mutes.all(self._clock())

    # As a file has them.

    def _changed(self) -> None:
        """Take note that something was decided; called without a lock held."""

    def _content(self) -> Content:
        """Return all that holds, as the file has it, and forget what is over."""
        now = self._clock()
        with self._rulings_lock:
            for table in (self._bans, self._mutes):
                table.remove(lambda ban: not ban.lasts(now))
            return {
                "topics": {room: topic_fields(topic) for room, topic in self._topics.items()},
                "bans": [*map(ban_fields, self._bans.all(now))],
                "mutes": [*map(ban_fields, self._mutes.all(now))],
            }

    def _take(self, content: Content) -> None:
        """Take what a file that was checked has."""
        with self._rulings_lock:
            self._topics = {room: read_topic(entry) for room, entry in content["topics"].items()}
            self._bans = BanTable(map(read_ban, content["bans"]))
            self._mutes = BanTable(map(read_ban, content["mutes"]))

    def _add(self, table: BanTable, target: Target, by: str, time: datetime.timedelta | None) -> Ban:
        now = self._clock()
        made = Ban(target, clean(by), now, None if time is None else now + time)
        with self._rulings_lock:
            made = table.add(made)
        self._changed()
        return made

    def _remove(self, table: BanTable, word: str) -> list[Ban]:
        with self._rulings_lock:
            removed = table.remove(lambda ban: ban.target.is_named(word))
        if removed:
            self._changed()
        now = self._clock()
        return [ban for ban in removed if ban.lasts(now)]
