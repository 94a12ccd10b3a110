"""A member of the chat, and the clients through which it chats."""

import datetime
import hashlib
import math
import secrets
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator
from typing import Any, NamedTuple

from sockctl.events.reasons import Reason
from sockctl.net.peer import Peer
from sockctl.protocol.messages import Message, make_message
from sockctl.protocol.names import make_name_key
from sockctl.token_bucket import TokenBucket

CAPABILITIES = ("blocks", "typing")
"""What a client may say in its `hello` that it `can` show; the chat says the same in its `welcome`."""
NOTHING = -1
"""Stands for an unknown last id; 0 means that the client has seen an empty room."""


class Identity(NamedTuple):
    """Identifies a member for good, even if its name changes.

    Attributes:
        id: The member's id.
        name: The name that the member had then.
    """

    id: str
    name: str


def make_user_id(account: str) -> str:
    """Return the id of the member that is logged in as a user."""
    return f"a:{account}"


def make_guest_id(token: str) -> str:
    """Return the id of a token's guest, which does not tell the token."""
    return f"g:{hashlib.sha256(token.encode(errors='surrogatepass')).hexdigest()}"


class FloodLimit:
    """Lets `burst` messages of a member pass at once, then `rate` a second. Any thread may use it.

    A message that costs more than `burst` passes once the bucket is full; the member then waits until the rate has paid
    for it.
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
        id: Identifies the member for good: the account, or the SHA-256 of a guest's token.
        name: The name, as the member chose it.
        key: The key of the name: equal for names that are the same.
        author_key: Identifies the member to members that ignore it: the account, or a guest's key.
        account: The user's name, for a member that is logged in; else empty.
        operator: Whether the member may use the operators' commands.
        since: When the member came.
        clients: Its clients. Guarded by the lock of `Members`.
        arriving: How many clients `Members` is about to attach; the member stays meanwhile. Guarded as `clients`.
        rooms: The names of its rooms, the one joined last at the end. Guarded as `clients`.
        ignored: The author keys of the members whose messages it doesn't hear.
        quiet: Whether it doesn't hear who joins and leaves.
        away: The text that says why the member is away; empty while it is here.
        active_at: When the member last said or typed something, on the monotonic clock.
        typed_at: When the chat last passed on a typing mark of the member, on the monotonic clock.
        reply_to: The member that last wrote to it in private: `/reply` answers that one.
        token: The token that lets a guest resume its name.
        last_address: The IP address of the client that left last; empty where none has left.
        elsewhere: The IP addresses of its clients on other servers, as far as they are known.
        flood: Limits how fast the member may speak; None for no limit.
    """

    __slots__ = (
        "account",
        "active_at",
        "arriving",
        "author_key",
        "away",
        "clients",
        "elsewhere",
        "flood",
        "id",
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
        self.elsewhere: tuple[str, ...] = ()
        self.flood = flood
        self.reply_to: Identity | None = None
        self.token = "" if account else secrets.token_urlsafe(32)
        self.id = make_user_id(account) if account else make_guest_id(self.token)

    def rename(self, name: str) -> None:
        """Set the name and its keys."""
        self.name, self.key = name, make_name_key(name)
        self.author_key = self.account or self.key

    @property
    def identity(self) -> Identity:
        """The member's identity."""
        return Identity(self.id, self.name)

    def restore(self, departed: "Member") -> None:
        """Restore the departed member's token, flood limit and preferences."""
        self.token, self.id, self.flood = departed.token, departed.id, departed.flood
        self.ignored, self.quiet, self.reply_to = departed.ignored, departed.quiet, departed.reply_to
        self.away = departed.away


class Client(ABC):
    """One client of a member. Its state belongs to the thread that processes its messages.

    Attributes:
        member: The member.
        framed: Whether the client receives frames; else lines.
        asking: The message whose command runs now; None for none.
        room: The name of the room in which it speaks; empty for none.
        watched: Whether the event loop watches it; before that, its handler thread may still wait for it.
        leaving: Whether the chat is closing it, and ignores its further messages.
        peer: Its connection; None where it has none.
        shows_blocks: Whether the client receives a block as one message.
        shows_typing: Whether the client receives typing marks.
    """

    __slots__ = ("asking", "framed", "leaving", "member", "peer", "room", "shows_blocks", "shows_typing", "watched")

    def __init__(
        self, member: Member, *, framed: bool, peer: Peer | None = None, can: Collection[str] = frozenset()
    ) -> None:
        self.member = member
        self.peer = peer
        self.framed = framed
        self.shows_blocks = framed and "blocks" in can
        self.shows_typing = framed and "typing" in can
        self.asking: Message | None = None
        self.room = ""
        self.watched = True
        self.leaving = False

    def tell(self, kind: str, text: str, **fields: Any) -> None:
        """Send a reply of the chat's own; never blocks, and never makes the client a slow reader."""
        self.reply(make_message(kind, text, **fields))

    @property
    @abstractmethod
    def address(self) -> str:
        """The client's IP address; empty for the server's terminal."""

    @property
    @abstractmethod
    def is_backlogged(self) -> bool:
        """Whether as many bytes wait for the client as for a slow reader: the chat then sends only what it must."""

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
        """Send another member's message; never blocks."""

    @abstractmethod
    def post_encoded(self, data: bytes) -> None:
        """Send other members' messages, encoded for the client's wire; never blocks."""

    @abstractmethod
    def close(self, reason: Reason) -> None:
        """Close the client's connection."""
