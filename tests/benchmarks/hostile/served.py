"""The server under attack, and what it costs the machine."""

import contextlib
import math
import os
import pty
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.logins import resident_mib
from tests.benchmarks.serving import started
from tests.support.accounts import accounts_at
from tests.support.running import cpu_seconds

__all__ = ["DRAIN_S", "NO_LIMITS", "Served", "served", "served_at", "served_unread"]

DRAIN_S = 5.0
"""How long a stop may take by default."""
NO_LIMITS = ("--max-clients", "20000", "--max-clients-per-address", "20000")
_STOP_PATIENCE_S = 60.0
_QUIET_SHARE, _LOOK_S = 0.1, 0.5


@dataclass(frozen=True, slots=True)
class Served:
    """A server.

    Attributes:
        port: Where it listens.
        process: The server.
        folder: Its data directory; its log is the file `log` there.
    """

    port: int
    process: subprocess.Popen[bytes]
    folder: Path

    @property
    def cpu_s(self) -> float:
        """The processor time that it has used."""
        return cpu_seconds(self.process.pid)

    @property
    def resident_mib(self) -> float:
        """The memory that it has."""
        return resident_mib(self.process.pid)

    @property
    def log_bytes(self) -> int:
        """The size of its log."""
        return (self.folder / "log").stat().st_size

    @property
    def sockets(self) -> int:
        """How many sockets it has."""
        count = 0
        for descriptor in Path(f"/proc/{self.process.pid}/fd").iterdir():
            with contextlib.suppress(OSError):
                count += str(descriptor.readlink()).startswith("socket:")
        return count

    def settle(self, *, timeout_s: float = 60.0) -> bool:
        """Wait until it has nothing to do; return whether that came in time."""
        until = time.monotonic() + timeout_s
        while time.monotonic() < until:
            before = self.cpu_s
            time.sleep(_LOOK_S)
            if self.cpu_s - before < _QUIET_SHARE * _LOOK_S:
                return True
        return False

    def stop(self) -> tuple[float, int]:
        """Ask it to stop; return how many seconds that took, and the exit code, 1 where it took too long."""
        began = time.monotonic()
        self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(_STOP_PATIENCE_S)
        except subprocess.TimeoutExpired:
            return math.inf, 1
        return time.monotonic() - began, code


@contextlib.contextmanager
def served(service: str, *options: str, users: tuple[str, ...] = ()) -> Iterator[Served]:
    """Run a server until the end, with `users` whose password hashes cost next to nothing."""
    with tempfile.TemporaryDirectory() as folder:
        if users:
            accounts_at(Path(folder), *users)
        with served_at(folder, service, *options) as server:
            yield server


@contextlib.contextmanager
def served_at(folder: str, service: str, *options: str) -> Iterator[Served]:
    """Run a server until the end, on the files in `folder`."""
    nothing = subprocess.DEVNULL
    with started(folder, service, "--no-input", *options, stdin=nothing, stdout=nothing) as (port, process):
        yield Served(port, process, Path(folder))


@contextlib.contextmanager
def served_unread(service: str, *options: str) -> Iterator[Served]:
    """Run a server until the end at a terminal that nobody reads."""
    master, slave = pty.openpty()
    try:
        with (
            tempfile.TemporaryDirectory() as folder,
            started(folder, service, *options, stdin=slave, stdout=slave, start_new_session=True) as (port, process),
        ):
            yield Served(port, process, Path(folder))
    finally:
        os.close(master)
        os.close(slave)
