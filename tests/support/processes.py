"""Starts `python -m sockctl`, and nodes of a cluster, by forking a process that has imported all of it already.

A start costs 0.1 s of processor time, nearly all of it imports, and the tests start more than a thousand processes. The
fork server is one process for each test worker. It forks twice and lets the process between end, so the system gives
the new process to the nearest ancestor that asked for orphans: the test worker asks for that moment (prctl(2),
PR_SET_CHILD_SUBREAPER). Hence a process is a child of the test worker, as if it had been started by subprocess.

The new process differs from one that was started anew in its imports, and it ends without freeing its objects. So a
test about imports, start-up time or memory, or one that needs other limits or another interpreter, starts its process
by subprocess itself.
"""

import contextlib
import ctypes
import fcntl
import json
import os
import socket
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pexpect
from ptyprocess import PtyProcess

SOCKCTL = [sys.executable, "-m", "sockctl"]
NODE = [sys.executable, "-m", "tests.support.node_entry"]
"""How a node of a test's cluster is started; see `tests.support.node_entry`."""
_SET_CHILD_SUBREAPER = 36  # linux/prctl.h
_NETWORK = Path("/proc/thread-self/ns/net")
"""The network namespace of the calling thread; see `tests.support.two_hosts`."""


class ForkServer:
    """The test worker's side of the fork server. Threads may share it."""

    def __init__(self) -> None:
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._prctl: Callable[..., int] = ctypes.CDLL(None, use_errno=True).prctl
        self._environment = _fixed_at_start(os.environ)
        self._network = _NETWORK.readlink()
        self._lock = threading.Lock()  # guards one exchange on the socket, and who is given orphans meanwhile
        measured = [os.environ["COVERAGE_PROCESS_START"]] if "COVERAGE_PROCESS_START" in os.environ else []
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.support.fork_server", str(theirs.fileno()), *measured],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.PIPE,  # pipes, since a process that is forked believes that it can't seek in them
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env={name: value for name, value in os.environ.items() if not name.startswith("COVERAGE")},
            )

    def can_start(self, command: Sequence[str], environment: Mapping[str, str]) -> bool:
        """Return whether a process of the fork server's is what starting that command here would give."""
        return list(command[:3]) in (SOCKCTL, NODE) and _fixed_at_start(environment) == self._environment

    def start(
        self,
        command: Sequence[str],
        streams: Sequence[int],
        *,
        passed: Sequence[int] = (),
        environment: Mapping[str, str],
        directory: str | os.PathLike[str] | None = None,
        new_session: bool = False,
        terminal: bool = False,
    ) -> int:
        """Start `command`, and return its process id.

        Args:
            command: `SOCKCTL` or `NODE`, and its arguments.
            streams: The descriptors of standard input, output and error.
            passed: More descriptors, which keep their numbers.
            environment: The environment variables.
            directory: Where it starts; None for here.
            new_session: It leads a session of its own.
            terminal: Standard input becomes the terminal of that session.
        """
        _, _, module, *more = command
        request = {
            "module": module,
            "arguments": more,
            "passed": list(passed),
            "environment": dict(environment),
            "directory": os.fspath(directory or Path.cwd()),
            "new_session": new_session or terminal,
            "terminal": terminal,
        }
        with contextlib.ExitStack() as stack:
            network = []
            if _NETWORK.readlink() != self._network:
                network.append(stack.enter_context(_NETWORK.open("rb")).fileno())
            stack.enter_context(self._lock)
            self._prctl(_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
            stack.callback(self._prctl, _SET_CHILD_SUBREAPER, 0, 0, 0, 0)
            socket.send_fds(self._socket, [json.dumps(request).encode()], [*streams, *passed, *network])
            return int(self._socket.recv(100))

    def close(self) -> None:
        """End the fork server. Processes that it started go on."""
        self._socket.close()
        self._process.communicate(timeout=60)  # on a busy machine, it may still be importing


class _Running:
    """The fork server of this test worker, while there is one."""

    server: ForkServer | None = None


def use(server: ForkServer | None) -> None:
    """Let `Popen` and `Spawn` start their processes by a fork server from now on, or by themselves again."""
    _Running.server = server


class Popen(subprocess.Popen[bytes]):
    """A `subprocess.Popen` that starts sockctl and nodes by the fork server, if the process would be equal."""

    def _execute_child(self, *arguments: Any) -> None:
        command, executable, preexec, _, passed, directory, environment, _, _, shell = arguments[:10]
        streams, session = arguments[10:16], arguments[21]
        environment = os.environ if environment is None else environment
        server = _Running.server
        if server is None or executable or preexec or shell or not server.can_start(command, environment):
            super()._execute_child(*arguments)  # type: ignore[misc]  # subprocess has it, its stub doesn't
            return
        mine = [number if end == -1 else end for number, end in enumerate((streams[0], streams[3], streams[5]))]
        try:
            self.pid = server.start(
                command, mine, passed=passed, environment=environment, directory=directory, new_session=session
            )
            self._child_created = True
        finally:
            self._close_pipe_fds(*streams)  # type: ignore[attr-defined]  # as above


if TYPE_CHECKING:
    _Spawn = pexpect.spawn[str]
else:
    _Spawn = pexpect.spawn


class Spawn(_Spawn):
    """A `pexpect.spawn` that starts sockctl by the fork server, as `Popen` does."""

    def _spawnpty(self, arguments: list[bytes], **options: Any) -> PtyProcess:
        environment = options.get("env") or os.environ
        command = [os.fsdecode(argument) for argument in arguments]
        server = _Running.server
        if server is None or not server.can_start(command, environment):
            return super()._spawnpty(arguments, **options)  # type: ignore[misc]  # pexpect has it, its stub doesn't
        master, slave = os.openpty()
        try:
            _set_size(slave, *(options.get("dimensions") or (24, 80)))
            return PtyProcess(server.start(command, [slave] * 3, environment=environment, terminal=True), master)
        finally:
            os.close(slave)

    def close(self, force: bool = True) -> None:
        """Close the terminal, and end the process. pexpect waits 0.1 s for it, even where it has ended."""
        if not self.isalive():
            self.ptyproc.delayafterclose = 0  # type: ignore[attr-defined]  # pexpect has it, its stub doesn't
        try:
            super().close(force)
        except pexpect.ExceptionPexpect:  # a busy machine needs more than pexpect's 0.1 s after SIGKILL
            deadline = time.monotonic() + 10
            while self.isalive() and time.monotonic() < deadline:
                time.sleep(0.05)
            super().close(force)


def _set_size(terminal: int, rows: int, columns: int) -> None:
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("4H", rows, columns, 0, 0))


def _fixed_at_start(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that an interpreter reads at its start, and that a forked one can't read again."""
    return {name: value for name, value in environment.items() if name.startswith(("PYTHON", "LC_", "LANG"))}
