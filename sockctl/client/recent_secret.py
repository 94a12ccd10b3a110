"""The secret that the user has just typed, as a salted hash, so that the user doesn't say it by mistake."""

import hmac
import os

KEPT_S = 300.0
"""How long a secret is remembered."""


class RecentSecret:
    """Knows the last secret again, without having it. Times are seconds of one monotonic clock."""

    def __init__(self) -> None:
        self._salt = os.urandom(16)
        self._digest = b""
        self._noted_at = 0.0

    def note(self, secret: str, now: float) -> None:
        """Remember a secret in place of the one before."""
        self._digest = self._hash(secret) if secret.strip() else b""
        self._noted_at = now

    def matches(self, text: str, now: float) -> bool:
        """Return whether a text is that secret, and that was typed lately."""
        if now - self._noted_at > KEPT_S:
            self._digest = b""
        return bool(self._digest) and hmac.compare_digest(self._digest, self._hash(text))

    def _hash(self, text: str) -> bytes:
        return hmac.digest(self._salt, text.strip().encode(errors="replace"), "sha256")
