"""A member of the chat, and the clients through which it chats."""

import datetime
import math
import secrets
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator
from typing import Any, NamedTuple

from sockctl.events.reasons import Reason
from sockctl.net.peer import Peer
from sockctl.protocol.messages import Message, message
from sockctl.protocol.names import same_name_key
from sockctl.token_bucket import TokenBucket

CAPABILITIES = ("blocks", "typing")
"""What a client may say in its `hello` that it `can` show; the chat says the same in its `welcome`."""
NOTHING = -1
"""Stands for the last id seen where none is known; 0 says that there was nothing to see."""


class Identity(NamedTuple):
    """Identifies a member for good, whatever its name is now.

    Attributes:
        token: A guest's token; empty for a user.
        account: The user's name; empty for a guest.
        name: The name that the member had then.
    """

    token: str
    account: str
    name: str


class FloodLimit:
    """Lets `burst` messages of a member pass at once, then `rate` a second. Any thread may use it.

    A message that costs more than `burst` passes after a rest; the member then waits until the rate has paid for it.
    """

    __slots__ = ("_bucket", "_lock")

    def __init__(self, burst: float, rate: float) -> None:
        self._lock = threading.Lock()  # guards the bucket: a member may speak through several clients
        self._bucket = TokenBucket(rate=rate, burst=burst)

    def allow(self, cost: float = 1.0) -> bool:
        """Return whether a message that costs `cost` may pass; if so, count it."""
        with self._lock:
            return self._bucket.accept(time.monotonic(), cost)


class Member:
    """A person or program in the chat, with one client or several.

    Attributes:
        name: The name, as the member chose it.
        key: The key of the name: equal for names that are the same.
        author_key: Identifies it to members that ignore it: the account, or for a guest the key of the name.
        account: The user's name, for a member who is logged in; else empty.
        operator: Whether the member may use the operators' commands.
        since: When the member came.
        clients: Its clients. Guarded by the lock of `Members`.
        arriving: How many clients are about to be attached; until then the member can't be gone. Guarded as `clients`.
        rooms: The names of its rooms, the one joined last at the end. Guarded as `clients`.
        ignored: The author keys of the members that it ignores.
        quiet: Whether it isn't told of joining and leaving members.
        away: The text that says why it is away; empty while it is here.
        active_at: When it said or typed something last, on the monotonic clock.
        typed_at: When a typing mark of it was passed on last.
        reply_to: The member that wrote privately last: `/reply` answers it.
        token: Brings a guest's name back.
        last_address: The IP address of the client that left last; empty where none ever left.
        flood: Limits how fast the member may speak; None for no limit.
    """

    __slots__ = (
        "account",
        "active_at",
        "arriving",
        "author_key",
        "away",
        "clients",
        "flood",
        "ignored",
        "key",
        "last_address",
        "name",
        "operator",
        "quiet",
        "reply_to",
        "rooms",
        "since",
        "token",
        "typed_at",
    )

    def __init__(
        self,
        name: str,
        *,
        since: datetime.datetime,
        account: str = "",
        operator: bool = False,
        flood: FloodLimit | None = None,
    ) -> None:
        self.account = account
        self.rename(name)
        self.operator = operator
        self.since = since
        self.clients: list[Client] = []
        self.arriving = 0
        self.rooms: dict[str, None] = {}
        self.ignored: frozenset[str] = frozenset()
        self.quiet = False
        self.away = ""
        self.active_at = time.monotonic()
        self.typed_at = -math.inf
        self.last_address = ""
        self.flood = flood
        self.reply_to: Identity | None = None
        self.token = "" if account else secrets.token_urlsafe(32)

    def rename(self, name: str) -> None:
        """Set the name and its keys."""
        self.name, self.key = name, same_name_key(name)
        self.author_key = self.account or self.key

    @property
    def identity(self) -> Identity:
        """The member's identity."""
        return Identity(self.token, self.account, self.name)

    def restore(self, departed: "Member") -> None:
        """Restore the departed member's token, flood limit and preferences."""
        self.token, self.flood = departed.token, departed.flood
        self.ignored, self.quiet, self.reply_to = departed.ignored, departed.quiet, departed.reply_to
        self.away = departed.away


class Client(ABC):
    """One client of a member. Its state belongs to the thread that processes its messages.

    Attributes:
        member: The member.
        framed: Whether the client gets frames; else lines.
        room: The name of the room in which it speaks; empty for none.
        watched: Whether the event loop watches it; before that, its handler thread may still wait for it.
        leaving: Whether it is being closed: its messages don't count any more.
        peer: Its connection; None where it has none.
        shows_blocks: Whether it gets a block as one message.
        shows_typing: Whether it is told who types.
    """

    __slots__ = ("framed", "leaving", "member", "peer", "room", "shows_blocks", "shows_typing", "watched")

    def __init__(
        self, member: Member, *, framed: bool, peer: Peer | None = None, can: Collection[str] = frozenset()
    ) -> None:
        self.member = member
        self.peer = peer
        self.framed = framed
        self.shows_blocks = framed and "blocks" in can
        self.shows_typing = framed and "typing" in can
        self.room = ""
        self.watched = True
        self.leaving = False

    def tell(self, kind: str, text: str, **fields: Any) -> None:
        """Send a reply of the chat's own; never waits, and never makes the client a slow reader."""
        self.reply(message(kind, text, **fields))

    @property
    @abstractmethod
    def address(self) -> str:
        """The client's IP address; empty for the server's terminal."""

    @property
    @abstractmethod
    def is_backlogged(self) -> bool:
        """Whether the client has as much waiting as a slow reader: then it gets nothing that can wait."""

    @abstractmethod
    def reply(self, one: Message) -> None:
        """Send a reply of the chat's own, as `tell` does."""

    @abstractmethod
    def reply_encoded(self, data: bytes) -> None:
        """Send replies that are encoded for the client's wire."""

    @abstractmethod
    def replay(self, messages: Iterator[Message]) -> None:
        """Send a long answer; the rest of it follows piece by piece.

        Args:
            messages: The answer; each message but the last one says `more`.

        Raises:
            CommandError: Another long answer is still on its way.
        """

    @abstractmethod
    def post(self, one: Message) -> None:
        """Send another member's message; never waits."""

    @abstractmethod
    def post_encoded(self, data: bytes) -> None:
        """Send other members' messages, encoded for the client's wire; never waits."""

    @abstractmethod
    def close(self, reason: Reason) -> None:
        """Close the client's connection."""
