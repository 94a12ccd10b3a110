"""When a lost connection is made again: pauses that grow."""

import random
from collections.abc import Callable

from sockctl.errors import (
    ConnectionBrokenError,
    ConnectTimeoutError,
    NotGreetedError,
    SockctlError,
    TlsError,
    TruncatedMessageError,
    TurnedAwayError,
    UnreachableError,
)
from sockctl.events.base import Event
from sockctl.events.reconnecting import ConnectionLost, Reconnecting

LOST = (ConnectionBrokenError, TruncatedMessageError)
"""How a connection is lost, apart from its plain end without a goodbye."""
FAILED = (*LOST, UnreachableError, ConnectTimeoutError, NotGreetedError, TlsError, TurnedAwayError)
"""The errors of a server that is on its way up or down: it is tried again."""
FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 30.0
STEADY_S = 30.0
"""How long a connection must have stood for the pauses to begin anew: a server that falls over and over is spared."""
NO_ANSWER = "the server got no answer for too long"
JITTER = 0.25
"""Pauses differ by up to so much of them, so that the clients of one server don't come back all at once."""


class Backoff:
    """How long to pause before each try: 0.5 s, then twice as long each time, up to 30 s."""

    def __init__(self, spread: Callable[[], float] = random.random) -> None:
        self._pause_s = FIRST_PAUSE_S
        self._spread = spread

    def draw_pause_s(self) -> float:
        """Return the next pause."""
        pause_s, self._pause_s = self._pause_s, min(2 * self._pause_s, LONGEST_PAUSE_S)
        return pause_s * (1 + JITTER * (2 * self._spread() - 1))

    def reset_after(self, seconds: float) -> None:
        """Begin anew if a connection stood for so long."""
        if seconds >= STEADY_S:
            self._pause_s = FIRST_PAUSE_S


class Reconnector:
    """Decides when to connect again: after how many seconds, and with which event, if it was not emitted before.

    Args:
        backoff: The pauses.
    """

    def __init__(self, backoff: Backoff | None = None) -> None:
        self._backoff = Backoff() if backoff is None else backoff
        self._last_reason = ""

    def lose(self, error: SockctlError | None, *, stood_s: float, gave_up: bool = False) -> tuple[float, Event | None]:
        """Return the pause after a connection was lost.

        Args:
            error: How it was lost; None for its plain end.
            stood_s: For how many seconds it had stood.
            gave_up: Whether the server has ended it since it got no answer.
        """
        self._backoff.reset_after(stood_s)
        self._last_reason = ""
        seconds = self._backoff.draw_pause_s()
        return seconds, ConnectionLost(error=NO_ANSWER if gave_up else _explain_loss(error), seconds=seconds)

    def fail(self, error: SockctlError | None) -> tuple[float, Event | None]:
        """Return the pause after a try has failed; the same reason is told once.

        Args:
            error: The error; None where the server has ended the connection before it welcomed.
        """
        reason = "The server ended the connection again." if error is None else str(error)
        event = None if reason == self._last_reason else Reconnecting(error=reason, longest_s=LONGEST_PAUSE_S)
        self._last_reason = reason
        return self._backoff.draw_pause_s(), event


def _explain_loss(error: SockctlError | None) -> str:
    """Return in few words how a connection was lost; None for its plain end."""
    if error is None:
        return "the server ended it without a goodbye"
    if isinstance(error, TruncatedMessageError):
        return "it ended in the middle of a message"
    cause = error.__cause__
    return str(cause.strerror) if isinstance(cause, OSError) else str(error).rstrip(".")
