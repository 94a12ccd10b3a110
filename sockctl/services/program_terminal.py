"""A program with a terminal of its own: a pseudo-terminal, whose other end is the client's."""

import contextlib
import errno
import os
import signal
import subprocess
import sys
import termios
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import ClassVar

from sockctl.deadline import Deadline
from sockctl.services.program import POLL_S, READ_BYTES, Program

SIZE = (24, 80)
"""Lines and columns: no client can say how large its window is."""
END_OF_FILE = b"\x04"
"""Ctrl-D, which a terminal takes for the end of the input: at the beginning of a line once, elsewhere twice."""
_EXEC = "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execvp(sys.argv[1], sys.argv[1:])"
"""Makes the terminal the controlling one, in the new process: a fork beside threads may run no code of this one."""


class TerminalProgram(Program):
    """A running program that has a terminal, and leads its session.

    Shells put each job into a process group of its own. So signals go to every group of the session.
    """

    signals: ClassVar[tuple[signal.Signals, ...]] = (signal.SIGHUP, signal.SIGTERM, signal.SIGKILL)

    def _start(self, argv: Sequence[str], environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
        with contextlib.ExitStack() as end, contextlib.ExitStack() as undo:
            ours, theirs = os.openpty()
            undo.callback(os.close, ours)
            end.callback(os.close, theirs)
            termios.tcsetwinsize(theirs, SIZE)
            os.set_blocking(ours, False)
            stdin = os.dup(ours)  # before the start: without descriptors, no program may be left
            undo.callback(os.close, stdin)
            process = subprocess.Popen(  # noqa: S603  the operator's own command
                [sys.executable, "-I", "-S", "-c", _EXEC, *argv],
                stdin=theirs,
                stdout=theirs,
                stderr=theirs,
                env=environment,
                start_new_session=True,
            )
            undo.pop_all()
        self.stdin, self.stdout, self.stderr = stdin, ours, -1
        return process

    def read(self, descriptor: int, max_bytes: int = READ_BYTES) -> bytes | None:
        """Read the program's output from its terminal; return no bytes at the end, None if there are none yet."""
        try:
            return super().read(descriptor, max_bytes)
        except OSError as error:
            if error.errno != errno.EIO:
                raise
            return b""  # Linux reports a terminal that no process has open any more as an error

    def make_input_end(self, last: bytes) -> bytes:
        """Return the bytes that end the program's input; `last` is the byte before them."""
        return END_OF_FILE if last in {b"", b"\n"} else END_OF_FILE * 2

    def close_stdin(self) -> None:
        """Close the way to the terminal's input."""
        if self.stdin is not None:
            os.close(self.stdin)
            self.stdin = None

    def count_unread(self) -> int:
        """Return how many bytes of its output wait to be read, at most: a terminal doesn't know the number."""
        return READ_BYTES

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the program, and to all process groups of its session."""
        super().signal(number)
        for group in self._find_groups() - {self.pid}:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(group, number)

    def press(self) -> None:
        """Stop the program and its session: the hang-up asks first, then SIGTERM, then SIGKILL."""
        self._close_outputs()
        super().press()

    def _close_outputs(self) -> None:
        if self.stdout >= 0:
            self.close_stdin()
            os.close(self.stdout)
            self.stdout = -1

    def _wait_for_children(self, until: Deadline) -> None:
        while self._find_groups() and not until.has_passed:
            time.sleep(POLL_S)

    def _find_groups(self) -> set[int]:
        """Return the process groups of the session that have not ended."""
        return {group for group, session in _list_groups() if session == self.pid}


def _list_groups() -> Iterator[tuple[int, int]]:
    """Yield the group and the session of each process that has not ended; none where the system has no /proc."""
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError, ValueError):  # it ends just now
            state, _, group, session = path.read_text("utf-8", "replace").rpartition(")")[2].split()[:4]
            if state != "Z":
                yield int(group), int(session)
