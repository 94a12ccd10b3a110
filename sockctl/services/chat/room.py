"""A room: its messages have one order, and all members hear them in that order.

The room queues each event under its lock, which gives ids and the order. One thread at a time processes the queue: the
first thread that finds no other one doing so, until the queue is empty. So no thread sends under the lock or waits for
a network, and each client receives all queued events in one piece. Joining and leaving are events as well: a joining
client hears all events behind its own joining, and receives those before as history.
"""

import threading
from collections.abc import Callable, Collection, Sequence
from itertools import groupby
from json.encoder import encode_basestring

from sockctl.protocol.messages import Message
from sockctl.services.chat.audience import Audience
from sockctl.services.chat.blocks import encode_block, make_block
from sockctl.services.chat.commands import LOBBY
from sockctl.services.chat.history import JOINING_BYTES, History, HistoryBudget
from sockctl.services.chat.history_entry import HistoryEntry, filter_ignored
from sockctl.services.chat.member import Client
from sockctl.services.chat.room_event import (
    Join,
    Leave,
    Movement,
    RoomEvent,
    Told,
    make_joined,
    make_left,
)
from sockctl.services.chat.room_history import RoomHistory, Store
from sockctl.services.chat.room_info import RoomInfo
from sockctl.services.chat.room_news import RoomNews
from sockctl.services.chat.settings import ChatLimits


