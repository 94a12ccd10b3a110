"""The line editor of a server's operator."""

import os
import signal
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from sockctl.client.tty.line_editor import LineEditor

if TYPE_CHECKING:
    from prompt_toolkit.buffer import Buffer

EVENTS = "/events"


class OperatorEditor(LineEditor):
    """Edits lines outside of the main thread, which waits for signals, whatever the terminal does.

    Args:
        stop_job: Stops this job until the shell brings it to the foreground.
        editing: The arguments of `LineEditor`.
    """

    def __init__(self, *, stop_job: Callable[[], None], **editing: Any) -> None:
        super().__init__(**editing)
        self._stop_job = stop_job

    def find_words(self, before: str) -> tuple[str, list[str]]:
        """Return the word before the cursor, and the words that it may become; the console's own command as well."""
        name, space, word = before.partition(" ")
        if name == EVENTS and space:
            return word, [choice for choice in ("on", "off") if choice.startswith(word)]
        word, found = super().find_words(before)
        if before.startswith("/") and EVENTS.startswith(before):
            found = sorted([*found, f"{EVENTS} "])
        return word, found

    def clear_or_leave(self, buffer: "Buffer") -> None:
        """Clear the line being typed, or deny the console's question; on an empty line, stop the server."""
        if buffer.text or self.is_asked:
            super().clear_or_leave(buffer)
        else:
            os.kill(os.getpid(), signal.SIGINT)

    def stop_job(self) -> None:
        """Stop, until the shell brings this job to the foreground."""
        self._stop_job()
