"""The lines with which a pipe may log in, name and password: none of them becomes a line like any other."""

from collections.abc import Sequence

from sockctl.errors import OptionError
from sockctl.protocol.names import make_name_key
from sockctl.text import make_visible

NAME, NAME_AND_PASSWORD = 1, 2
"""How many lines are left out: the name alone, or both."""


class LoginLines:
    """Decides which lines are left out, over all connections of a session.

    Args:
        piped: Whether lines come from a pipe; else none is left out.
    """

    def __init__(self, *, piped: bool) -> None:
        self._piped = piped
        self._count = 0
        self._left_out = 0

    def needs(self, line: str, *, resumed_as: str, named: str, users: Sequence[str]) -> bool:
        """Return whether a line is to be said.

        Args:
            line: The line.
            resumed_as: Whose token has let the client in; empty without one.
            named: The name that the client has given by itself; empty if it has given none.
            users: The users whose logins are kept.

        Raises:
            OptionError: The pipe begins with another user's name than that of the token.
        """
        if not self._piped:
            return True
        self._count += 1
        if self._count == 1 and (resumed_as or named):
            self._begin(line.strip(), resumed_as, named, users)
        return self._count > self._left_out

    def _begin(self, name: str, resumed_as: str, named: str, users: Sequence[str]) -> None:
        key = make_name_key(name)
        if key == make_name_key(resumed_as or named):
            self._left_out = NAME_AND_PASSWORD if resumed_as else NAME
        elif resumed_as and key in map(make_name_key, users):
            raise OptionError(
                f"The input begins with {make_visible(name)}, and the kept login of {make_visible(resumed_as)} "
                f"is used: nothing was said. Add --user {make_visible(name)}."
            )
