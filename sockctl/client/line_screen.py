"""Shows what comes in whole lines, each behind a mark: so the words of several clients stay apart."""

import time

from sockctl.client.screen import Screen

MAX_OPEN = 65_536
"""Bytes of a line that may wait for its end; a longer one is shown in pieces."""
REST_S = 0.3
"""How long a person waits for the end of a line."""


class LineScreen(Screen):
    """A place for an `Output` to write to, above another screen.

    Args:
        under: The screen, on which all of them write.
        mark: What stands in front of each line; empty for nothing.
        rest_s: How long a line may wait for its end; None for any time: else a pipe would get an end that no client has
            sent.

    Attributes:
        rest_due_at: When `show_rest` is due; None while no line waits.
    """

    def __init__(self, under: Screen, mark: str = "", *, rest_s: float | None = None) -> None:
        super().__init__()
        self.person, self.colours = under.person, under.colours
        self.rest_due_at: float | None = None
        self._under = under
        self._mark = mark.encode()
        self._rest_s = rest_s
        self._open = b""

    def write(self, data: bytes) -> None:
        """Write the lines that are complete. Raises what `Screen.write` raises."""
        *lines, self._open = (self._open + data).split(b"\n")
        if lines:
            self._under.write(b"".join(b"%b%b\n" % (self._mark, line) for line in lines))
        if len(self._open) > MAX_OPEN:
            self.show_rest()
        self.rest_due_at = None if not self._open or self._rest_s is None else time.monotonic() + self._rest_s

    def show_rest(self) -> None:
        """Write the line that has no end yet, as one of its own. Raises what `Screen.write` raises."""
        line, self._open, self.rest_due_at = self._open, b"", None
        if line:
            self._under.write(b"%b%b\n" % (self._mark, line))

    def remark(self, line: str) -> None:
        """Write a line about the session to standard error, with the mark."""
        self._under.remark(f"{self._mark.decode()}{line}")
