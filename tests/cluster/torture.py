"""Tortures a chat on several nodes: ``python -m tests.cluster.torture SEED SECONDS FAULTS``.

FAULTS is a list, such as ``node,engine,stop,hole,reset,cut,slow``; see `tests.support.cluster_faults`. Members talk in
several rooms, and go on at another node when theirs fails. After that the transcripts of all are checked.
"""

import argparse
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.chat_checker import Healed, check, measure_recovery
from tests.support.cluster_faults import Faults
from tests.support.cluster_members import Manner, Member, members
from tests.support.cluster_nodes import ENGINES, Cluster, running_cluster
from tests.support.node_entry import MUTANTS
from tests.support.running import wait_until
from tests.support.transcript import Heard, Transcript, save_transcripts

ROOMS = ("#lobby", "#harbour", "#library")
MEMBERS = 9
PAUSE_S = (0.3, 1.2)
"""The pause between two faults."""
ALIVE_S = 5.0
"""How soon after the last fault all are heard by all."""
QUIET_S = 10.0
"""How long the last words may take to reach all, once nobody says more."""
MANNERS = (
    Manner(patience_s=60.0),  # one that stays whatever happens, as far as the node lets it
    Manner(patience_s=2.0, shows_blocks=False),
    Manner(patience_s=3.0, hops_every_s=3.0),
)


@dataclass
class Outcome:
    """What came of a torture."""

    faults: Counter[str]
    transcripts: Sequence[Transcript] = ()
    flaws: list[str] = field(default_factory=list)
    recovery_s: float = 0.0

    def __str__(self) -> str:
        """Return it for a person."""
        sent = sum(len(each.sent) for each in self.transcripts)
        refused = Counter(code for each in self.transcripts for code in each.refused.values())
        told = Counter(one.code for each in self.transcripts for one in each.told)
        echoes = sorted(measure_echoes(self.transcripts))
        p50, p99 = (echoes[int(len(echoes) * share)] * 1000 for share in (0.5, 0.99)) if echoes else (0.0, 0.0)
        return (
            f"faults {dict(self.faults)}; sent {sent}, refused {dict(refused)}, told {dict(told)}; arrivals "
            f"{sum(each.arrivals for each in self.transcripts)}; echo p50 {p50:.1f} p99 {p99:.0f} ms; all heard by "
            f"all {self.recovery_s:.1f} s after the last fault; " + ("BAD" if self.flaws else "OK")
        )


def torture(
    folder: Path,
    seed: int,
    seconds: float,
    faults: Sequence[str],
    *,
    engine: str = "always",
    mutant: str = "",
) -> Outcome:
    """Torture a chat, and return what came of it.

    Args:
        folder: Where everything is kept; it must be empty.
        seed: Decides what happens, as far as this process does.
        seconds: How long things break.
        faults: What breaks, by name.
        engine: The engine's settings, by name.
        mutant: The fault that the nodes are built with.
    """
    chance = random.Random(seed)
    with running_cluster(folder, engine=engine, mutant=mutant) as cluster:
        made = [
            Member(
                f"m{number}",
                cluster.ports[number % 3 :] + cluster.ports[: number % 3],
                ROOMS,
                MANNERS[(number + number // 3) % 3],
                seed=seed,
            )
            for number in range(MEMBERS)
        ]
        with members(made):
            return _torture(cluster, made, chance, seconds, faults, may_lose=engine != "always")


def _torture(
    cluster: Cluster,
    made: Sequence[Member],
    chance: random.Random,
    seconds: float,
    names: Sequence[str],
    *,
    may_lose: bool,
) -> Outcome:
    wait_until(lambda: all(each.is_in for each in made), what="that all are in")
    for each in made:
        each.is_talking.set()
    wait_until(lambda: all(len(each.seen) == len(ROOMS) for each in made), what="that all hear all rooms")
    for each in made:
        each.is_hopping.set()
    outcome = Outcome(Counter())
    break_things(Faults(cluster, chance).by_name, names, chance, seconds, outcome.faults)
    healed = Healed(at_s=time.monotonic(), within_s=ALIVE_S)
    for each in made:
        each.is_hopping.clear()
    _await_life(made, healed)
    for each in made:
        each.is_talking.clear()
    is_quiet = _becomes_quiet(made)
    outcome.transcripts = [each.transcript.copy() for each in made]
    outcome.flaws = check(outcome.transcripts, may_lose=may_lose, healed=healed, rooms=ROOMS if is_quiet else ())
    if not is_quiet:
        outcome.flaws.append(f"the last words did not reach all within {QUIET_S:g} s")
    outcome.recovery_s = measure_recovery(outcome.transcripts, healed.at_s)
    return outcome


def break_things(
    by_name: Mapping[str, Callable[[], None]],
    names: Sequence[str],
    chance: random.Random,
    seconds: float,
    done: Counter[str],
) -> None:
    """Break one thing after the other for so long."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        time.sleep(chance.uniform(*PAUSE_S))
        name = chance.choice(names)
        by_name[name]()
        done[name] += 1


def _await_life(made: Sequence[Member], healed: Healed) -> None:
    """Wait until each member has heard of each member something that was said after the last fault; in vain, at last."""
    since = [len(each.transcript.events) for each in made]
    until = healed.at_s + healed.within_s
    while time.monotonic() < until:
        time.sleep(0.1)
        heard = [
            {one.line for one in each.transcript.events[begun:] if isinstance(one, Heard)}
            for each, begun in zip(made, since, strict=True)
        ]
        by_all = set.intersection(*heard)
        if all(
            any(one.at_s >= healed.at_s and by_all.issuperset(one.lines) for one in reversed(each.transcript.sent))
            for each in made
        ):
            return


def _becomes_quiet(made: Sequence[Member]) -> bool:
    """Wait until all have heard their own words, and all the same; return whether that came true."""
    until = time.monotonic() + QUIET_S
    while time.monotonic() < until:
        if all(each.has_heard_its_words for each in made) and all(each.seen == made[0].seen for each in made):
            return True
        time.sleep(0.05)
    return False


def measure_echoes(transcripts: Sequence[Transcript]) -> list[float]:
    """Return after how many seconds senders heard their own lines."""
    times = []
    for each in transcripts:
        sent = {line: one.at_s for one in each.sent for line in one.lines}
        times += [one.at_s - sent[one.line] for one in each.heard if one.line in sent]
    return times


def main() -> int:
    """Torture, and tell what came of it; keep everything where something was wrong."""
    parser = argparse.ArgumentParser(prog="python -m tests.cluster.torture", description=__doc__)
    parser.add_argument("seed", type=int)
    parser.add_argument("seconds", type=float)
    parser.add_argument("faults", type=lambda text: text.split(","))
    parser.add_argument("--engine", choices=ENGINES, default="always")
    parser.add_argument("--mutant", choices=MUTANTS, default="none")
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix=f"torture-{options.seed}-"))
    outcome = torture(
        folder, options.seed, options.seconds, options.faults, engine=options.engine, mutant=options.mutant
    )
    print(f"seed {options.seed}, {options.engine}, {options.mutant}: {outcome}")
    for flaw in outcome.flaws[:20]:
        print(f"  {flaw}")
    if not outcome.flaws:
        shutil.rmtree(folder)
        return 0
    print(f"  {len(outcome.flaws)} flaws; transcripts and logs are in {folder}")
    save_transcripts(folder / "transcripts.jsonl", outcome.transcripts)
    return 1


if __name__ == "__main__":
    sys.exit(main())
