"""The system's limits: processors, file descriptors, and connections that wait to be accepted."""

import contextlib
import os
import resource
from pathlib import Path

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


def limit_backlog(backlog: int) -> int:
    """Return how many connections listen() really lets wait: Linux cuts the number to net.core.somaxconn."""
    with contextlib.suppress(OSError, ValueError):
        return min(backlog, int(Path("/proc/sys/net/core/somaxconn").read_text("ascii")))
    return backlog


def count_usable_cores() -> int:
    """Return how many processors this process may use, which may be fewer than the machine has."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
