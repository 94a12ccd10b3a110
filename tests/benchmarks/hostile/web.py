"""Floods of one address at the door for browsers, while others chat in frames and over WebSocket, and come in."""

import contextlib
import time
from collections.abc import Iterator

from tests.benchmarks.hostile.budgets import CONNECTIONS, P99_MS, WARM_UP_S
from tests.benchmarks.hostile.part import part
from tests.benchmarks.hostile.served import DRAIN_S, served
from tests.benchmarks.hostile.table import Row
from tests.support.running import free_port, listens, wait_until

__all__ = ["KINDS", "flood"]

KINDS = (
    "web-silent",
    "web-heads",
    "web-bytes",
    "web-half",
    "web-bad",
    "web-tiny",
    "web-pings",
    "web-fragments",
    "web-huge",
    "web-closes",
)
MEMBERS = 4
GROWTH_MIB = 64.0
STOP_SLACK_S = 1.0


def flood(kind: str, seconds: float) -> Iterator[Row]:
    """Let all the connections of one address do the same at the door for browsers."""
    web = free_port()
    with contextlib.ExitStack() as undo:
        server = undo.enter_context(served("chat", "--web", str(web)))
        wait_until(lambda: listens(web))
        chats = {
            wire: undo.enter_context(
                part("polite", port=port, seconds=seconds, members=MEMBERS, per_s=10.0, web=is_web)
            )
            for wire, port, is_web in (("frames", server.port, False), ("web", web, True))
        }
        server.settle(timeout_s=5)
        before = server.resident_mib
        attack = undo.enter_context(
            part("attacker", hostile=True, port=web, kinds={kind: CONNECTIONS}, addresses=["127.0.0.2"])
        )
        attack.go()
        time.sleep(WARM_UP_S)
        cpu, began = server.cpu_s, time.monotonic()
        for chat in chats.values():
            chat.go()
        for wire, chat in chats.items():
            heard = chat.figures()
            share = (server.cpu_s - cpu) / (time.monotonic() - began)
            note = f"median {heard['p50'] * 1000:.1f} ms, {heard['lost']} lost, {heard['gone']} dropped, "
            note += f"server {100 * share:.0f} % of a core"
            p99 = heard["p99"] * 1000
            yield Row(attack=kind, what=f"polite p99, {wire}", figure=p99, unit="ms", goal=P99_MS, note=note)
        grown = server.resident_mib - before
        yield Row(attack=kind, what="memory added", figure=grown, unit="MiB", goal=GROWTH_MIB)
        took, code = server.stop()
        yield Row(attack=kind, what=f"stop (exit {code})", figure=took, unit="s", goal=DRAIN_S + STOP_SLACK_S)
