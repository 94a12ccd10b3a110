"""A chat on several machines: ``python -m tests.benchmarks.cluster [FIGURE…]``. Needs redis-server.

The engine, its nodes and the load are processes of this machine. Each figure stands beside its goal; exit code 1 where
one falls short. The figures:

- *busy*: 10,000 messages a second in one room, 30 members a node: deliveries a second, and what was lost
- *calm*: 1,000 messages a second among the same members: how long until a sender hears itself, in another process
- *idle*: the same in a room where a member speaks now and then, beside a chat without an engine
- *node*: a node is killed: how long until its members are heard again, and until the others hear who has left
- *engine*: an engine that always writes to its disk is killed: what was lost, and how long until the chat goes on
- *names*: how long the nodes take to claim 5,000 names
- *failover*: the engine is killed, and Sentinels choose another: how long the chat is silent
"""

import argparse
import contextlib
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from tests.benchmarks.cluster_names import claim_names
from tests.benchmarks.cluster_stage import (
    ENGINES,
    Listener,
    Stage,
    begin_bench,
    end_bench,
    measure,
    running_alone,
    running_cluster,
    running_nodes,
)
from tests.support.sentinels import watched_engines

NODES, MEMBERS_EACH = 3, 30
BUSY_RATE, CALM_RATE, IDLE_RATE = 10_000, 1_000, 20
SENDERS = 30
PROBE_RATE = 60
BUSY_S, CALM_S = 8.0, 5.0
LOAD_BEGINS_S = 1.5
"""Seconds after which the load runs."""
DELIVERIES = BUSY_RATE * NODES * MEMBERS_EACH
NEARLY = 0.98
"""The part of the deliveries that must come in the time: the last ones come after it."""
ROUNDS = 3
LEASE_S = 10.0
RESUMING, STAYING_AWAY = 5, 5
NAMES = 5_000
OUTAGE_S = 1.0
FAULT_AFTER_S = 2.0
OUTAGE_LOAD = ("--clients", "9", "--senders", "6", "--rate", "100", "--warm-up", "0", "--timeout", "20")


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure and its goal: `value` is `at_most` that, or `at_least`."""

    name: str
    value: float | None
    unit: str
    at_most: float | None = None
    at_least: float | None = None
    note: str = ""

    @property
    def is_reached(self) -> bool:
        """Whether the goal is reached; without a value it isn't."""
        if self.value is None:
            return False
        return (self.at_most is None or self.value <= self.at_most) and (
            self.at_least is None or self.value >= self.at_least
        )

    @property
    def goal(self) -> str:
        """The goal, for people."""
        if self.at_least is not None:
            return f">= {self.at_least:,g}"
        return "" if self.at_most is None else f"<= {self.at_most:,g}"


Figures = Iterator[Figure]


def busy(engine: str) -> Figures:
    """Let members say more than one machine's people ever would."""
    with running_cluster(engine, NODES) as stage:
        report = measure(stage.target, *_make_load(stage, BUSY_RATE, BUSY_S))
    note = _describe(report)
    yield Figure("busy: deliveries a second", report["per_second"], "/s", at_least=NEARLY * DELIVERIES, note=note)
    yield Figure("busy: lost", report["lost"] + report["unsent"], "", at_most=0)


def calm(engine: str) -> Figures:
    """Measure how soon a sender hears itself while others say much.

    The senders, one at each node, have a process of their own: that of the load has others to read for first.
    """
    with running_cluster(engine, NODES) as stage:
        load = begin_bench(stage.target, *_make_load(stage, CALM_RATE - PROBE_RATE, CALM_S + 3))
        time.sleep(LOAD_BEGINS_S)
        probe = ("--clients", "3", "--senders", "3", "--rate", str(PROBE_RATE), "--duration", str(CALM_S))
        report = measure(stage.target, *probe)
        loaded = end_bench(load)
    echo = report["echo_us"] or {}
    note = f"{_describe(report)}; of the load: {_describe(loaded)}"
    yield Figure("calm: echo p50", _to_ms(echo.get("p50")), "ms", at_most=2.0, note=note)
    yield Figure("calm: echo p99", _to_ms(echo.get("p99")), "ms", at_most=15.0)
    yield Figure("calm: lost", _count_lost(report) + _count_lost(loaded), "", at_most=0)


