"""For how long a session waits for what must come before it can go on: a greeting, a decision, its turn to speak."""

import time

from sockctl.client.dialogue import Dialogue
from sockctl.client.sender import Sender
from sockctl.errors import ConnectTimeoutError

__all__ = ["Patience"]


class Patience:
    """A session's waits.

    Args:
        dialogue: The connection's wire.
        speaking: What may be held back.
        timeout_s: Seconds for each of them.
    """

    def __init__(self, dialogue: Dialogue, sender: Sender, *, timeout_s: float) -> None:
        self._dialogue = dialogue
        self._sender = sender
        self._timeout_s = timeout_s
        self._started = time.monotonic()
        self._held_since: float | None = None

    def waits_s(self) -> list[float | None]:
        """Return for how many seconds each of them still lasts; None for what isn't awaited.

        Raises:
            ConnectTimeoutError: The time of one is up.
        """
        return [self._for_greeting(), self._dialogue.undecided_s(), self._for_turn()]

    def _for_greeting(self) -> float | None:
        if not (self._dialogue.listening and self._dialogue.insists):
            return self._sender.held_s()
        left_s = self._started + self._timeout_s - time.monotonic()
        if left_s <= 0:
            raise ConnectTimeoutError(
                f"The server has not greeted within {self._timeout_s:g} s (--timeout): is it a message service? "
                f"tcp://HOST:PORT talks with it all the same; if it speaks TLS, write sockctls://HOST:PORT."
            )
        return left_s

    def _for_turn(self) -> float | None:
        """Lines that were read already wait for the server's question or welcome."""
        if not self._sender.held_lines:
            self._held_since = None
            return None
        if self._held_since is None:
            self._held_since = time.monotonic()
        left_s = self._held_since + self._timeout_s - time.monotonic()
        if left_s <= 0:
            from sockctl.client.plaintext_guard import never_asked

            raise never_asked(self._timeout_s)
        return left_s
