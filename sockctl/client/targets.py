"""The servers of one chat: any of them will do, and the client goes through them in rounds.

A round tries each server once. A server whose connection was lost has had its try. So the client goes on to the next
one at once, and pauses only when a whole round has failed.
"""

import re
from collections.abc import Sequence

from sockctl.errors import ConnectTimeoutError, NotLetInError, SockctlError, UnreachableError
from sockctl.events.base import Event
from sockctl.net.address import Endpoint

_QUESTION = re.compile(r"(?<=\.) [^.?]*\?\Z")
_BY_RANK = (NotLetInError, ConnectTimeoutError, UnreachableError)
"""The errors that a round may end with: one that somebody gave goes before silence, and silence before a refusal."""


class Targets:
    """The servers, in the user's order, and the one whose turn it is. Not thread-safe.

    Args:
        endpoints: The servers, each once.

    Attributes:
        endpoints: As the argument.
        current: The server whose turn it is.
        home: The server that has let the client in last; None before the first.
    """

    def __init__(self, endpoints: Sequence[Endpoint]) -> None:
        self.endpoints = tuple(endpoints)
        self.current = self.endpoints[0]
        self.home: Endpoint | None = None
        self._left = len(self.endpoints)  # how many tries the round has, the current one included
        self._errors: list[tuple[Endpoint, SockctlError]] = []  # why those of the round have failed

    @property
    def are_several(self) -> bool:
        """Whether there is more than one."""
        return len(self.endpoints) > 1

    @property
    def has_more(self) -> bool:
        """Whether the round goes on after the current server."""
        return self._left > 1

    def begin_round(self) -> None:
        """Begin a new round with the current server."""
        self._left = len(self.endpoints)
        self._errors.clear()

    def note_welcome(self) -> Event | None:
        """Note that the current server has let the client in; return the event of another one than before."""
        before, self.home = self.home, self.current
        if before is None or before == self.current:
            return None
        from sockctl.events.reconnecting import TargetChanged

        return TargetChanged(server=str(self.current), before=str(before))

    def advance(self, error: SockctlError | None = None) -> bool:
        """Go on to the next server; return whether it belongs to the same round.

        Args:
            error: Why the current one has failed.
        """
        if error is not None:
            self._errors.append((self.current, error))
        place = self.endpoints.index(self.current) + 1
        self.current = self.endpoints[place % len(self.endpoints)]
        self._left -= 1
        if self._left:
            return True
        self.begin_round()
        return False

    def explain(self, error: SockctlError) -> SockctlError:
        """Return the error of a round whose last try, the current server's, has failed: it names all of them."""
        if not self.are_several:
            return error
        errors = [*self._errors, (self.current, error)]
        kind = next((kind for kind in _BY_RANK if any(isinstance(one, kind) for _, one in errors)), type(error))
        reasons = "".join(f"\n  {describe_failure(server, one)}" for server, one in errors)
        return kind(f"None of the {len(self.endpoints)} servers lets the client in:{reasons}")


def describe_failure(server: Endpoint, error: SockctlError) -> str:
    """Return why one of several servers has failed, by its name, without the question that many an error ends with."""
    text = _QUESTION.sub("", str(error))
    return text if str(server) in text else f"{server}: {text}"
