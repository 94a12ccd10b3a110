"""Run attacks, and print the table: ``python -m tests.benchmarks.hostile [--seconds S] [ATTACK ...]``.

Without names all attacks run but those that take minutes, which run by name only. Exit code 1 where a goal isn't held.
"""

import argparse
import math
import resource
import sys
from collections.abc import Callable, Iterator
from functools import partial

from tests.benchmarks.hostile import (
    bounds,
    budgets,
    commands,
    deadlines,
    growth,
    guessing,
    logs,
    members,
    places,
    web,
)
from tests.benchmarks.hostile.table import Row, heading, line

Attack = Callable[[float], Iterator[Row]]

ATTACKS: dict[str, Attack] = {
    "calm": budgets.calm,
    **{
        kind: partial(budgets.flood, kind) for kind in ("unknown", "pong", "telnet", "empty", "resume", "loud", "brisk")
    },
    "unknown-many": budgets.many,
    "echo": budgets.echo,
    "newlines": budgets.newlines,
    "everything": budgets.everything,
    **{kind: partial(commands.command, kind) for kind in commands.COMMANDS},
    "members": members.members,
    "members-late": partial(members.members, late=True),
    "hoard": bounds.hoard,
    "operator": bounds.operator,
    **{kind: partial(bounds.churn, kind) for kind in ("churn", "vanish", "half-close")},
    **{
        how + ("-trickle" if trickle else ""): partial(deadlines.put_out, how, trickle=trickle)
        for how in ("disable", "revoke")
        for trickle in (False, True)
    },
    "revoke-auth": deadlines.revoke_auth,
    "places": places.places,
    "programs": places.programs,
    "lockout": partial(guessing.lockout, obey=True),
    "lockout-rude": partial(guessing.lockout, obey=False),
    "lockout-spread": partial(guessing.lockout, obey=True, spread=True),
    "sessions": growth.sessions,
    "visits": growth.visits,
    "refusals": guessing.refusals,
    **{kind: partial(web.flood, kind) for kind in web.KINDS},
    **{f"log-{kind}": partial(logs.log, kind) for kind in ("churn", "knock", "junk", "lines")},
}
BY_NAME_ONLY: dict[str, Attack] = {
    f"unread-{service}": partial(deadlines.never_readers, service) for service in ("identify", "talk", "auth")
}


def main() -> int:
    """Attack, and return 1 where a goal isn't held."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.hostile", description=__doc__)
    parser.add_argument("attacks", nargs="*", metavar="ATTACK", help=f"of {', '.join({**ATTACKS, **BY_NAME_ONLY})}")
    parser.add_argument("--seconds", type=float, default=5.0, help="how long each lasts (default: %(default)s)")
    options = parser.parse_args()
    unknown = [name for name in options.attacks if name not in {**ATTACKS, **BY_NAME_ONLY}]
    if unknown:
        parser.error(f"there is no attack {unknown[0]!r}: choose of {', '.join({**ATTACKS, **BY_NAME_ONLY})}")
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    print(heading(), flush=True)
    held = True
    for name in options.attacks or ATTACKS:
        for row in _rows(name, options.seconds):
            print(line(row), flush=True)
            held = held and row.held
    return int(not held)


def _rows(name: str, seconds: float) -> Iterator[Row]:
    """Run an attack; one that can't be carried out to its end is told as a row, and the others go on."""
    try:
        yield from {**ATTACKS, **BY_NAME_ONLY}[name](seconds)
    except Exception as error:  # noqa: BLE001  whatever a server under attack has done to it
        yield Row(attack=name, what="not measured", figure=math.inf, unit="", goal=0, note=f"{error!r}")


if __name__ == "__main__":
    sys.exit(main())
