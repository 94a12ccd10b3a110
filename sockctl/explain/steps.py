"""Calls of two programs, one after the other, with what each of them led to: packets, and states of the connection."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from sockctl.explain.network import Network
from sockctl.explain.packets import Packet
from sockctl.explain.tcp_states import find_states, read_rows
from sockctl.explain.topic import Table, format_measured_time

Returned = TypeVar("Returned")


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A call, and what it led to.

    Attributes:
        call: The call, as a program has it.
        by_server: Whether the server's program made it.
        began_s: When it was made, on the clock of the packets.
        ended_s: When it returned.
        error: The name of the exception that it raised; empty for none.
        packets: The packets that were sent from then until all was quiet.
        client: The state of the client's end then.
        server: The state of the server's end then.
        waiting: How many connections waited for accept() then; None where the system doesn't tell.
    """

    call: str
    by_server: bool
    began_s: float
    ended_s: float
    error: str
    packets: tuple[Packet, ...]
    client: str
    server: str
    waiting: int | None

    @property
    def took_s(self) -> float:
        """How long the call took."""
        return self.ended_s - self.began_s


class StepRecorder:
    """Makes calls and records them. Not thread-safe.

    Args:
        network: The network.
        port: The server's port.
    """

    def __init__(self, network: Network, port: int) -> None:
        self.steps: list[Step] = []
        self._network = network
        self._port = port

    def do(self, name: str, call: Callable[[], Returned], *, by_server: bool = False) -> Returned | None:
        """Make a call, wait until the network is quiet, and record it; None where it raises an OSError."""
        self._network.settle()
        self._network.take_packets()
        returned, error = None, ""
        began = self._network.now_s()
        try:
            returned = call()
        except OSError as failure:
            error = type(failure).__name__
        ended = self._network.now_s()
        self._network.settle()
        rows = read_rows(self._port)
        client, server = find_states(rows, self._port)
        self.steps.append(
            Step(
                call=name,
                by_server=by_server,
                began_s=began,
                ended_s=ended,
                error=error,
                packets=tuple(self._network.take_packets()),
                client=client,
                server=server,
                waiting=next((row.unread_bytes for row in rows or () if row.state == "LISTEN"), None),
            )
        )
        return returned


def draw_steps(steps: tuple[Step, ...], port: int, *, packets: bool, caption: str = "") -> Table:
    """Return a table of steps.

    Args:
        steps: The steps.
        port: The server's port.
        packets: Whether packets could be seen.
        caption: The line above.
    """
    rows = []
    for step in steps:
        name = f"server {step.call}" if step.by_server else step.call
        name += f": {step.error}" if step.error else ""
        took = format_measured_time(step.took_s)
        seen = " ".join(("→" if each.goes_to(port) else "←") + each.describe() for each in step.packets) or "none"
        rows.append((name, took, *([seen] if packets else []), step.client, step.server))
    titles = ("call", "took", *(["packets"] if packets else []), "client", "server")
    return Table(caption=caption, titles=titles, rows=tuple(rows), right=frozenset({1}))
