"""The coordinator of the load tool's processes: it starts and stops them together, and adds up their counts."""

import contextlib
import json
import os
import selectors
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sockctl.bench.plan import Plan
from sockctl.bench.stats import Stats
from sockctl.errors import BenchFailedError
from sockctl.terminal import write_all

HEAD_START_S = 0.02
"""Seconds from writing `go` to the beginning, so that each process has read it by then."""
CLOSE_S = 10.0
"""Seconds that a process may take to end when its input is closed."""
PROGRAM = "import sys; sys.path.append(sys.argv[1]); from sockctl.bench.worker import main; main()"
_ROOT = str(Path(__file__).parents[2])


@dataclass(frozen=True, slots=True)
class Progress:
    """The progress of the measuring.

    Attributes:
        seconds: Seconds since the first message.
        answered: Answers in the measured time.
        errors: Errors so far.
        p99_s: The latency that 99 % of a process's answers don't exceed, of the slowest process; 0 without answers.
    """

    seconds: float
    answered: int
    errors: int
    p99_s: float = 0.0


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of the measuring.

    Attributes:
        stats: The counts of all processes.
        interrupted: Whether the user has stopped it.
    """

    stats: Stats
    interrupted: bool


class _Process:
    """One process of the load tool. Its group is its own, so that Ctrl-C reaches only the process that started it."""

    def __init__(self, plan: Plan, program: str) -> None:
        self.process = subprocess.Popen(  # noqa: S603  it is this program
            [sys.executable, "-P", "-c", program, _ROOT],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            process_group=0,
            bufsize=0,
        )
        self.ready: int | None = None
        self.stats: Stats | None = None
        self.answered = self.errors = 0
        self.p99_s = 0.0
        self._pending = b""
        self.tell(plan.to_json())

    def fileno(self) -> int:
        """Return the descriptor of the process's output."""
        assert self.process.stdout is not None  # noqa: S101  it is a pipe
        return self.process.stdout.fileno()

    def tell(self, line: str) -> None:
        """Send a line to the process; ignore that it has closed its input."""
        assert self.process.stdin is not None  # noqa: S101  it is a pipe
        with contextlib.suppress(BrokenPipeError):
            write_all(self.process.stdin.fileno(), f"{line}\n".encode())

    def hear(self) -> bool:
        """Read the process's output; return whether more may come.

        Raises:
            BenchFailedError: The process couldn't do its part.
        """
        data = os.read(self.fileno(), 65_536)
        if not data:
            if self.stats is None:
                raise BenchFailedError("A process of the load tool ended too early: what it has said stands above.")
            return False
        *lines, self._pending = (self._pending + data).split(b"\n")
        for line in lines:
            self._take(json.loads(line))
        return True

    def _take(self, fields: dict[str, Any]) -> None:
        match fields:
            case {"ready": ready}:
                self.ready = ready
            case {"progress": {"answered": answered, "errors": errors, "p99_s": p99_s}}:
                self.answered, self.errors, self.p99_s = answered, errors, p99_s
            case {"stats": stats}:
                self.stats = Stats.from_fields(stats)
            case {"failed": why}:
                raise BenchFailedError(why)

    def close(self, timeout_s: float) -> None:
        """Close the process's input, and wait for its end; kill it after `timeout_s` seconds."""
        assert self.process.stdin is not None  # noqa: S101  they are pipes
        assert self.process.stdout is not None  # noqa: S101
        self.process.stdin.close()
        try:
            self.process.wait(timeout_s)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()


def measure(
    plans: Sequence[Plan],
    on_progress: Callable[[Progress], None] | None = None,
    *,
    program: str = PROGRAM,
    close_s: float = CLOSE_S,
) -> Outcome:
    """Run a process for each plan, all at the same time, and add up their counts. Blocks. Main thread only.

    The first Ctrl-C (KeyboardInterrupt) stops the processes, and the caller gets their counts; the second one raises.

    Args:
        plans: The plan of each process.
        on_progress: Called with the progress.
        program: The Python text that each process runs.
        close_s: Seconds that a process may take to end when its input is closed.

    Raises:
        BenchFailedError: A process couldn't do its part; all processes are stopped.
    """
    processes: list[_Process] = []
    try:
        for plan in plans:
            processes.append(_Process(plan, program))
        return _run_all(processes, on_progress)
    finally:
        for one in processes:
            try:
                one.close(close_s)
            except KeyboardInterrupt:
                one.close(close_s)  # it ends anyway: what was measured isn't lost


def _run_all(processes: Sequence[_Process], on_progress: Callable[[Progress], None] | None) -> Outcome:
    with selectors.DefaultSelector() as selector:
        for one in processes:
            selector.register(one.fileno(), selectors.EVENT_READ, one)
        interrupted = False
        try:
            _hear(processes, selector, on_progress)
        except KeyboardInterrupt:
            interrupted = True
            for one in processes:
                one.tell("stop")
            _hear(processes, selector, None)
    stats = processes[0].stats
    assert stats is not None  # noqa: S101  else it would have been raised
    for one in processes[1:]:
        assert one.stats is not None  # noqa: S101
        stats.merge(one.stats)
    return Outcome(stats, interrupted)


def _hear(
    processes: Sequence[_Process], selector: selectors.BaseSelector, on_progress: Callable[[Progress], None] | None
) -> None:
    """Read from all processes until they end; send `go` when all are ready."""
    began: float | None = None
    while selector.get_map():
        for key, _ in selector.select():
            if not key.data.hear():
                selector.unregister(key.fileobj)
        if began is None and all(one.ready is not None for one in processes):
            began = time.monotonic() + HEAD_START_S
            for one in processes:
                one.tell(f"go {began!r}")
        if on_progress is not None and began is not None:
            answered, errors = sum(one.answered for one in processes), sum(one.errors for one in processes)
            p99_s = max(one.p99_s for one in processes)
            on_progress(Progress(max(0.0, time.monotonic() - began), answered, errors, p99_s))
