"""What operators and members have decided, as it holds now: topics, bans and mutes.

All of it is in memory: who asks never waits for a disk.
"""

import datetime
import threading

from sockctl.protocol.names import checked_name, same_name_key
from sockctl.protocol.safe_text import clean
from sockctl.services.chat.bans import Ban, Network, Topic, network_of, shown_network
from sockctl.services.chat.rulings_form import ban_fields, read_ban, read_topic, topic_fields
from sockctl.stores.json_store import Content
from sockctl.stores.moments import Clock, utc_now

__all__ = ["Rulings"]

MAX_TOPICS = 1_000
"""Topics that are kept; one more, and the one that was set longest ago goes."""


class Rulings:
    """Topics, bans and mutes. Any thread may use them; nothing here blocks.

    Args:
        clock: Returns the time, with a time zone.
    """

    def __init__(self, *, clock: Clock = utc_now) -> None:
        self._clock = clock
        self._rulings_lock = threading.Lock()  # guards the four below; whether one is empty may be seen without it
        self._topics: dict[str, Topic] = {}
        self._banned_names: dict[str, Ban] = {}
        self._banned_networks: dict[Network, Ban] = {}
        self._mutes: dict[str, Ban] = {}

    # Topics.

    def topic(self, room: str) -> Topic | None:
        """Return a room's topic; None if it has none."""
        with self._rulings_lock:
            return self._topics.get(room)

    def set_topic(self, room: str, text: str, *, by: str) -> Topic | None:
        """Set a room's topic, and return it; an empty text takes it away."""
        text = clean(text).strip()
        topic = Topic(text, clean(by), self._clock()) if text else None
        with self._rulings_lock:
            self._topics.pop(room, None)  # so that it comes last
            if topic is not None:
                self._topics[room] = topic
                if len(self._topics) > MAX_TOPICS:
                    del self._topics[next(iter(self._topics))]
        self._changed()
        return topic

    # Bans.

    def ban(self, who: str, *, by: str, time: datetime.timedelta | None = None) -> Ban:
        """Keep somebody out from now on, and return the ban; it takes the place of an earlier one.

        Args:
            who: An IP address or network (see `network_of`), else a user's name.
            by: Who decides it.
            time: For how long; None for good.

        Raises:
            NameRefusedError: It is no address, and can't be a user's name either.
        """
        network = network_of(who)
        made = self._made(
            checked_name(who) if network is None else shown_network(network), network is not None, by, time
        )
        with self._rulings_lock:
            if network is None:
                self._banned_names[same_name_key(made.who)] = made
            else:
                self._banned_networks[network] = made
        self._changed()
        return made

    def unban(self, who: str) -> bool:
        """End the ban of exactly this name, address or network, and return whether there was one."""
        network = network_of(who)
        with self._rulings_lock:
            if network is None:
                ended = self._banned_names.pop(same_name_key(who.strip()), None)
            else:
                ended = self._banned_networks.pop(network, None)
        return self._ended(ended)

    def banned(self, *, address: str = "", name: str = "") -> Ban | None:
        """Return the ban that keeps a user or a client's IP address out; None if there is none that lasts."""
        if not self._banned_names and not self._banned_networks:
            return None
        now = self._clock()
        network = network_of(address)
        with self._rulings_lock:
            ban = self._banned_names.get(same_name_key(name))
            if ban is not None and ban.lasts(now):
                return ban
            if network is None:
                return None
            first = network.network_address
            return next((ban for own, ban in self._banned_networks.items() if first in own and ban.lasts(now)), None)

    def bans(self) -> list[Ban]:
        """Return the bans that last: names first, then addresses, each in the order in which they were made."""
        now = self._clock()
        with self._rulings_lock:
            return [ban for ban in (*self._banned_names.values(), *self._banned_networks.values()) if ban.lasts(now)]

    # Mutes.

    def mute(self, name: str, *, by: str, time: datetime.timedelta | None = None) -> Ban:
        """Keep a user from speaking, for good where `time` is None.

        Raises:
            NameRefusedError: It can't be a user's name.
        """
        made = self._made(checked_name(name), False, by, time)
        with self._rulings_lock:
            self._mutes[same_name_key(made.who)] = made
        self._changed()
        return made

    def unmute(self, name: str) -> bool:
        """Let a user speak again, and return whether there was a mute."""
        with self._rulings_lock:
            ended = self._mutes.pop(same_name_key(name.strip()), None)
        return self._ended(ended)

    def muted(self, name: str) -> Ban | None:
        """Return the mute of a user; None if there is none that lasts. Costs next to nothing while nobody is muted."""
        if not self._mutes:
            return None
        with self._rulings_lock:
            mute = self._mutes.get(same_name_key(name))
        return mute if mute is not None and mute.lasts(self._clock()) else None

    def mutes(self) -> list[Ban]:
        """Return the mutes that last."""
        now = self._clock()
        with self._rulings_lock:
            return [mute for mute in self._mutes.values() if mute.lasts(now)]

    # As a file has them.

    def _changed(self) -> None:
        """Take note that something was decided; called without a lock held."""

    def _content(self) -> Content:
        """Return all that holds, as the file has it, and forget what is over."""
        now = self._clock()
        with self._rulings_lock:
            self._banned_names = {own: ban for own, ban in self._banned_names.items() if ban.lasts(now)}
            self._banned_networks = {own: ban for own, ban in self._banned_networks.items() if ban.lasts(now)}
            self._mutes = {own: mute for own, mute in self._mutes.items() if mute.lasts(now)}
            return {
                "topics": {room: topic_fields(topic) for room, topic in self._topics.items()},
                "bans": [
                    *map(ban_fields, self._banned_names.values()),
                    *map(ban_fields, self._banned_networks.values()),
                ],
                "mutes": [*map(ban_fields, self._mutes.values())],
            }

    def _take(self, content: Content) -> None:
        """Take what a file that was checked has."""
        bans = [read_ban(entry) for entry in content["bans"]]
        with self._rulings_lock:
            self._topics = {room: read_topic(entry) for room, entry in content["topics"].items()}
            self._banned_names = {same_name_key(ban.who): ban for ban in bans if not ban.is_address}
            networks = ((network_of(ban.who), ban) for ban in bans if ban.is_address)
            self._banned_networks = {network: ban for network, ban in networks if network is not None}
            self._mutes = {same_name_key(entry["name"]): read_ban(entry) for entry in content["mutes"]}

    def _made(self, who: str, is_address: bool, by: str, time: datetime.timedelta | None) -> Ban:
        now = self._clock()
        return Ban(who, is_address, clean(by), now, None if time is None else now + time)

    def _ended(self, ended: Ban | None) -> bool:
        if ended is None:
            return False
        self._changed()
        return ended.lasts(self._clock())
