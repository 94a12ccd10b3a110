"""The system's limits for this process: processors, and file descriptors."""

import os
import resource

RESERVE = 64
"""File descriptors beside those of the clients: listening sockets, log file, pollers, the interpreter's own."""


def raise_descriptor_limit(max_clients: int) -> tuple[int, int]:
    """Raise this process's soft limit of descriptors for `max_clients` clients, as far as the hard limit allows.

    Returns:
        The number of needed descriptors, and the limit that is now in force.
    """
    needed = max_clients + RESERVE
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft == resource.RLIM_INFINITY or soft >= needed:
        return needed, needed
    wanted = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    except (OSError, ValueError):
        return needed, soft  # macOS refuses more than kern.maxfilesperproc, even below the hard limit
    return needed, wanted


def count_usable_cores() -> int:
    """Return how many processors this process may use, which may be fewer than the machine has."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