def idle(engine: str) -> Figures:
    """Measure the echo of a quiet room in turns: in the cluster, and in a chat without an engine."""
    load = ("--clients", "6", "--senders", "1", "--rate", str(IDLE_RATE), "--duration", "3")
    pairs = []
    with running_cluster(engine, NODES) as stage, running_alone() as alone:
        for _ in range(ROUNDS):
            ours, theirs = measure(stage.target, *load), measure(alone.target, *load)
            if ours["echo_us"] and theirs["echo_us"]:
                pairs.append((_to_ms(ours["echo_us"]["p50"]), _to_ms(theirs["echo_us"]["p50"])))
    more = [ours - theirs for ours, theirs in pairs]
    note = "; ".join(f"{ours:.2f} and {theirs:.2f}" for ours, theirs in pairs)
    yield Figure(
        "idle: echo p50 beyond the local chat's",
        statistics.median(more) if more else None,
        "ms",
        at_most=0.7,
        note=note,
    )


def node(engine: str) -> Figures:
    """Kill a node: some of its members resume at another one, the others stay away."""
    with running_cluster(engine, NODES) as stage, contextlib.ExitStack() as undo:

        def join(number: int, name: str, token: str = "") -> Listener:
            member = Listener(stage.nodes[number].port, name, token)
            undo.callback(member.close)
            return member

        watcher = join(2, "watcher")
        there = [join(0, f"member{number}") for number in range(RESUMING + STAYING_AWAY)]
        for one in there:
            assert watcher.wait_for(_is_about("joined", one.name)) is not None, f"{one.name} was not told"
        stage.nodes[0].kill()
        killed = time.monotonic()
        heard_again: list[float | None] = []
        for one in there[:RESUMING]:
            again = join(1, one.name, one.token)
            again.say(f"I am {one.name}")
            at = watcher.wait_for(_is_said(f"I am {one.name}"))
            heard_again.append(None if at is None else at - again.began)
        left = [watcher.wait_for(_is_about("left", one.name), LEASE_S * 2 + 10) for one in there[RESUMING:]]
        wrong = [one.name for one in there[:RESUMING] if watcher.wait_for(_is_about("left", one.name), 0.0)]
    yield Figure("node killed: heard again after resuming", _find_most(heard_again), "s", at_most=0.5)
    left_after = _find_most([None if at is None else at - killed for at in left])
    yield Figure("node killed: the others have left", left_after, "s", at_most=LEASE_S + 2)
    yield Figure("node killed: left, and yet there", len(wrong), "", at_most=0)


def engine_killed(_: str) -> Figures:
    """Kill the engine under talk, and start it again."""
    with running_cluster("always", NODES) as stage:
        bench = begin_bench(stage.target, *OUTAGE_LOAD, "--duration", "8")
        time.sleep(FAULT_AFTER_S)
        assert stage.engine is not None
        killed = time.monotonic()
        stage.engine.kill()
        time.sleep(OUTAGE_S)
        stage.engine.start()
        outage_s = time.monotonic() - killed
        report = end_bench(bench)
    yield Figure("engine killed: lost", _count_lost(report), "", at_most=0, note=_describe(report))
    yield Figure("engine killed: speaking after its return", _find_silence_s(report, outage_s), "s", at_most=2.0)


def names(engine: str) -> Figures:
    """Claim names at all nodes at once."""
    yield Figure(f"names: {NAMES:,} claimed", claim_names(ENGINES[engine], NODES, NAMES), "s", at_most=2.0)


