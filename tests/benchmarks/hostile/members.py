"""A room of thousands: what it costs that they come, and that one of them comes and goes."""

from collections.abc import Iterator

from tests.benchmarks.hostile.part import part
from tests.benchmarks.hostile.served import NO_LIMITS, served
from tests.benchmarks.hostile.table import Row
from tests.benchmarks.logins import forget_peak, resident_mib
from tests.frames import frame_client

__all__ = ["members"]

COUNT = 5_000
JOIN_CPU_S, JOIN_MIB = 2.0, 30.0
TURNS = 10
TURN_MS = 10.0


def members(_: float) -> Iterator[Row]:
    """Let thousands come, and join another room; then let one come and go."""
    with served("chat", *NO_LIMITS) as server, part("crowd", port=server.port, count=COUNT) as crowd:
        for what, goal in (("come into the chat", False), ("join one room", True)):
            server.settle()
            cpu, memory = server.cpu_s, server.resident_mib
            forget_peak(server.process.pid)
            took = crowd.ask()["seconds"]
            server.settle()
            cpu = server.cpu_s - cpu
            peak = resident_mib(server.process.pid, peak=True) - memory
            note = f"took {took:.1f} s"
            yield Row(
                attack="members",
                what=f"{COUNT:,} {what}: processor time",
                figure=cpu,
                unit="s",
                goal=JOIN_CPU_S if goal else None,
                note=note,
            )
            yield Row(
                attack="members",
                what=f"{COUNT:,} {what}: most memory",
                figure=peak,
                unit="MiB",
                goal=JOIN_MIB if goal else None,
                note=f"{server.resident_mib - memory:.0f} MiB kept",
            )
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
        yield Row(attack="members", what="one comes and goes: processor time", figure=each, unit="ms", goal=TURN_MS)
