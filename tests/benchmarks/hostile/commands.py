"""Commands that cost more than others: what each costs the server, and the others while it is repeated."""

import contextlib
import time
from collections.abc import Callable, Iterator

from tests.benchmarks.hostile.budgets import CONNECTIONS, P99_MS, WARM_UP_S
from tests.benchmarks.hostile.part import part
from tests.benchmarks.hostile.served import NO_LIMITS, Served, served
from tests.benchmarks.hostile.table import Row
from tests.support.frames import FrameClient, frame_client

__all__ = ["COMMANDS", "command"]

ROOMS, CROWD = 960, 450
REPEATED = 15
PACE_S = 0.25
"""So that no limit slows a command and what ends it."""
MEMBERS, PER_S = 4, 8.0
COMMANDS: dict[str, Callable[[int], str]] = {
    "rooms": lambda _: "/rooms",
    "nick": lambda number: f"/nick costly{number}",
    "who": lambda _: "/who",
    "history": lambda _: "/history 100",
    "topic": lambda number: f"/topic {number}",
}


def command(kind: str, seconds: float) -> Iterator[Row]:
    """Repeat a command at 32 connections of one address, without a pause."""
    rooms = [f"room{number}" for number in range(ROOMS)] if kind == "rooms" else []
    options = [*NO_LIMITS, *(word for room in ["lobby", *rooms] for word in ("--room", room) if rooms)]
    with contextlib.ExitStack() as stack:
        server = stack.enter_context(served("chat", *options))
        crowd = 0 if kind == "rooms" else CROWD
        if crowd:
            stack.enter_context(part("crowd", port=server.port, count=crowd, stay=True)).go()
        chat = stack.enter_context(part("polite", port=server.port, seconds=seconds, members=MEMBERS, per_s=PER_S))
        server.settle()
        ms = 1000 * _cost_s(server, kind)
        yield Row(attack=kind, what=f"/{kind}: processor time each", figure=ms, unit="ms", note=_context(kind))
        attack = stack.enter_context(
            part("attacker", hostile=True, port=server.port, kinds={kind: CONNECTIONS}, addresses=["127.0.0.2"])
        )
        attack.go()
        time.sleep(WARM_UP_S)
        heard = chat.ask()
        note = f"median {heard['p50'] * 1000:.1f} ms, {heard['lost']} lost"
        yield Row(attack=kind, what="polite p99", figure=heard["p99"] * 1000, unit="ms", goal=P99_MS, note=note)


def _context(kind: str) -> str:
    return f"{ROOMS} rooms" if kind == "rooms" else f"{CROWD} members"


def _cost_s(server: Served, kind: str) -> float:
    """Return what a command costs: a command and a mark behind it, less what a mark alone costs."""
    with frame_client(server.port) as client:
        client.send(kind="answer", field="name", text="costly")
        client.line("mark hello")
        _until(client, "mark hello")
        for number in range(100 if kind == "history" else 0):
            client.line(f"something that was said {number}")
            time.sleep(0.11)
        marks = _repeated(server, client, "")
        return (_repeated(server, client, kind) - marks) / REPEATED


def _repeated(server: Served, client: FrameClient, kind: str) -> float:
    server.settle()
    before = server.cpu_s
    for number in range(REPEATED):
        mark = f"mark {kind} {number}"
        if kind:
            client.line(COMMANDS[kind](number))
        client.line(mark)
        _until(client, mark)
        time.sleep(PACE_S)
    return server.cpu_s - before


def _until(client: FrameClient, mark: str) -> None:
    while (one := client.receive()) is None or one["text"] != mark:
        assert one is not None, "the server has dropped a polite client"
