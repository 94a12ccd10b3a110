"""Admission: which clients may connect, and how many at once.

A client that has not logged in yet is *pending*. Pending clients have a share of the places, so that silent ones can't
keep out those who would log in. The share is divided among the addresses (an IPv6 network counts as one). Where it is
full, the place of one client may be taken: the oldest of the address that has the most pending.

| the newcomer's address has | the newcomer |
|---|---|
| fewer pending than that address, by two or more | takes the place |
| about as many | takes the place if its holder has had it for `settle_s`, else is refused |

So silent addresses get the places that others leave, however often they come again. The second rule keeps addresses
with about as many pending clients from taking each other's places all the time.
"""

import math
import threading
import time
from collections import Counter
from collections.abc import Callable

from sockctl.events.reasons import RefusalReason
from sockctl.net.connection import Connection
from sockctl.net.limits import Limits
from sockctl.source_network import find_source_network

PENDING_SHARE = 4
"""One place in so many is for clients that have not logged in yet, unless the user says another number."""


class Admission:
    """Counts the clients that are connected, and refuses those beyond the limits. Threads may share it.

    Args:
        limits: The limits on clients, and the rules for addresses.
        settle_s: Seconds for which a pending client keeps its place from addresses with about as many.
        evict: Closes the connection of a pending client that gives its place; the accepting thread calls it.

    Attributes:
        max_pending: Clients at once that have not logged in yet.
    """

    def __init__(
        self, limits: Limits, *, settle_s: float, evict: Callable[[Connection], None] = lambda _: None
    ) -> None:
        self._limits = limits
        quarter = max(1, limits.max_clients // PENDING_SHARE)
        self.max_pending = quarter if limits.max_pending is None else limits.max_pending
        self._settle_s = settle_s
        self._evict = evict
        # Guards what follows: the accepting thread adds, handler threads admit, event threads subtract.
        self._lock = threading.Lock()
        self._clients = 0
        self._per_address: Counter[str] = Counter()
        self._pending: dict[str, dict[int, Connection]] = {}  # by address and number, the oldest first
        self._pending_count = 0
        self._evicted: set[int] = set()  # the numbers of those that have given their places, and are not closed yet

    @property
    def clients(self) -> int:
        """The number of connected clients."""
        return self._clients

    @property
    def pending(self) -> int:
        """The number of connected clients that have not logged in yet."""
        return self._pending_count

    def add(self, host: str, *, pending: bool = False) -> RefusalReason | None:
        """Count a client at `host`, or return why it is refused.

        Args:
            host: The client's IP address.
            pending: Whether the client has to log in first; then the caller calls `wait`.
        """
        if not self._limits.rules.lets_in(host):
            return RefusalReason.DENIED
        key = find_source_network(host, self._limits.ipv6_prefix)
        evicted = None
        with self._lock:
            full = self._clients - len(self._evicted) >= self._limits.max_clients
            if self._per_address[key] >= self._limits.max_clients_per_address:
                return RefusalReason.TOO_MANY_CLIENTS if full else RefusalReason.TOO_MANY_FROM_ADDRESS
            if full or (pending and self._pending_count >= self.max_pending):
                # Where clients that are in have filled all places, time alone takes no place from a pending one.
                evicted = self._give_place(key, math.inf if full else self._settle_s)
                if evicted is None:
                    return RefusalReason.TOO_MANY_CLIENTS if full else RefusalReason.TOO_MANY_PENDING
            self._clients += 1
            self._per_address[key] += 1
        if evicted is not None:
            self._evict(evicted)
        return None

    def wait(self, connection: Connection) -> None:
        """Count an added client as pending, until `admit` or `remove`."""
        key = find_source_network(connection.host, self._limits.ipv6_prefix)
        with self._lock:
            self._pending.setdefault(key, {})[connection.number] = connection
            self._pending_count += 1

    def admit(self, connection: Connection) -> None:
        """Note that a pending client has logged in; any thread may call it, for any connection."""
        key = find_source_network(connection.host, self._limits.ipv6_prefix)
        with self._lock:
            self._forget_pending(key, connection)

    def remove(self, host: str, connection: Connection | None = None) -> None:
        """Free the place of a client at `host`; called once for each `add` that returned None.

        Args:
            host: The client's IP address.
            connection: The client's connection, if it got one.
        """
        key = find_source_network(host, self._limits.ipv6_prefix)
        with self._lock:
            if connection is not None:
                self._forget_pending(key, connection)
                self._evicted.discard(connection.number)
            self._clients -= 1
            self._per_address[key] -= 1
            if not self._per_address[key]:
                del self._per_address[key]  # else the table would grow with every address ever seen

    def _give_place(self, key: str, settle_s: float) -> Connection | None:
        """Return the pending client that gives its place to a newcomer at `key`, if one does; under the lock.

        Args:
            key: The newcomer's source network.
            settle_s: Seconds for which a pending client keeps its place from addresses with about as many.
        """
        if not self._pending or len(self._evicted) >= self.max_pending:
            return None
        most = max(self._pending, key=lambda each: len(self._pending[each]))
        count, mine = len(self._pending[most]), len(self._pending.get(key, ()))
        oldest = next(iter(self._pending[most].values()))
        if mine + 1 >= count and time.monotonic() - oldest.started < settle_s:
            return None
        self._forget_pending(most, oldest)
        self._evicted.add(oldest.number)
        return oldest

    def _forget_pending(self, key: str, connection: Connection) -> None:
        """Count a client as pending no more, if it was; under the lock."""
        numbers = self._pending.get(key)
        if numbers is None or numbers.pop(connection.number, None) is None:
            return
        self._pending_count -= 1
        if not numbers:
            del self._pending[key]
