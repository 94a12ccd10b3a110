"""The columns in which a connection of a watched server is shown, each with what it means."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

Fields = dict[str, Any]

_UNKNOWN = "-"
_STEPS = (("d", 86_400), ("h", 3_600), ("m", 60))
_KIB = 1024
_ROUNDS_UP = 9.95
_SHORT_RTT_MS = 0.1
_SIZE_COLUMNS = 5
"""Columns of the longest size, ``1023K``."""
_STATES = {"conversing": "talking", "flushing": "closing", "lingering": "closing"}


@dataclass(frozen=True, slots=True)
class Column:
    """A column.

    Attributes:
        title: Its title.
        field: The field of a connection that it shows, and by which it sorts.
        meaning: What it means, in a few sentences.
        format: Makes the cell.
        is_number: Whether it is a number: then the cells stand right, and the largest sorts first.
    """

    title: str
    field: str
    meaning: str
    format: Callable[[Any], str] = str
    is_number: bool = True

    @property
    def least_width(self) -> int:
        """The width of the column at least: that of usual cells, so that the table doesn't jump."""
        return max(len(self.title), _SIZE_COLUMNS if self.format is format_size else 0)

    @property
    def goes_down(self) -> bool:
        """Whether the largest comes first, unless the user turns it round."""
        return self.is_number and self.field != "number"

    def make_cell(self, row: Fields) -> str:
        """Return the cell of a connection; a dash where the system doesn't tell."""
        value = row.get(self.field)
        return _UNKNOWN if value is None else self.format(value)

    def make_key(self, row: Fields) -> tuple[bool, Any]:
        """Return what a connection sorts by; unknown values are the smallest, as empty texts."""
        value = row.get(self.field)
        return (False, 0 if self.is_number else "") if value is None else (True, value)


def format_size(count: float) -> str:
    """Return a number of bytes in few columns: ``512``, ``1.5K``, ``120M``."""
    if count < _KIB:
        return f"{count:.0f}"
    units = iter("KMGT")
    unit = ""
    while count >= _KIB:
        count, unit = count / _KIB, next(units)
    return f"{count:.1f}{unit}" if count < _ROUNDS_UP else f"{count:.0f}{unit}"


def format_time(seconds: float) -> str:
    """Return a time in few columns, in the largest whole unit: ``0s``, ``5m``, ``3h``."""
    return next((f"{int(seconds // size)}{unit}" for unit, size in _STEPS if seconds >= size), f"{int(seconds)}s")


def _format_rtt(rtt_ms: float) -> str:
    if rtt_ms < _SHORT_RTT_MS:
        return f"{rtt_ms:.3f}"
    return f"{rtt_ms:.2f}" if rtt_ms < _ROUNDS_UP else f"{rtt_ms:,.0f}"


COLUMNS = (
    Column("#", "number", "The number of the connection, counted from 1 since the server's start."),
    Column("PEER", "peer", "The client's address and port.", is_number=False),
    Column(
        "NAME",
        "name",
        "The user who is logged in, the name that the client has given, or the process of its program (serve "
        "exec). Empty while the service knows none.",
        is_number=False,
    ),
    Column("ROOM", "room", "The room of the chat in which the client speaks.", is_number=False),
    Column(
        "WIRE",
        "wire",
        "How the client speaks: raw bytes, lines of text, frames, or web (a WebSocket, and the HTTP before it). Empty "
        "until the client's first byte chooses.",
        is_number=False,
    ),
    Column(
        "TCP",
        "tcp",
        "The state of TCP in the kernel. ESTABLISHED: both sides may send. CLOSE_WAIT: the client's FIN came, the "
        "server still sends. FIN_WAIT2: the server's FIN is out and acknowledged, the client still may send.",
        is_number=False,
    ),
    Column("AGE", "age_s", "How long ago accept() gave the server this connection.", format_time),
    Column("IDLE", "idle_s", "How long ago the client last sent something.", format_time),
    Column("IN/S", "in_per_s", "Bytes that recv() gave the server in a second, since the look before.", format_size),
    Column("OUT/S", "out_per_s", "Bytes that send() took in a second, since the look before.", format_size),
    Column(
        "RECV-Q",
        "recv_q",
        "Bytes that wait in the kernel's receive buffer, until the server calls recv() (SIOCINQ). They grow while the "
        "server reads nothing from this client. The full buffer then makes TCP stop the sender.",
        format_size,
    ),
    Column(
        "SEND-Q",
        "send_q",
        "Bytes in the kernel's send buffer that the client's kernel has not acknowledged (SIOCOUTQ). They grow while "
        "the network is slow, or while the client doesn't read.",
        format_size,
    ),
    Column(
        "OUTBOX",
        "outbox",
        "Bytes in the server's own memory: the kernel's send buffer is full, so send() takes no more.",
        format_size,
    ),
    Column(
        "RTT",
        "rtt_ms",
        "The smoothed time of a round trip, in milliseconds, from a segment to its ACK (TCP_INFO).",
        _format_rtt,
    ),
    Column("RETR", "retransmits", "Segments that the server's kernel has sent again, since they were lost (TCP_INFO)."),
    Column("TLS", "tls", "The version of TLS; empty for a connection without encryption.", is_number=False),
    Column(
        "STATE",
        "doing",
        "talking: a conversation, such as a login, runs in a thread of its own. paused: the server reads nothing until "
        "the outbox is empty. held: the client is beyond its budget of work. muted: it may read only. closing: the "
        "last bytes are on their way. Empty: the server waits for input.",
        is_number=False,
    ),
)


FURTHER_FIELDS = {
    "state": "what the server does: conversing, watched, flushing or lingering.",
    "bytes_in": "bytes received.",
    "bytes_out": "bytes sent.",
    "paused": "whether the server waits for the outbox to be empty.",
    "held": "whether the client is beyond its budget of work.",
    "muted": "whether it may read only.",
}
"""The fields of a connection that no column shows, with what they mean."""


def describe_state(connection: Fields) -> str:
    """Return what the server does with a connection, in a word or two."""
    words = [word for word in ("paused", "held", "muted") if connection.get(word)]
    state = _STATES.get(str(connection.get("state")))
    return " ".join([state, *words] if state else words)


def find_column(title: str) -> Column | None:
    """Return the column of a title, in any case; None if there is none."""
    return next((column for column in COLUMNS if column.title.lower() == title.lower()), None)
