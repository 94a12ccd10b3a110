"""The servers of one chat: any of them will do, and the client goes through them in rounds.

A round tries each server once. A server whose connection was lost has had its try. So the client goes on to the next
one at once, and pauses only when a whole round has failed.
"""

from collections.abc import Sequence

from sockctl.errors import ConnectTimeoutError, NotLetInError, SockctlError, UnreachableError
from sockctl.net.address import Endpoint

_BY_RANK = (NotLetInError, ConnectTimeoutError, UnreachableError)
"""The errors that a round may end with: one that somebody gave goes before silence, and silence before a refusal."""


class Targets:
    """The servers, in the user's order, and the one whose turn it is. Not thread-safe.

    Args:
        endpoints: The servers, each once.

    Attributes:
        endpoints: As the argument.
        current: The server whose turn it is.
    """

    def __init__(self, endpoints: Sequence[Endpoint]) -> None:
        self.endpoints = tuple(endpoints)
        self.current = self.endpoints[0]
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
        errors = [*self._errors, (self.current, error)]
        if not self.are_several:
            return error
        kind = next((kind for kind in _BY_RANK if any(isinstance(one, kind) for _, one in errors)), type(error))
        reasons = [f"\n  {one}" if str(server) in str(one) else f"\n  {server}: {one}" for server, one in errors]
        return kind(f"None of the {len(self.endpoints)} servers lets the client in:{''.join(reasons)}")
