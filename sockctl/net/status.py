"""The status of a server, for those who watch it: a line for the server, then one for each connection.

A line is a table of fields, of types that JSON has. Nothing here costs anything until somebody asks.
"""

import socket
import time
from collections.abc import Iterator
from typing import Any

from sockctl.events.journal import Journal
from sockctl.net.address import format_unix
from sockctl.net.connection import Connection
from sockctl.net.door import Door
from sockctl.net.inspection import ConnectionLister, describe_all
from sockctl.net.server import Server
from sockctl.net.service import Service
from sockctl.net.tcp_info import read_backlog

Fields = dict[str, Any]


class Status:
    """Reads the status of a server. One thread at a time uses it.

    Args:
        server: The server.
        service: Its service.
        journal: Its journal.
        facts: Fields of the server that never change.
    """

    def __init__(self, server: Server, service: Service, journal: Journal, facts: Fields) -> None:
        self._server = server
        self._service = service
        self._journal = journal
        self._facts = {"service": service.name, **facts}
        self._lister = ConnectionLister(server.inspect)

    def read(self) -> Iterator[Fields]:
        """Yield a line of the kind `server`, one of the kind `connection` for each of them, and one of the kind `end`.

        Blocks for a second if an event thread is stuck.
        """
        connections = self._lister.list_all()
        yield {"kind": "server", **self._describe_server(connections)}
        count = 0
        for fields in describe_all(connections):
            count += 1
            yield {"kind": "connection", **fields}
        yield {"kind": "end", "connections": count}

    def read_server(self) -> Fields:
        """Return the fields of the server alone."""
        return self._describe_server(self._lister.list_all())

    def _describe_server(self, connections: list[Connection]) -> Fields:
        counts = self._server.count()
        return {
            **self._facts,
            "at": round(time.time(), 3),
            "uptime_s": counts.uptime_s,
            "listening": [found for one in self._server.listening_sockets if (found := _describe_listener(*one))],
            "accepted": counts.accepted,
            "refused": counts.refused,
            "clients": counts.clients,
            "max_clients": counts.max_clients,
            "pending": counts.pending,
            "max_pending": counts.max_pending,
            "bytes_in": counts.bytes_in + sum(each.bytes_in for each in connections),
            "bytes_out": counts.bytes_out + sum(each.bytes_out for each in connections),
            "events_lost": self._journal.lost,
            "lag_ms": round(self._lister.lag_s * 1000, 3),
            "stuck": self._lister.is_stuck,
            "counts": self._service.count(),
        }


def _describe_listener(listener: socket.socket, door: Door) -> Fields | None:
    """Return where a socket listens and how many connections wait there; None where it is closed."""
    try:
        address = listener.getsockname()
    except OSError:
        return None
    host, port = address[:2] if isinstance(address, tuple) else (format_unix(address), 0)
    backlog = read_backlog(listener)
    return {
        "host": host,
        "port": port,
        "waiting": None if backlog is None else backlog.waiting,
        "backlog": None if backlog is None else backlog.size,
        "max_waiting": None if backlog is None else backlog.max_waiting,
        "for_browsers": door.for_browsers,
    }
