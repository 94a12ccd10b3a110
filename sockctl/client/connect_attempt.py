"""A try to connect that a person need not wait for."""

import contextlib
import errno
import socket
import threading
from collections.abc import Callable

from sockctl.events.base import Event
from sockctl.net.listener import SocketOptions
from sockctl.net.transport import Transport

Connect = Callable[[Callable[[Event], None]], Transport]
"""Connects, and emits its events."""


class ConnectAttempt:
    """A try to connect, in a thread of its own, for whose end `select` can wait. It ends within the connect's timeout.

    Args:
        connect: Connects, and emits its events.

    Raises:
        OSError: The system has no descriptor or thread left.
    """

    def __init__(self, connect: Connect) -> None:
        self._connect = connect
        self._lock = threading.Lock()  # guards the two below
        self._outcome: Transport | BaseException | None = None
        self._abandoned = False
        self._events: list[Event] = []  # the thread's own, until it has ended
        self._done, self._end = socket.socketpair()
        try:
            threading.Thread(target=self._run, name="sockctl-attempt", daemon=True).start()
        except RuntimeError as error:
            self._done.close()
            self._end.close()
            raise OSError(errno.EAGAIN, "the system has no thread left") from error

    def fileno(self) -> int:
        """Return the descriptor that is readable when the try has ended."""
        return self._done.fileno()

    def finish(self, emit: Callable[[Event], None]) -> Transport:
        """Emit the events of the try, and return the connection; wait for it if need be.

        Raises:
            SockctlError: There is none.
        """
        with contextlib.ExitStack() as undo:
            undo.callback(self.abandon)  # such as where Ctrl-C ends the wait, or an event can't be shown
            self._done.recv(1)
            for event in self._events:
                emit(event)
            undo.pop_all()
        self._done.close()
        outcome, self._outcome = self._outcome, None
        if isinstance(outcome, BaseException):
            raise outcome
        assert outcome is not None  # noqa: S101  the thread has ended
        return outcome

    def abandon(self) -> None:
        """Let the try end by itself, and close its connection, if it makes one."""
        with self._lock:
            self._abandoned = True
            if self._outcome is not None:
                self._close()
        self._done.close()

    def _run(self) -> None:
        outcome: Transport | BaseException
        try:
            outcome = self._connect(self._events.append)
        except BaseException as error:  # noqa: BLE001  `finish` raises it again
            outcome = error
        with self._lock:
            self._outcome = outcome
            if self._abandoned:
                self._close()
        self._end.close()

    def _close(self) -> None:
        if self._outcome is not None and not isinstance(self._outcome, BaseException):
            self._outcome.close()
        self._outcome = None


def watch_over(transport: Transport) -> None:
    """Let the kernel find out within 90 s that the other end is gone."""
    SocketOptions(keepalive_s=30, vanish_timeout_s=90).apply_to(transport.fileno())
