"""Slots for programs, shared between addresses: no address can keep the others out."""

import threading

from sockctl.events.reasons import Reason
from sockctl.net.peer import Peer
from sockctl.protocol.messages import make_message
from sockctl.source_network import find_source_network

BUSY = Reason(
    "busy",
    "As many programs as --max-programs allows were answering others, so the server closed the connection.",
    "Goodbye!",
)


class ProgramSlots:
    """Counts programs, per address (IPv6: its /64). Any thread may use it.

    If no slot is free, a client gets one of another address that has at least two programs more than its own. The
    program that was idle for longest loses its slot. Until it has ended, one more than `max_programs` runs.

    Args:
        max_programs: The number of programs that may run at once.
    """

    def __init__(self, max_programs: int) -> None:
        self._max_programs = max_programs
        self._lock = threading.Lock()  # guards the two below
        self._peers: dict[str, dict[int, Peer]] = {}  # by address and number, the idlest first
        self._ending: set[int] = set()  # the numbers of the clients that have lost their slots

    def acquire(self, peer: Peer) -> bool:
        """Acquire a slot for a client's program; return whether there is one. The caller releases it."""
        key = find_source_network(peer.address)
        evicted = None
        with self._lock:
            if sum(map(len, self._peers.values())) >= self._max_programs:
                evicted = self._evict(key)
                if evicted is None:
                    return False
            self._peers.setdefault(key, {})[peer.number] = peer
        if evicted is not None:
            evicted.post(make_message("error", "Others wait for a program: yours has ended.", code="busy"))
            evicted.close(BUSY)
        return True

    def note_use(self, peer: Peer) -> None:
        """Note that a client or its program says something."""
        with self._lock:
            peers = self._peers.get(find_source_network(peer.address), {})
            if peers.pop(peer.number, None) is not None:
                peers[peer.number] = peer

    def release(self, peer: Peer) -> None:
        """Release the slot of a client whose program has ended."""
        with self._lock:
            self._ending.discard(peer.number)
            self._forget(find_source_network(peer.address), peer)

    def _evict(self, key: str) -> Peer | None:
        """Take a slot for a new client at `key`, and return the client that loses it; None for none. Needs the lock."""
        busiest = max(self._peers, key=lambda each: len(self._peers[each]))
        if len(self._peers[busiest]) < len(self._peers.get(key, ())) + 2 or len(self._ending) >= self._max_programs:
            return None
        evicted = next(iter(self._peers[busiest].values()))
        self._forget(busiest, evicted)
        self._ending.add(evicted.number)
        return evicted

    def _forget(self, key: str, peer: Peer) -> None:
        peers = self._peers.get(key, {})
        peers.pop(peer.number, None)
        if not peers:
            self._peers.pop(key, None)