class Room:
    """One room. Any thread may use it; it never blocks.

    Args:
        name: Its name, such as ``#lobby``.
        store: Saves the messages and the topic.
        history: The messages so far; it limits how many the room remembers.
        last_id: The id of the last message.
        limits: From how many members on the room is large.
        budget: The memory of all histories together.
        used_at: When the room last had a member, on the monotonic clock; the registry sets it.

    Attributes:
        info: Tells clients about the room.
    """

    def __init__(
        self,
        name: str,
        *,
        store: Store,
        history: History,
        last_id: int,
        limits: ChatLimits,
        budget: HistoryBudget,
        used_at: float = 0.0,
    ) -> None:
        self.name = name
        self.used_at = used_at
        self._told_singly = limits.told_singly
        self._audience = Audience()
        self.info = RoomInfo(name, self._audience, store.state, told_singly=limits.told_singly)
        self._news = RoomNews(name, self._audience, self.info, told_singly=limits.told_singly)
        self._lock = threading.Lock()  # guards what follows, to `_busy`
        self._history = RoomHistory(name, history, store=store, budget=budget)
        self.last_id = last_id
        self._queue: list[Told | Movement] = []
        self._busy = False  # whether a thread processes the queue

    @property
    def names(self) -> list[str]:
        """The names of the members, in the order in which they joined."""
        return self._audience.list_names()

    @property
    def is_empty(self) -> bool:
        """Whether no member is in the room, or about to join."""
        with self._lock:
            return self._audience.is_empty and not self._queue

    @property
    def count(self) -> int:
        """The number of members."""
        return len(self._audience)

    @property
    def is_large(self) -> bool:
        """Whether the room tells movements in sums."""
        return self.count > self._told_singly

    # History.

    @property
    def remembered(self) -> int:
        """How many messages are remembered."""
        with self._lock:
            return len(self._history)

    @property
    def history_bytes(self) -> int:
        """The memory of the history."""
        with self._lock:
            return self._history.size_bytes

    def list_history(self, count: int, *, without: Collection[str] = ()) -> Sequence[HistoryEntry]:
        """Return the last `count` messages, without those of some author keys."""
        with self._lock:
            entries = self._history.list_all()
        return filter_ignored(entries, without)[-count:]

    def forget(self) -> None:
        """Forget all messages."""
        with self._lock:
            self._history.forget()

    def forget_oldest(self, size_bytes: int) -> None:
        """Forget the oldest messages until `size_bytes` are free."""
        with self._lock:
            self._history.forget_oldest(size_bytes)

    def miss(self, last_id: int) -> None:
        """Forget all messages here: some up to an id were never heard. A client that saw less is told so."""
        with self._lock:
            self._history.miss(last_id)

    # Queueing events. The caller calls `process_pending` or `process_soon` afterwards.

    def say(self, client: Client, texts: Sequence[str], at: str, *, action: bool = False) -> None:
        """Queue texts of a member.

        Args:
            client: The client that sent them.
            texts: The texts.
            at: The time, as RFC 3339 has it.
            action: Whether they say what the member does.
        """
        # As `encode_message` and `format_line`, which would encode the same parts each time: 6 µs a message, not 0.7.
        member = client.member
        name, key = member.name, member.author_key
        account = f',"account":"{key}"' if key != member.key else ""
        head = f',"room":"{self.name}","sender":"{name}"{account},"id":'
        tail = f',"at":"{at}"' + (',"action":true}' if action else "}")
        shown = f"* {name} " if action else f"<{name}> "
        shown = shown if self.name == LOBBY else f"{self.name} {shown}"
        frames: list[bytes] = []
        lines: list[str] = []
        entries: list[HistoryEntry] = []
        with self._lock:
            for text in texts:
                self.last_id += 1
                json = f'{{"kind":"say","text":{encode_basestring(text)}{head}{self.last_id}{tail}'.encode()
                frames += (len(json).to_bytes(4, "big"), json)
                lines.append(f"{shown}{text}\r\n")
                entries.append(HistoryEntry(self.last_id, json, key))
            self._history.add(entries)
            self._queue.append(RoomEvent(b"".join(frames), "".join(lines).encode(), client, key))

    def say_block(self, client: Client, lines: Sequence[str], at: str) -> None:
        """Queue a block of a member: each of its lines takes an id."""
        with self._lock:
            self.last_id += len(lines)
            one, json = make_block(client.member, lines, room=self.name, at=at, last_id=self.last_id)
            event, entry = encode_block(one, json, sender=client, key=client.member.author_key)
            self._history.add([entry])
            self._queue.append(event)

    def hear(self, entries: Sequence[HistoryEntry], events: Sequence[Told]) -> None:
        """Queue what a log has told of the room.

        Args:
            entries: The messages for the history; their ids come from the log.
            events: What the members hear.
        """
        with self._lock:
            self.last_id = entries[-1].id
            self._history.add(entries)
            self._queue += events

    def join(
        self,
        client: Client,
        *,
        new: bool,
        after: int,
        then: Message | None = None,
        most_bytes: int = JOINING_BYTES,
        is_told: bool = True,
    ) -> int:
        """Queue the joining of a client.

        Args:
            client: The client.
            new: Whether its member joins with it.
            after: The last id that it has seen before, or `NOTHING`.
            then: The message that the room sends to it last; None for none.
            most_bytes: The most bytes of history that the room sends to it.
            is_told: Whether its member is in the room then; else an `Enter` follows.

        Returns:
            The bytes of history that the room will send to it.
        """
        member = client.member
        news = make_joined(member.name, self.name)
        with self._lock:
            history, missed = self._history.select_unseen(after, most_bytes=most_bytes)
            told = news if new else None
            self._queue.append(Join(told, member.author_key, client, history, missed, then, is_told=is_told))
        return sum([one.told_bytes for one in history])

    def leave(
        self,
        client: Client,
        *,
        reason: str | None,
        then: Callable[[], None] | None = None,
        stays: Callable[[], bool] | None = None,
    ) -> None:
        """Queue the leaving of a client.

        Args:
            client: The client.
            reason: Why its member leaves with it, for the others; None if that is no news to them.
            then: As `Leave` has it.
            stays: As `Leave` has it.
        """
        member = client.member
        news = None if reason is None else make_left(member.name, self.name, reason)
        self.enqueue(Leave(news, member.author_key, client, then, stays))

    def enqueue(self, event: Told | Movement) -> None:
        """Queue any event."""
        with self._lock:
            self._queue.append(event)

    def set_listener(self, client: Client) -> None:
        """Let a client hear the room whether its member is in it or not; before any member joins."""
        self._audience.set_listener(client)

    def tell_sums(self) -> None:
        """Tell how many members of a large room have joined, left and taken another name since the last call."""
        self.info.drop_told_history()
        if sums := self._news.take_sums():
            with self._lock:
                self._queue += sums
            self.process_pending()

    # Processing them: one thread at a time.

    def process_soon(self, client: Client) -> None:
        """Process the queue a moment later, so that the events of many clients make one batch."""
        if client.peer is not None:
            client.peer.call_soon(self.process_pending)
        else:
            self.process_pending()

    def process_pending(self) -> None:
        """Process the queue, unless another thread is doing so."""
        with self._lock:
            if self._busy:
                return
            self._busy = True
        try:
            while True:
                with self._lock:
                    events, self._queue = self._queue, []
                    self._busy = bool(events)
                if not events:
                    return
                for kind, run in groupby(events, key=type):
                    self._news.process(kind, run)
        except BaseException:
            with self._lock:
                self._busy = False
            raise
