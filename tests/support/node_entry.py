"""Starts sockctl as a node of a test's cluster: ``python -m tests.support.node_entry MUTANT TIMES ARGUMENTS…``.

The node's times are among `TIMES_BY_NAME`. A mutant has a fault built in, which the torture must find.
"""

import functools
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace

from sockctl.__main__ import main as start_sockctl
from sockctl.cli import serve_chat
from sockctl.cluster import functions
from sockctl.cluster.functions import Library
from sockctl.cluster.node_settings import NodeTimes
from sockctl.cluster.reader import Reader

TIMES = NodeTimes(
    lease_s=3.0,
    retired_s=3.0,
    away_after_s=1.0,
    refused_after_s=2.0,
    claim_s=2.0,
    reader_wait_s=0.3,
    longest_pause_s=0.2,
)
LASTING_TIMES = replace(TIMES, lease_s=60.0, retired_s=60.0)
PATIENT_TIMES = replace(LASTING_TIMES, away_after_s=5.0, refused_after_s=60.0, claim_s=20.0)
TIMES_BY_NAME = {"short": TIMES, "lasting": LASTING_TIMES, "patient": PATIENT_TIMES}
"""A busy machine may hold up any process for seconds. With lasting times, no node is given up for that; with patient
ones, nothing is refused, either."""
Change = tuple[str, str]
"""A text of functions.lua, and what stands there in a mutant."""
MUTANTS: Mapping[str, Sequence[Change]] = {
    "none": (),
    # After an error, a node believes that nothing was said of what it had sent; and no reader notices.
    "dedup": (("redis.call('HGET', K[4], 'sequence') or '0'", "'0'"),),
    # The ids of an engine that has lost something go on where it stands.
    "jump": (("local id = text(math.max(now_us(), last + 1, (highest or 0) + 1))", "local id = text(last + 1)"),),
    # A node that was buried goes on.
    "fence": (
        (
            "  if not redis.call('ZSCORE', K[3], A[1]) then return redis.error_reply('BURIED') end\n"
            "  if redis.call('HGET', K[4], 'gen",
            "  if redis.call('HGET', K[4], 'gen",
        ),
        ("local registered = redis.call('ZSCORE', K[3], A[1]) and 1 or 0", "local registered = 1"),
    ),
    # A request that comes late, after the node was told that it had not come, is carried out.
    "generation": (("if redis.call('HGET', K[4], 'generation') ~= A[2] then", "if false then"),),
}


def mutate(text: str, changes: Sequence[Change]) -> str:
    """Return a text with changes, each of which must fit."""
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    return text


def main() -> None:
    """Start sockctl with these times, and with a mutant's fault."""
    mutant, times, *sys.argv[1:] = sys.argv[1:]
    read_source = functions.read_source

    def read_mutated(library: Library = Library.LOG) -> str:
        changes = MUTANTS[mutant] if library is Library.LOG else ()
        return mutate(read_source(library), changes)

    functions.read_source = functools.cache(read_mutated)
    if mutant == "dedup":
        Reader.find_sequence = lambda *_: 0  # type: ignore[method-assign]  # readers would hide the mutant
    serve_chat.serve_chat = functools.partial(serve_chat.serve_chat, times=TIMES_BY_NAME[times])
    start_sockctl()


if __name__ == "__main__":
    main()
