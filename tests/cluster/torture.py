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
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from tests.support.cluster_faults import Faults
from tests.support.cluster_nodes import ENGINES, running_cluster
from tests.support.cluster_talk import MANNERS, Outcome, talking
from tests.support.node_entry import MUTANTS
from tests.support.transcript import save_transcripts

MEMBERS = 9
ACTS_EVERY_S = 0.5
"""How often a member writes to another one alone, takes another name, comes, leaves, or sets a topic."""
PAUSE_S = (0.3, 1.2)
"""The pause between two faults."""
SHOWN = 3
"""Flaws of a kind that are printed."""


def torture(
    folder: Path, seed: int, seconds: float, faults: Sequence[str], *, engine: str = "always", mutant: str = "none"
) -> tuple[Outcome, Counter[str]]:
    """Torture a chat; return what came of it, and how often each fault was there.

    Args:
        folder: Where everything is kept; it must be empty.
        seed: Decides what happens, as far as this process does.
        seconds: How long things break.
        faults: What breaks, by name.
        engine: The engine's settings, by name.
        mutant: The fault that the nodes are built with.
    """
    chance, done = random.Random(seed), Counter[str]()
    with running_cluster(folder, engine=engine, mutant=mutant, times="short") as cluster:
        by_name = Faults(cluster, chance).by_name
        manners = [replace(manner, acts_every_s=ACTS_EVERY_S) for manner in MANNERS]
        with talking(cluster, count=MEMBERS, manners=manners, seed=seed) as talk:
            until = time.monotonic() + seconds
            while time.monotonic() < until:
                time.sleep(chance.uniform(*PAUSE_S))
                name = chance.choice(faults)
                by_name[name]()
                done[name] += 1
            return talk.finish(may_lose=engine != "always"), done


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
    outcome, done = torture(
        folder, options.seed, options.seconds, options.faults, engine=options.engine, mutant=options.mutant
    )
    print(f"seed {options.seed}, {options.engine}, mutant {options.mutant}, faults {dict(done)}: {outcome}")
    kinds = Counter[str]()
    for flaw in outcome.flaws:
        kind = " ".join(word for word in flaw.split() if word.isalpha() and word.islower())
        kinds[kind] += 1
        if kinds[kind] <= SHOWN:
            print(f"  {flaw}")
    if not outcome.flaws:
        shutil.rmtree(folder)
        return 0
    print(f"  {len(outcome.flaws)} flaws; transcripts and logs are in {folder}")
    save_transcripts(folder / "transcripts.jsonl", outcome.transcripts)
    return 1


if __name__ == "__main__":
    sys.exit(main())
