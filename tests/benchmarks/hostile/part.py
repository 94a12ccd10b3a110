"""A process of its own beside the server: it gets ready, begins when it is told to, and prints its figures as JSON.

The part's program is a module that calls `take_part` with what it does. What passes between the two processes is a line
each: ``ready``, ``go``, the figures, and ``go`` again or the end of the input.
"""

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

from tests.support.running import UNMEASURED

__all__ = ["NICE", "Part", "asked", "part", "take_part"]

NICE = 10
_PATIENCE_S = 600.0

Figures = dict[str, Any]


class Part:
    """A part that is ready.

    Args:
        process: The process.
    """

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def wait_ready(self) -> None:
        """Wait until it is ready."""
        assert self._process.stdout is not None
        answer = self._process.stdout.readline()
        assert answer == "ready\n", f"a part didn't get ready: {answer!r}"

    def go(self) -> None:
        """Let it begin."""
        assert self._process.stdin is not None
        self._process.stdin.write("go\n")
        self._process.stdin.flush()

    def figures(self) -> Figures:
        """Wait for its figures, and return them."""
        assert self._process.stdout is not None
        figures: Figures = json.loads(self._process.stdout.readline())
        return figures

    def ask(self) -> Figures:
        """Let it begin, or end what it does without an end, and return its figures."""
        self.go()
        return self.figures()

    def end(self) -> None:
        """End it."""
        self._process.kill()
        self._process.wait()


@contextlib.contextmanager
def part(name: str, *, hostile: bool = False, **options: Any) -> Iterator[Part]:
    """Start a module of this package, and wait until it is ready; end it in any case.

    Args:
        name: The module.
        hostile: Whether it is an attacker: at nice 10, on the last core.
        options: What the module's `take_part` hands on; JSON.
    """
    command = [sys.executable, "-m", f"tests.benchmarks.hostile.{name}", json.dumps(options)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=UNMEASURED) as process:
        started = Part(process)
        try:
            if hostile:
                os.setpriority(os.PRIO_PROCESS, process.pid, NICE)
                os.sched_setaffinity(process.pid, {max(os.sched_getaffinity(0))})
            started.wait_ready()
            yield started
        finally:
            started.end()


def take_part(work: Callable[..., Iterator[Figures | None]]) -> None:
    """Be a part: get ready, and yield figures each time that they are asked for.

    Args:
        work: Takes the options that `part` was given. Its generator yields None when it is ready, and figures later;
            it calls `asked` before it goes on.
    """
    for figures in work(**json.loads(sys.argv[1])):
        print(json.dumps(figures) if figures else "ready", flush=True)


def asked() -> bool:
    """Wait until figures are asked for; return whether they are, or else the input has ended."""
    return bool(sys.stdin.readline())
