"""When a lost connection is made again, and to which server: pauses that grow."""

import random
from collections.abc import Callable

from sockctl.client.settings import ReturnPauses
from sockctl.client.targets import Targets, describe_failure
from sockctl.errors import (
    ConnectionBrokenError,
    ConnectTimeoutError,
    NotGreetedError,
    SockctlError,
    TlsError,
    TruncatedMessageError,
    TurnedAwayError,
    UnknownCertificateError,
    UnreachableError,
)
from sockctl.events.base import Event
from sockctl.events.reconnecting import ConnectionLost, Reconnecting, TargetFailed

LOST = (ConnectionBrokenError, TruncatedMessageError)
"""How a connection is lost, apart from its plain end without a goodbye."""
PASSED_OVER = (*LOST, UnreachableError, ConnectTimeoutError, NotGreetedError, TurnedAwayError)
"""The errors after which the client tries the next server, before one has let it in.

An error of TLS isn't one of them: nothing may hide from the user that somebody may be in between.
"""
FAILED = (*PASSED_OVER, TlsError, UnknownCertificateError)
"""The errors of a server that is on its way up or down: it is tried again.

A certificate that the user has never seen is one of them: nobody can be asked, nothing is sent, and the user learns of
it. A certificate that has changed ends the session.
"""
JITTER = 0.25
"""Pauses differ by up to so much of them, so that the clients of one server don't come back all at once."""


class Backoff:
    """How long to pause before each try: each time twice as long, up to a bound.

    Args:
        pauses: The pauses.
        spread: Returns a random number from 0 to 1.
    """

    def __init__(self, pauses: ReturnPauses, spread: Callable[[], float] = random.random) -> None:
        self._pauses = pauses
        self._pause_s = pauses.first_s
        self._spread = spread

    def draw_pause_s(self) -> float:
        """Return the next pause after a round of tries."""
        pause_s, self._pause_s = self._pause_s, min(2 * self._pause_s, self._pauses.longest_s)
        return pause_s * (1 + JITTER * (2 * self._spread() - 1))

    def draw_step_s(self) -> float:
        """Return the pause before the next server of a round."""
        return self._pauses.step_s * self._spread()

    def reset(self) -> None:
        """Begin anew."""
        self._pause_s = self._pauses.first_s


class Reconnector:
    """Decides when to connect again: after how many seconds, and with which event, if it was not emitted before.

    Args:
        targets: The servers; each decision goes on to the next one.
        pauses: The pauses.
        spread: As for `Backoff`.
    """

    def __init__(self, targets: Targets, pauses: ReturnPauses, spread: Callable[[], float] = random.random) -> None:
        self._targets = targets
        self._pauses = pauses
        self._backoff = Backoff(pauses, spread)
        self._last_reasons: dict[str, str] = {}  # of each server

    def lose(self, error: SockctlError | None, *, stood_s: float, farewell: str = "") -> tuple[float, Event]:
        """Return the pause after a connection was lost.

        Args:
            error: How it was lost; None for its plain end.
            stood_s: For how many seconds it had stood.
            farewell: The reason of the server's goodbye, if it said one.
        """
        if stood_s >= self._pauses.steady_s:
            self._backoff.reset()
            self._targets.begin_round()
        self._last_reasons.clear()
        lost = str(self._targets.current)
        seconds = self._draw_pause_s(self._targets.advance())
        named = {"server": lost, "next": str(self._targets.current)} if self._targets.are_several else {}
        return seconds, ConnectionLost(error=farewell or _explain_loss(error), seconds=seconds, **named)

    def fail(self, error: SockctlError | None) -> tuple[float, Event | None]:
        """Return the pause after a try has failed; the same reason of a server is told once.

        Args:
            error: The error; None where the server has ended the connection before it welcomed.
        """
        targets = self._targets
        server = str(targets.current)
        reason = explain_failure(targets, error)
        is_known = self._last_reasons.get(server) == reason
        self._last_reasons[server] = reason
        same_round = targets.advance(error)
        event: Event | None = None
        if not is_known and same_round:
            event = TargetFailed(server=server, error=reason, next=str(targets.current))
        elif not is_known:
            event = Reconnecting(error=reason, longest_s=self._pauses.longest_s)
        return self._draw_pause_s(same_round), event

    def _draw_pause_s(self, same_round: bool) -> float:
        return self._backoff.draw_step_s() if same_round else self._backoff.draw_pause_s()


def explain_failure(targets: Targets, error: SockctlError | None) -> str:
    """Return why the try of the current server has failed."""
    if not targets.are_several:
        return "The server ended the connection again." if error is None else str(error)
    return f"{targets.current} ended the connection." if error is None else describe_failure(targets.current, error)


def _explain_loss(error: SockctlError | None) -> str:
    """Return in few words how a connection was lost; None for its plain end."""
    if error is None:
        return "the server ended it without a goodbye"
    if isinstance(error, TruncatedMessageError):
        return "it ended in the middle of a message"
    cause = error.__cause__
    return str(cause.strerror) if isinstance(cause, OSError) else str(error).rstrip(".")
