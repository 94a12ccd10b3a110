"""How many processors there are to use."""

import os

__all__ = ["usable_cores"]


def usable_cores() -> int:
    """Return how many processors this process may use: fewer than the machine has, where it is bound to some."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
