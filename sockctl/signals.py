"""Receives the signals that ask a process to stop, so that its main thread can wait for them."""

import contextlib
import os
import select
import signal
import socket
import threading
import time
from collections.abc import Iterator

_MAX_SIGNALS = 4_096


@contextlib.contextmanager
def signals_as_bytes() -> Iterator[socket.socket | None]:
    """Yield a socket that gets a byte at each signal that has a handler; None outside of the main thread.

    A handler in Python can't run between a look and select(), and a signal that comes then doesn't interrupt select().
    A process that waits for this socket, too, loses none.
    """
    if threading.current_thread() is not threading.main_thread():
        yield None
        return
    with _signal_pair() as (receiver, _):
        yield receiver


@contextlib.contextmanager
def _signal_pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    """Yield a receiver and its sender, neither blocking, to which the C handler writes each signal's number.

    What nobody has received at the end goes to the pair of the block around this one. Main thread only.
    """
    receiver, sender = socket.socketpair()
    with receiver, sender:
        for each in (receiver, sender):
            each.setblocking(False)
        before = signal.set_wakeup_fd(sender.fileno(), warn_on_full_buffer=False)
        try:
            yield receiver, sender
        finally:
            signal.set_wakeup_fd(before, warn_on_full_buffer=False)
            if before >= 0:
                with contextlib.suppress(BlockingIOError):
                    os.write(before, receiver.recv(_MAX_SIGNALS))


class StopSignals:
    """Catches SIGINT, SIGTERM and SIGHUP while it is open, and lets the main thread wait for them.

    The interpreter's own C handler writes each signal's number to a socket pair (`signal.set_wakeup_fd`). So it doesn't
    matter which thread the kernel interrupts, and no Python code runs in the middle of other code. Main thread only.

    Attributes:
        outlives_terminal: Whether this process has inherited to ignore SIGHUP, as ``nohup`` has it.
    """

    def __init__(self) -> None:
        self.outlives_terminal = signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
        self._end = contextlib.ExitStack()
        self._receiver: socket.socket
        self._sender: socket.socket

    def __enter__(self) -> "StopSignals":
        self._receiver, self._sender = self._end.enter_context(_signal_pair())
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            self._end.callback(signal.signal, number, signal.signal(number, _ignore))
        return self

    def __exit__(self, *_: object) -> None:
        self._end.close()

    def wait(self) -> signal.Signals | None:
        """Wait for a signal and return it; None when `wake` was called instead."""
        select.select([self._receiver], [], [])
        number = self._receiver.recv(1)[0]
        return signal.Signals(number) if number else None

    def skip(self, seconds: float) -> bool:
        """Pass over the signals of so many seconds, and over those that are there when this process gets to look then.

        A busy machine may let the process look late: signals that came close together are not told apart by the time
        at which it sees them. Return False as soon as `wake` was called.
        """
        until = time.monotonic() + seconds
        while select.select([self._receiver], [], [], max(0.0, until - time.monotonic()))[0]:
            if self.wait() is None:
                return False
        return True

    def wake(self) -> None:
        """End a `wait` or a `skip`; any thread may call it."""
        self._sender.send(b"\0")


def wait_for_children() -> None:
    """Have the system keep a child's exit code until this process waits for the child; main thread only.

    A process inherits an ignored SIGCHLD from its parent (``trap '' CHLD`` in a shell). Then the exit code would be
    lost, and the child's number might belong to another process by the time of a signal.
    """
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)


def _ignore(number: int, frame: object) -> None:
    """Do nothing: the C handler has already written the number."""
