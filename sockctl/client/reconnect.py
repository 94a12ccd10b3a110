"""The way back to a server after a lost connection: pauses that grow, and tries that a person need not wait for."""

import contextlib
import random
import select
import socket
import threading
import time
from collections.abc import Callable

from sockctl.client.inputs import LineInput
from sockctl.client.sender import refuse
from sockctl.client.telling import Tell
from sockctl.errors import (
    ConnectionBrokenError,
    ConnectTimeoutError,
    NotGreetedError,
    SockctlError,
    TlsError,
    TruncatedMessageError,
    UnreachableError,
)
from sockctl.events.base import Event
from sockctl.events.client import ConnectionLost, Reconnecting
from sockctl.net.listener import SocketOptions
from sockctl.net.transport import Transport

__all__ = ["FAILED", "LOST", "Backoff", "Connect", "ConnectAttempt", "Reconnector", "watch_over"]

LOST = (ConnectionBrokenError, TruncatedMessageError)
"""How a connection is lost, apart from its plain end without a goodbye."""
FAILED = (*LOST, UnreachableError, ConnectTimeoutError, NotGreetedError, TlsError)
"""What a server may do that is on its way up or down: it is tried again."""
FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 30.0
STEADY_S = 30.0
"""How long a connection must have stood for the pauses to begin anew: a server that falls over and over is spared."""
JITTER = 0.25
"""Pauses differ by up to so much of them, so that the clients of one server don't come back all at once."""
Connect = Callable[[Tell], Transport]


class Backoff:
    """How long to pause before each try: 0.5 s, then twice as long each time, up to 30 s."""

    def __init__(self, spread: Callable[[], float] = random.random) -> None:
        self._pause_s = FIRST_PAUSE_S
        self._spread = spread

    def next_s(self) -> float:
        """Return the next pause."""
        pause_s, self._pause_s = self._pause_s, min(2 * self._pause_s, LONGEST_PAUSE_S)
        return pause_s * (1 + JITTER * (2 * self._spread() - 1))

    def stood(self, seconds: float) -> None:
        """Take note that a connection stood for so long."""
        if seconds >= STEADY_S:
            self._pause_s = FIRST_PAUSE_S


class ConnectAttempt:
    """A try to connect, in a thread of its own, for whose end `select` can wait. It ends within the connect's timeout.

    Args:
        connect: Connects, and tells its events.
    """

    def __init__(self, connect: Connect) -> None:
        self._connect = connect
        self._lock = threading.Lock()  # guards the two below
        self._outcome: Transport | BaseException | None = None
        self._abandoned = False
        self._events: list[Event] = []  # the thread's own, until it has ended
        self._done, self._end = socket.socketpair()
        threading.Thread(target=self._run, name="sockctl-attempt", daemon=True).start()

    def fileno(self) -> int:
        """Return the descriptor that is readable when the try has ended."""
        return self._done.fileno()

    def take(self, tell: Tell) -> Transport:
        """Tell what happened, and return the connection; wait for it if need be.

        Raises:
            SockctlError: There is none.
        """
        self._done.recv(1)
        self._done.close()
        for event in self._events:
            tell(event)
        outcome, self._outcome = self._outcome, None
        if isinstance(outcome, BaseException):
            raise outcome
        assert outcome is not None  # noqa: S101  the thread has ended
        return outcome

    def abandon(self) -> None:
        """Let the try end by itself, and close what comes of it."""
        with self._lock:
            self._abandoned = True
            if self._outcome is not None:
                self._close()
        self._done.close()

    def _run(self) -> None:
        outcome: Transport | BaseException
        try:
            outcome = self._connect(self._events.append)
        except BaseException as error:  # noqa: BLE001  raised again by whoever takes it
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


class Reconnector:
    """Finds the way back to a server.

    Args:
        connect: Connects once.
        tell: Takes the events.
        remark: Tells a person that a line was refused.
        backoff: The pauses.
    """

    def __init__(
        self, connect: Connect, *, tell: Tell, remark: Callable[[str], None], backoff: Backoff | None = None
    ) -> None:
        self._connect = connect
        self._tell = tell
        self._remark = remark
        self._backoff = Backoff() if backoff is None else backoff
        self._told = ""  # the last reason why it can't be found

    def lost(self, error: SockctlError | None, *, stood_s: float) -> float:
        """Tell that a connection was lost which stood for so long; return the pause before the first try.

        Args:
            error: How it was lost; None for its plain end.
            stood_s: For how many seconds it had stood.
        """
        self._backoff.stood(stood_s)
        self._told = ""
        pause_s = self._backoff.next_s()
        self._tell(ConnectionLost(error=_why_lost(error), seconds=pause_s))
        return pause_s

    def failed(self, error: SockctlError | None) -> float:
        """Tell why a try has failed, unless that is the reason that was told last; return the pause before the next.

        Args:
            error: What was raised; None where the server has ended the connection before it let one in.
        """
        why = "The server ended the connection again." if error is None else str(error)
        if why != self._told:
            self._told = why
            self._tell(Reconnecting(error=why, longest_s=LONGEST_PAUSE_S))
        return self._backoff.next_s()

    def find(self, source: LineInput, pause_s: float) -> Transport | None:
        """Try until there is a connection, and return it; None when the person has ended it.

        Args:
            source: Where a person types: what comes is refused, with a word.
            pause_s: Seconds before the first try.

        Raises:
            UntrustedError: The server is not to be trusted.
            SockctlError: It can't be tried again.
        """
        while True:
            if not self._waited(source, pause_s):
                return None
            attempt = ConnectAttempt(self._connect)
            try:
                done = self._waited(source, None, attempt)
            except BaseException:
                attempt.abandon()
                raise
            if not done:
                attempt.abandon()
                return None
            try:
                return attempt.take(self._tell)
            except FAILED as error:
                pause_s = self.failed(error)

    def _waited(self, source: LineInput, pause_s: float | None, attempt: ConnectAttempt | None = None) -> bool:
        """Wait for the pause, or the attempt; return False if the person has ended it."""
        until = None if pause_s is None else time.monotonic() + pause_s
        waited_for: list[LineInput | ConnectAttempt] = [source] if attempt is None else [source, attempt]
        while not source.ended:
            left_s = None if until is None else max(0.0, until - time.monotonic())
            readable, _, _ = select.select(waited_for, [], [], left_s)
            if source in readable:
                refuse(source, self._remark)
            elif attempt in readable or left_s == 0.0:
                return True
        return False


def _why_lost(error: SockctlError | None) -> str:
    """Return in few words how a connection was lost; None for its plain end."""
    if error is None:
        return "the server ended it without a goodbye"
    if isinstance(error, TruncatedMessageError):
        return "it ended in the middle of a message"
    cause = error.__cause__
    return str(cause.strerror) if isinstance(cause, OSError) else str(error).rstrip(".")


def watch_over(transport: Transport) -> None:
    """Let the kernel find out within 90 s that nobody is at the other end any more."""
    with contextlib.suppress(OSError), socket.fromfd(transport.fileno(), socket.AF_INET, socket.SOCK_STREAM) as same:
        SocketOptions(keepalive_s=30, vanish_timeout_s=90).apply(same)
