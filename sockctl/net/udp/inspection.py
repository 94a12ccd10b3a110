"""A look at a server of UDP while it runs: its counts, and its clients, which the server's thread gives."""

import threading
import time
from dataclasses import dataclass

from sockctl.net.udp.clients import DatagramClient


@dataclass(frozen=True, slots=True, kw_only=True)
class DatagramCounts:
    """The counts of a server of UDP since its start; `clients` counts the addresses that it remembers now."""

    uptime_s: float
    heard: int
    clients: int
    max_remembered: int
    unanswered: dict[str, int]
    datagrams_in: int
    datagrams_out: int
    bytes_in: int
    bytes_out: int


class ClientLook:
    """A request for the list of clients.

    Attributes:
        clients: The clients, once the server's thread has given them.
    """

    def __init__(self) -> None:
        self.clients: list[DatagramClient] = []
        self._asked_at = time.monotonic()
        self._answered_at = 0.0
        self._answered = threading.Event()

    def answer(self, clients: list[DatagramClient]) -> None:
        """Give the clients; the server's thread calls it."""
        self.clients = clients
        self._answered_at = time.monotonic()
        self._answered.set()

    def wait(self, patience_s: float) -> float | None:
        """Return the thread's lag in seconds; None where it doesn't answer in so long."""
        return self._answered_at - self._asked_at if self._answered.wait(patience_s) else None
