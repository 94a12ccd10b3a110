"""A program that answers one client: it runs without a shell, in a process group of its own."""

import codecs
import contextlib
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from sockctl.deadline import Deadline
from sockctl.net.kernel_queues import count_unread_bytes

LINE_CHARACTERS = 8_192
"""The server splits a longer line of a program: each piece fits a frame, however long JSON's escapes are."""
READ_BYTES = 65_536
POLL_S = 0.01
PROGRAM_DESCRIPTORS = 4
"""Descriptors that a program takes of this process: three pipes, and that of its end."""
ENDED_BY_SERVER = "the server ended it with its connection"
WELL_ENDED = frozenset({"exit code 0", ENDED_BY_SERVER})
"""The ends of a program that has not failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long a program may take to end, in seconds.

    Attributes:
        end_s: After the end of its input.
        terminate_s: After SIGTERM.
        last_output_s: Without output, when the server stops.
    """

    end_s: float = 0.2
    terminate_s: float = 1.0
    last_output_s: float = 1.0


PATIENCE = Patience()


class OutputLines:
    """Splits a program's output into lines of UTF-8; other bytes become U+FFFD. Not thread-safe."""

    def __init__(self) -> None:
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._rest = ""

    def feed(self, data: bytes) -> list[str]:
        """Return the complete lines, without their ends; no data means the end of the output, and the last line."""
        *lines, self._rest = (self._rest + self._decoder.decode(data, not data)).split("\n")
        if len(self._rest) >= LINE_CHARACTERS or (self._rest and not data):
            lines.append(self._rest)
            self._rest = ""
        return [piece for line in lines for piece in _split_long(line.removesuffix("\r"))]


class Program:
    """A running program. It has three descriptors of this process, and no other one.

    Attributes:
        signals: The signals that end it, the gentlest first.
        pid: The id of its process, which leads the process group.
        exit_fd: A descriptor that becomes readable when the process ends; None where the system has none (macOS).
        stdin: The descriptor of its input, None once that is closed. None of the three descriptors blocks.
        stdout: The descriptor of its standard output.
        stderr: The descriptor of its standard error; -1 where its standard output has that, too.

    Args:
        argv: The program and its arguments.
        environment: All variables that it has.
        patience: How long it may take to end.

    Raises:
        OSError: The program can't be started.
    """

    signals: ClassVar[tuple[signal.Signals, ...]] = (signal.SIGTERM, signal.SIGKILL)

    def __init__(self, argv: Sequence[str], environment: Mapping[str, str], *, patience: Patience = PATIENCE) -> None:
        self._patience = patience
        self._signalled = False
        self.stdin: int | None
        self.stdout: int
        self.stderr: int
        self._process = self._start(argv, environment)
        self.pid = self._process.pid
        self.exit_fd = _open_exit(self.pid)

    def _start(self, argv: Sequence[str], environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
        """Start the process with three pipes."""
        process = subprocess.Popen(  # noqa: S603  the operator's own command
            argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            bufsize=0,
            env=environment,
            start_new_session=True,
        )
        streams = (process.stdin, process.stdout, process.stderr)
        self.stdin, self.stdout, self.stderr = (stream.fileno() if stream is not None else -1 for stream in streams)
        for stream in streams:
            if stream is not None:
                os.set_blocking(stream.fileno(), False)
        return process

    def write(self, data: bytes | bytearray | memoryview) -> int:
        """Write as many bytes as the pipe takes at once, all once the program has closed it; return their number."""
        if self.stdin is None:
            return len(data)
        try:
            return os.write(self.stdin, data)
        except BlockingIOError:
            return 0
        except OSError:  # EPIPE: the program has closed its side
            self.close_stdin()
            return len(data)

    def read(self, descriptor: int, max_bytes: int = READ_BYTES) -> bytes | None:
        """Read from `stdout` or `stderr`; return no bytes at its end, None if there are none yet."""
        try:
            return os.read(descriptor, max_bytes)
        except BlockingIOError:
            return None

    def close_stdin(self) -> None:
        """Close the program's input."""
        if self.stdin is not None and self._process.stdin is not None:
            self._process.stdin.close()
            self.stdin = None

    def make_input_end(self, last: bytes) -> bytes:  # noqa: ARG002  a pipe is closed
        """Return the bytes that end the program's input, before `close_stdin`; `last` is the byte before them."""
        return b""

    def count_unread(self) -> int:
        """Return how many bytes of its output wait to be read, at most."""
        return count_unread_bytes(self.stdout)

    @property
    def has_exited(self) -> bool:
        """Whether the process has ended; its children may still run."""
        return os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the program and its children.

        Until `end` returns, no other group can get its number, so the signal reaches no other group.
        """
        self._signalled = self._signalled or not self.has_exited
        with contextlib.suppress(ProcessLookupError, PermissionError):  # the group is empty, or another user's
            os.killpg(self.pid, number)

    def end(self) -> str:
        """Stop the program and its children, wait for it, and return how it ended."""
        self.press()
        return self.reap()

    def press(self) -> None:
        """Stop the program and its children: the end of its input asks first, then SIGTERM, then SIGKILL."""
        self.close_stdin()
        self._wait_for_end(self._patience.end_s)
        self.signal(signal.SIGTERM)  # for its own children, too
        until = Deadline.after(self._patience.terminate_s)
        if self._wait_for_end(until.left_s):
            self._wait_for_children(until)
        self.signal(signal.SIGKILL)

    def reap(self) -> str:
        """Wait for the program, and return how it ended; no signal may be sent any more."""
        code = self._process.wait()
        self._close_outputs()
        if self.exit_fd is not None:
            os.close(self.exit_fd)
        if self._signalled:
            return ENDED_BY_SERVER
        return f"exit code {code}" if code >= 0 else f"killed by {signal.Signals(-code).name}"

    def _close_outputs(self) -> None:
        for stream in (self._process.stdout, self._process.stderr):
            if stream is not None:
                stream.close()

    def _wait_for_end(self, seconds: float) -> bool:
        """Return whether the process ends within that time, without reaping it."""
        until = Deadline.after(seconds)
        while not self.has_exited:
            if until.has_passed:
                return False
            if self.exit_fd is None:
                time.sleep(POLL_S)
            else:
                poll = select.poll()
                poll.register(self.exit_fd, select.POLLIN)
                poll.poll(until.left_ms)
        return True

    def _wait_for_children(self, until: Deadline) -> None:
        """Wait as long as children of the program hold its outputs."""
        for descriptor in (self.stdout, self.stderr):
            poll = select.poll()
            poll.register(descriptor, 0)  # its end is reported in any case
            poll.poll(until.left_ms)


def _open_exit(pid: int) -> int | None:
    """Return a descriptor for the end of a process; None where the system has none, or none left."""
    if sys.platform == "linux":
        with contextlib.suppress(OSError):
            return os.pidfd_open(pid)
    return None


def _split_long(line: str) -> list[str]:
    return [line[start : start + LINE_CHARACTERS] for start in range(0, max(len(line), 1), LINE_CHARACTERS)]
