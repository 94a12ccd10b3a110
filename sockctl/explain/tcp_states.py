"""The states in which the kernel keeps connections: ``/proc/net/tcp`` of Linux (proc_net_tcp.rst)."""

from dataclasses import dataclass
from pathlib import Path

from sockctl.net.tcp_info import STATES

_TABLE = Path("/proc/thread-self/net/tcp")
"""The sockets of the calling thread's network namespace."""
_NAMES = ("ESTAB", *STATES[2:12])
"""The names that ss(8) shows, in the order of the kernel's numbers, which begin at 1."""
NAMES = frozenset(_NAMES)
GONE = "gone"
"""What a topic shows where the kernel has no socket any more."""
UNKNOWN = "?"
"""What a topic shows where the system doesn't tell its states."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A socket in the kernel's table.

    Attributes:
        local_port: Its own port.
        peer_port: The port of the other side; 0 for a listening socket.
        state: Its state, such as ``ESTAB``.
        unsent_bytes: What waits for an acknowledgment or for sending.
        unread_bytes: What waits for the program; connections that wait for accept, for a listening socket.
    """

    local_port: int
    peer_port: int
    state: str
    unsent_bytes: int
    unread_bytes: int


def parse_rows(text: str, port: int) -> list[Row]:
    """Return the sockets of the text of ``/proc/net/tcp`` that have this port, on either side."""
    rows = []
    sign = f":{port:04X} "
    for line in text.split("\n"):  # there may be thousands that have another one
        if sign in line:
            _, local, peer, state, queues, *_ = line.split()
            unsent, unread = queues.split(":")
            rows.append(
                Row(
                    local_port=int(local.rpartition(":")[2], 16),
                    peer_port=int(peer.rpartition(":")[2], 16),
                    state=_NAMES[int(state, 16) - 1],
                    unsent_bytes=int(unsent, 16),
                    unread_bytes=int(unread, 16),
                )
            )
    return rows


def read_rows(port: int) -> list[Row] | None:
    """Return the sockets of this network that have this port, on either side; None where the system shows none."""
    try:
        return parse_rows(_TABLE.read_text(encoding="utf-8"), port)
    except (OSError, IndexError):  # no Linux; or a kernel that knows more states
        return None


def find_states(rows: list[Row] | None, port: int) -> tuple[str, str]:
    """Return the states of the client's and the server's end of a connection.

    An end that the kernel has no more is `GONE`, and `UNKNOWN` where the system shows none.

    Args:
        rows: The sockets.
        port: The server's port.
    """
    if rows is None:
        return UNKNOWN, UNKNOWN
    client = next((row.state for row in rows if row.peer_port == port), GONE)
    server = next((row.state for row in rows if row.local_port == port and row.peer_port), GONE)
    return client, server