def failover(_: str) -> Figures:
    """Kill the engine of a group that Sentinels watch."""
    with (
        tempfile.TemporaryDirectory() as folder,
        watched_engines(Path(folder)) as watched,
        running_nodes(watched.url, NODES) as nodes,
    ):
        bench = begin_bench(Stage(nodes).target, *OUTAGE_LOAD, "--duration", "10")
        time.sleep(FAULT_AFTER_S)
        watched.engines[0].kill()
        report = end_bench(bench)
    yield Figure("failover: silent for", _find_silence_s(report, 0.0), "s", at_most=4.0, note=_describe(report))


FIGURES: dict[str, Callable[[str], Figures]] = {
    "busy": busy,
    "calm": calm,
    "idle": idle,
    "node": node,
    "engine": engine_killed,
    "names": names,
    "failover": failover,
}


def _make_load(stage: Stage, rate: int, seconds: float) -> tuple[str, ...]:
    """Return the options for a load of so many messages a second."""
    clients = str(MEMBERS_EACH * len(stage.nodes))
    return (
        *("--clients", clients, "--senders", str(SENDERS), "--rate", str(rate), "--duration", str(seconds)),
        *("--warm-up", "1", "--timeout", "10"),
    )


def _describe(report: dict[str, Any]) -> str:
    """Return what else a report says, for whoever looks for a reason."""
    latency = report["latency_us"] or {}
    said = [f"p50 {_to_ms(latency['p50']):.1f} p99 {_to_ms(latency['p99']):.1f} ms"] if latency else []
    said += [f"{count} {reason}" for reason, count in report["errors"].items()]
    said += [f"{report['unsent']:,} unsent"] if report["unsent"] else []
    return ", ".join([*said, f"load tool {report['own_cpu']:.0%} of a core"])


def _count_lost(report: dict[str, Any]) -> int:
    errors: dict[str, int] = report["errors"]
    return int(report["lost"]) + sum(errors.values())


def _find_silence_s(report: dict[str, Any], outage_s: float) -> float | None:
    """Return how long the chat was silent beyond an outage: messages came all the time, and the slowest tells."""
    latency = report["latency_us"]
    return None if not latency or report["errors"] else max(0.0, latency["max"] / 1e6 - outage_s)


def _find_most(seconds: list[float | None]) -> float | None:
    known = [one for one in seconds if one is not None]
    return max(known) if len(known) == len(seconds) else None


def _to_ms(us: float | None) -> float:
    return float("nan") if us is None else us / 1000


def _is_about(kind: str, name: str) -> Callable[[dict[str, Any]], bool]:
    return lambda one: one["kind"] == kind and one.get("name") == name


def _is_said(text: str) -> Callable[[dict[str, Any]], bool]:
    return lambda one: one["kind"] == "say" and one["text"] == text


def main() -> int:
    """Measure what the command line names, and print it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("figures", nargs="*", metavar="FIGURE", help=f"{', '.join(FIGURES)}; else all")
    parser.add_argument("--engine", choices=list(ENGINES), default="always", help="how soon it writes to its disk")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args()
    unknown = set(options.figures) - set(FIGURES)
    if unknown:
        parser.error(f"unknown: {', '.join(sorted(unknown))}; there are {', '.join(FIGURES)}")
    found = []
    for name in options.figures or FIGURES:
        for one in FIGURES[name](options.engine):
            found.append(one)
            if not options.json:
                value = "-" if one.value is None else f"{one.value:,.3f}".rstrip("0").rstrip(".")
                verdict = "good" if one.is_reached else "FALLS SHORT"
                print(f"{one.name:<42} {value:>12} {one.unit:<3} {one.goal:>12}  {verdict:<12} {one.note}", flush=True)
    if options.json:
        figures = [asdict(one) | {"reached": one.is_reached} for one in found]
        print(json.dumps({"engine": options.engine, "nodes": NODES, "figures": figures}))
    return int(not all(one.is_reached for one in found))


if __name__ == "__main__":
    sys.exit(main())
