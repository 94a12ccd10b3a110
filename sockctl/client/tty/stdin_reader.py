"""The bytes of a terminal on their way to the keyboard, without an answer of the terminal that comes late.

Imported with prompt_toolkit only.
"""

import re
import select
import time

from prompt_toolkit.input.posix_utils import PosixStdinReader

from sockctl.client.tty.background import REPLY, Background

LATE_S = 5.0
"""How late an answer may be: a few seconds over the slowest lines."""
_BEGUN = re.compile(r"\x1b\](?:1(?:1(?:;[^\x07\x1b]{0,40}\x1b?)?)?)?\Z")


class StdinReader(PosixStdinReader):
    """Reads the keys, beginning with those typed while the terminal was asked for its background.

    Args:
        descriptor: The terminal.
        encoding: How the terminal encodes keys.
        background: The terminal's answer, and the keys typed meanwhile.
    """

    def __init__(self, descriptor: int, *, encoding: str, background: Background) -> None:
        super().__init__(descriptor, encoding=encoding)
        typed = background.typed.encode(errors="surrogateescape")
        self._held = self._stdin_decoder.decode(typed)  # which keeps the first bytes of a letter whose others follow
        self._late_until = time.monotonic() + LATE_S if background.reply_may_come else float("-inf")

    @property
    def is_ahead(self) -> bool:
        """Whether keys wait that `read` hasn't returned."""
        return bool(self._held)

    def read(self, count: int = 1024) -> str:
        """Return the keys that can be read now, as text."""
        text, self._held = self._held + super().read(count), ""
        if not text and self._has_hung_up():  # a read of such a terminal fails, which is no end to prompt_toolkit
            self.closed = True
        if time.monotonic() > self._late_until or "\x1b]" not in text:
            return text
        text, found = REPLY.subn("", text, count=1)
        if found:
            self._late_until = float("-inf")
        elif begun := _BEGUN.search(text):
            text, self._held = text[: begun.start()], begun[0]
        return text

    def _has_hung_up(self) -> bool:
        poll = select.poll()
        poll.register(self.stdin_fd, 0)
        return any(event & (select.POLLHUP | select.POLLERR) for _, event in poll.poll(0))
