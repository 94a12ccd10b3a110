"""Whose programs run: places that addresses share, so that none of them can keep the others out."""

import threading

from sockctl.events.reasons import Reason
from sockctl.net.peer import Peer
from sockctl.protocol.messages import message
from sockctl.source_network import source_network

__all__ = ["ProgramPlaces"]

BUSY = Reason(
    "busy",
    "As many programs as --max-programs allows were answering others, so the server closed the connection.",
    "Goodbye!",
)


class ProgramPlaces:
    """Counts programs, per address (IPv6: its /64). Any thread may use it.

    Where all places are taken, a newcomer whose address has fewer programs than another one, by two or more, takes a
    place of that address: the one with whose program nothing was said for longest. Until that program has ended, one
    more than `most` runs.

    Args:
        most: How many may run at once.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = threading.Lock()  # guards the two below
        self._peers: dict[str, dict[int, Peer]] = {}  # by address and number, the one that is idle for longest first
        self._ending: set[int] = set()  # the numbers of those that have lost their places

    def take(self, peer: Peer) -> bool:
        """Take a place for a client's program; return whether there is one. If so, `give_back` is to follow."""
        key = source_network(peer.address)
        loser = None
        with self._lock:
            if sum(map(len, self._peers.values())) >= self._most:
                loser = self._loser(key)
                if loser is None:
                    return False
            self._peers.setdefault(key, {})[peer.number] = peer
        if loser is not None:
            loser.post(message("error", "Others wait for a program: yours has ended.", code="busy"))
            loser.close(BUSY)
        return True

    def used(self, peer: Peer) -> None:
        """Note that something is said to a client's program, or by it."""
        with self._lock:
            peers = self._peers.get(source_network(peer.address), {})
            if peers.pop(peer.number, None) is not None:
                peers[peer.number] = peer

    def give_back(self, peer: Peer) -> None:
        """Note that a client's program has ended."""
        with self._lock:
            self._ending.discard(peer.number)
            self._forget(source_network(peer.address), peer)

    def _loser(self, key: str) -> Peer | None:
        """Return who gives its place to a newcomer at `key`, if anybody does; under the lock."""
        most = max(self._peers, key=lambda each: len(self._peers[each]))
        if len(self._peers[most]) < len(self._peers.get(key, ())) + 2 or len(self._ending) >= self._most:
            return None
        loser = next(iter(self._peers[most].values()))
        self._forget(most, loser)
        self._ending.add(loser.number)
        return loser

    def _forget(self, key: str, peer: Peer) -> None:
        peers = self._peers.get(key, {})
        peers.pop(peer.number, None)
        if not peers:
            self._peers.pop(key, None)
