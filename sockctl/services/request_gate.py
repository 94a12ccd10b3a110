"""Keeps HTTP requests from a program: its client's first bytes wait until they can't begin a request any more.

The program itself starts at once, since it may be the side that speaks first. A browser sends the first line of a
request in one piece, so the wait is bounded: it delays a client's first bytes alone, and only bytes that may begin a
request, such as a single word without a line end.
"""

from sockctl.deadline import Deadline
from sockctl.errors import HttpRefusedError
from sockctl.protocol.http_rules import is_request, may_become_request

HOLD_S = 0.2
"""How long first bytes wait for more: longer than a lost segment takes on a near network, hardly seen by a person."""
HELD_BYTES = 65_536
"""How many bytes may wait: as many as one read gives."""


class RequestGate:
    """The gate that a client's bytes pass on their way to its program. Not thread-safe.

    Args:
        is_open: Whether all bytes pass, requests too.
        hold_s: How long first bytes wait for more, in seconds.

    Attributes:
        until: When bytes that wait must be let through; never where none do.
    """

    def __init__(self, *, is_open: bool, hold_s: float = HOLD_S) -> None:
        self._is_open = is_open
        self._hold_s = hold_s
        self._held = b""
        self.until = Deadline.after(None)

    def admit(self, data: bytes) -> bytes:
        """Return the bytes that may pass now; those that may yet begin a request wait.

        Raises:
            HttpRefusedError: The first bytes are an HTTP request.
        """
        if self._is_open:
            return data
        if not self._held:
            self.until = Deadline.after(self._hold_s)
        self._held += data
        if is_request(self._held):
            raise HttpRefusedError("This is an HTTP request, and no HTTP server: nothing of it was carried out.")
        if len(self._held) < HELD_BYTES and may_become_request(self._held):
            return b""
        return self.open()

    def open(self) -> bytes:
        """Let all further bytes pass; return those that have waited."""
        self._is_open = True
        self.until = Deadline.after(None)
        held, self._held = self._held, b""
        return held
