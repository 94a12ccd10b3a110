"""The status of a server of UDP, for `sockctl watch`: it has the fields of `sockctl.net.status`.

A client has a row as a connection has, with None where UDP has no such value.
"""

import time
from collections.abc import Iterator
from typing import Any

from sockctl.events.journal import Journal
from sockctl.net.udp.server import DatagramServer

Fields = dict[str, Any]


class DatagramStatus:
    """Reads the status of a server. One thread at a time uses it.

    Args:
        server: The server.
        journal: Its journal.
        facts: Fields of the server that never change.
    """

    def __init__(self, server: DatagramServer, journal: Journal, facts: Fields) -> None:
        self._server = server
        self._journal = journal
        self._facts = facts

    def read(self) -> Iterator[Fields]:
        """Yield a line of the kind `server`, one of the kind `connection` for each client, and one of the kind `end`.

        Blocks for a second if the server's thread is stuck.
        """
        clients, lag_s = self._server.list_clients()
        counts = self._server.count()
        yield {
            "kind": "server",
            **self._facts,
            "at": round(time.time(), 3),
            "uptime_s": counts.uptime_s,
            "listening": [_describe_place(one.address, one.port) for one in self._server.sockets],
            "accepted": counts.heard,
            "refused": counts.unanswered,
            "clients": counts.clients,
            "max_clients": counts.max_remembered,
            "pending": 0,
            "max_pending": 0,
            "bytes_in": counts.bytes_in,
            "bytes_out": counts.bytes_out,
            "events_lost": self._journal.lost,
            "lag_ms": 0.0 if lag_s is None else round(lag_s * 1000, 3),
            "stuck": lag_s is None,
            "counts": {"datagrams_in": counts.datagrams_in, "datagrams_out": counts.datagrams_out},
        }
        now = time.monotonic()
        for client in clients:
            yield {"kind": "connection", **client.describe(now)}
        yield {"kind": "end", "connections": len(clients)}


def _describe_place(host: str, port: int) -> Fields:
    """Return where a socket listens; no connections wait there."""
    return {
        "host": host,
        "port": port,
        "waiting": None,
        "backlog": None,
        "max_waiting": None,
        "for_browsers": False,
        "udp": True,
    }
