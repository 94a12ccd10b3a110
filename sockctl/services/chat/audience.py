"""The audience of a room: its members, the clients through which they hear it, and the sending to these clients."""

import threading
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from sockctl.net.peer import Peer, post_to_all
from sockctl.services.chat.member import Client, Member
from sockctl.services.chat.room_event import Told

GOLDEN = (5**0.5 - 1) / 2
"""Steps of this, around a circle, reach each place on it equally often."""


class Audience:
    """Holds the members and clients that hear a room.

    Only the thread that processes the room's events changes the audience and broadcasts to it. Any thread may read it.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()  # guards the members; a leaf
        self._members: dict[Member, dict[Client, None]] = {}  # each with its clients that hear the room
        self._lasting: set[Member] = set()  # members that stay without clients here
        self._untold: set[Member] = set()  # members that have clients here, but aren't counted or listed yet
        self._listener: Client | None = None
        self._clients: list[Client] | None = []  # all that hear the room; None where that must be listed anew
        self._first = 0.0  # the client that `broadcast` begins with, as a fraction of all

    def __len__(self) -> int:
        with self._lock:
            return len(self._members) - len(self._untold)

    @property
    def is_empty(self) -> bool:
        """Whether no member is there, nor any client."""
        return not self._members

    def __contains__(self, client: Client) -> bool:
        return client is self._listener or client in self._members.get(client.member, ())

    def list_names(self, start: int = 0, stop: int | None = None, *, to: Member | None = None) -> list[str]:
        """Return the names of the members, or of some of them; see `list_members`."""
        with self._lock:
            return [member.name for member in islice(self._list_told(to), start, stop)]

    def list_members(self, *, to: Member | None = None) -> list[Member]:
        """Return the members, in the order in which they joined.

        Args:
            to: The member who asks: it is among them as soon as it has a client here.
        """
        with self._lock:
            return list(self._list_told(to))

    def _list_told(self, to: Member | None) -> Iterable[Member]:
        untold = self._untold - {to}
        return [member for member in self._members if member not in untold] if untold else self._members

    def set_listener(self, client: Client) -> None:
        """Let a client hear the room whether its member is in it or not."""
        self._listener, self._clients = client, None

    def add(self, client: Client, *, is_told: bool = True) -> None:
        """Add a client, and its member; with `is_told` False, the member counts from `add_member` on."""
        if self._clients is not None and client not in self:
            self._clients.append(client)
        with self._lock:
            if not is_told and client.member not in self._lasting:
                self._untold.add(client.member)
            self._members.setdefault(client.member, {})[client] = None

    def remove(self, client: Client, *, stays: bool = False) -> None:
        """Remove a client, and its member with the last one unless it `stays`; the listener goes on hearing it."""
        with self._lock:
            clients = self._members.get(client.member, {})
            clients.pop(client, None)
            if not clients and not stays and client.member not in self._lasting:
                self._members.pop(client.member, None)
                self._untold.discard(client.member)
        self._clients = None

    def add_member(self, member: Member) -> None:
        """Add a member, which stays until `remove_member`, with clients on this server or without."""
        with self._lock:
            self._members.setdefault(member, {})
            self._lasting.add(member)
            self._untold.discard(member)

    def remove_member(self, member: Member) -> None:
        """Let a member that was added so stay no longer than its clients."""
        with self._lock:
            self._lasting.discard(member)
            if self._members.get(member):
                self._untold.add(member)
            else:
                self._members.pop(member, None)

    def broadcast_but(self, one: Told, member: Member) -> None:
        """Send an event to all clients but those of a member."""
        with self._lock:
            clients = [client for each, own in self._members.items() if each is not member for client in own]
        if self._listener is not None and self._listener.member is not member and self._listener not in clients:
            clients.append(self._listener)
        self.deliver([one], clients)

    def broadcast(self, batch: Sequence[Told]) -> None:
        """Send a batch of events to all clients; each call begins with another client, so that none is always last."""
        clients = self._clients
        if clients is None:
            clients = self._clients = [client for own in self._members.values() for client in own]
            if self._listener is not None and self._listener not in clients:
                clients.append(self._listener)
        self._first = (self._first + GOLDEN) % 1
        first = int(self._first * len(clients))
        self.deliver(batch, clients[first:] + clients[:first])

    def deliver(self, batch: Sequence[Told], clients: Iterable[Client]) -> None:
        """Send a batch of events to some clients; each client receives the events that its member hears."""
        frames = [one.frame for one in batch]  # each delivery does: lists take half the time of generators
        if not any(frames):
            return  # a client joins or leaves whose member stays
        movements = bool([one for one in batch if one.movement])
        if [one for one in batch if one.block or one.typing]:
            _deliver_singly(batch, list(clients), movements=movements)
            return
        framed: list[Peer] = []
        others: list[Client] = []
        # Most clients hear the whole batch, in frames: this condition runs for each client and broadcast.
        for client in clients:
            member, peer = client.member, client.peer
            if client.framed and peer is not None and not member.ignored and not (movements and member.quiet):
                framed.append(peer)
            else:
                others.append(client)
        if framed:
            post_to_all(framed, b"".join(frames))
        if others:
            _deliver_singly(batch, others, movements=movements)


def _deliver_singly(batch: Sequence[Told], clients: Sequence[Client], *, movements: bool) -> None:
    """Send a batch to clients one by one: those that read lines or don't hear all of it, or all if the bytes differ."""
    lines: list[Peer] = []
    senders = {one.sender for one in batch}
    for client in clients:
        member, peer = client.member, client.peer
        hears_all = not member.ignored and not (movements and member.quiet)  # any thread may have changed them
        if hears_all and peer is not None and not client.framed and client not in senders:
            lines.append(peer)
        elif own := b"".join([one.select_bytes(client) for one in _select_heard(batch, client)]):
            client.post_encoded(own)
    if lines and (data := b"".join([one.line for one in batch])):
        post_to_all(lines, data)


def _select_heard(batch: Sequence[Told], client: Client) -> Iterator[Told]:
    """Yield the events that a client hears."""
    member = client.member
    for one in batch:
        if one.key in member.ignored or (one.movement and member.quiet and one.key != member.author_key):
            continue
        if client.framed or one.sender is not client:
            yield one
