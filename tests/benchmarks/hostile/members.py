"""A room of thousands: what it costs that they come, and that one of them comes and goes."""

from collections.abc import Iterator

from tests.benchmarks.hostile.part import part
from tests.benchmarks.hostile.served import NO_LIMITS, served
from tests.benchmarks.hostile.table import Row
from tests.benchmarks.logins import forget_peak, resident_mib
from tests.support.frames import frame_client

__all__ = ["members"]

COUNT = 5_000
JOIN_CPU_S, JOIN_MIB = 2.0, 30.0
TURNS = 10
TURN_MS = 100.0
"""Each turn ends with two sums that all members are told."""


def members(_: float, *, late: bool = False) -> Iterator[Row]:
    """Let thousands come, and join another room; then let one come and go.

    Args:
        late: Whether they read late, so that the server must keep what they are told.
    """
    name = "members-late" if late else "members"
    with served("chat", *NO_LIMITS) as server, part("crowd", port=server.port, count=COUNT, late=late) as crowd:
        # That they come in is accepting and greeting 5,000 connections: no goal, but a figure.
        for what, goal in (("come in", None), ("join one room", JOIN_CPU_S)):
            server.settle()
            cpu, memory = server.cpu_s, server.resident_mib
            forget_peak(server.process.pid)
            found = crowd.ask()
            server.settle()
            cpu = server.cpu_s - cpu
            note = f"took {found['seconds']:.1f} s, {found['dropped']} dropped"
            yield Row(attack=name, what=f"{COUNT:,} {what}: processor", figure=cpu, unit="s", goal=goal, note=note)
            peak = resident_mib(server.process.pid, peak=True) - memory
            note = f"{server.resident_mib - memory:.0f} MiB kept"
            yield Row(attack=name, what=f"{COUNT:,} {what}: memory", figure=peak, unit="MiB", goal=JOIN_MIB, note=note)
        if late:
            return
        crowd.go()
        server.settle()
        cpu = server.cpu_s
        for number in range(TURNS):
            with frame_client(server.port) as client:
                client.send(kind="answer", field="name", text=f"turn{number}")
                while (one := client.receive()) is None or one["kind"] != "joined":
                    assert one is not None, "a polite member isn't let in"
            server.settle()
        each = 1000 * (server.cpu_s - cpu) / TURNS
        yield Row(attack=name, what="one comes and goes: processor", figure=each, unit="ms", goal=TURN_MS)
