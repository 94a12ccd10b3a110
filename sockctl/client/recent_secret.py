"""The secret that was just typed, so that it isn't said by mistake: as a salted hash, for a short while."""

import hmac
import os
import time
from collections.abc import Callable

KEPT_S = 300.0


class RecentSecret:
    """Knows the last secret again, without having it.

    Args:
        clock: Seconds of a monotonic clock.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._salt = os.urandom(16)
        self._digest = b""
        self._noted_at = 0.0

    def note(self, secret: str) -> None:
        """Remember a secret in place of the one before."""
        self._digest = self._hash(secret) if secret.strip() else b""
        self._noted_at = self._clock()

    def matches(self, text: str) -> bool:
        """Return whether a text is that secret, and that was typed lately."""
        if self._clock() - self._noted_at > KEPT_S:
            self._digest = b""
        return bool(self._digest) and hmac.compare_digest(self._digest, self._hash(text))

    def _hash(self, text: str) -> bytes:
        return hmac.digest(self._salt, text.strip().encode(errors="replace"), "sha256")
