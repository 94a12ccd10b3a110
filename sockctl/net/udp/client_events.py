"""Emits which clients a server of UDP begins to remember, and which it forgets, and keeps the counts of the latter."""

from collections import Counter

from sockctl.events.journal import Journal
from sockctl.events.rate_limit import EventRateLimit
from sockctl.events.reasons import ForgottenReason
from sockctl.events.udp import ClientForgotten, ClientHeard, ClientsHeard
from sockctl.net.udp.clients import DatagramClient
from sockctl.net.udp.limits import DatagramLimits
from sockctl.token_bucket import TokenBucket


class ClientEvents:
    """The events of clients. The server's thread alone calls it.

    Args:
        journal: Takes the events.
        limits: How many clients are emitted one by one in a second; more become sums.

    Attributes:
        limit: Has the sum that waits.
        forgotten: The datagrams and bytes received from the forgotten clients, and those sent to them.
    """

    def __init__(self, journal: Journal, limits: DatagramLimits) -> None:
        self._journal = journal
        self._max_remembered = limits.max_remembered
        rate = TokenBucket(rate=limits.heard_per_second, burst=limits.heard_per_second)
        self.limit: EventRateLimit[Counter[str]] = EventRateLimit(rate, Counter, self._emit_sum)
        self.forgotten = (0, 0, 0, 0)

    def add(self, client: DatagramClient, clients: int, now: float) -> None:
        """Emit that a client was heard for the first time, or add it to the sum.

        Args:
            client: The client.
            clients: How many the server remembers.
            now: The time.
        """
        more = self.limit.find_sum(now)
        client.is_reported = more is None
        if more is not None:
            more["clients"] += 1
            return
        self._journal.emit(
            ClientHeard(
                connection=client.number, peer=client.peer, clients=clients, max_remembered=self._max_remembered
            )
        )

    def forget(self, client: DatagramClient, reason: ForgottenReason, now: float) -> None:
        """Keep the counts of a client that the server forgets, and emit its end, if `add` has emitted the client."""
        a, b, c, d = self.forgotten
        datagrams_in, bytes_in, datagrams_out, bytes_out = client.counts
        self.forgotten = (a + datagrams_in, b + bytes_in, c + datagrams_out, d + bytes_out)
        if not client.is_reported:
            return
        self._journal.emit(
            ClientForgotten(
                connection=client.number,
                peer=client.peer,
                reason=reason,
                datagrams_in=datagrams_in,
                datagrams_out=datagrams_out,
                bytes_in=bytes_in,
                bytes_out=bytes_out,
                seconds=round(now - client.started, 3),
            )
        )

    def _emit_sum(self, more: Counter[str], seconds: float) -> None:
        self._journal.emit(ClientsHeard(count=more.total(), seconds=seconds))
