"""Starts sockctl as a node of a test's cluster: ``python -m tests.support.node_entry MUTANT ARGUMENTS…``.

The node's times are short. A mutant has a fault built in, which the torture must find.
"""

import dataclasses
import sys
from collections.abc import Mapping, Sequence

from sockctl.cluster import functions

LEASE_S = 3.0
Change = tuple[str, str]
"""A text of functions.lua, and what stands there in a mutant."""
MUTANTS: Mapping[str, Sequence[Change]] = {
    "none": (),
    # After an error, a node believes that nothing was said of what it had sent.
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
    """Start sockctl with short times, and with a mutant's fault."""
    mutant, *sys.argv[1:] = sys.argv[1:]
    changes = MUTANTS[mutant]
    source = functions._read_source()
    functions._read_source = lambda: mutate(source, changes)
    from sockctl.__main__ import main as start

    start()


if __name__ == "__main__":
    main()
