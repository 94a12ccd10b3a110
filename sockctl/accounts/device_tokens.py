"""Device tokens: a session token proves which account it belongs to, even when its session is over.

A token is ``<session id>.<secret>``. The secret is 16 random bytes and the first 16 bytes of their HMAC-SHA-256, with
the account and the session, in URL-safe base64. The key stays with the server, so no other party can make a secret.

Such a proof authenticates no user. It shows that the device belongs to the account, as OWASP's device cookies do. So
strangers who guess the account's password don't hold up the device.
"""

import base64
import binascii
import hashlib
import hmac
import re
import secrets
from collections.abc import Callable, Iterable

_RANDOM_BYTES = 16
_MAC_BYTES = 16
_TOKEN = re.compile(r"([0-9a-f]{12})\.([A-Za-z0-9_-]{43})")


class DeviceTokens:
    """Makes and recognizes secrets of tokens. Any thread may use it.

    Args:
        key: Returns the key, 32 bytes; may raise its own errors.
    """

    def __init__(self, key: Callable[[], bytes]) -> None:
        self._key = key

    def make_secret(self, session_id: str, account: str) -> str:
        """Return a new secret of a session's token, 43 characters that no attacker can guess.

        Args:
            session_id: The session's id, 12 hex digits.
            account: The user's name, in the form that is saved.
        """
        random = secrets.token_bytes(_RANDOM_BYTES)
        return base64.urlsafe_b64encode(random + self._compute_mac(random, session_id, account)).decode().rstrip("=")

    def find_device(self, tokens: Iterable[str], account: str) -> str:
        """Return the session of the first token that a login of `account` made; empty for none.

        Args:
            tokens: The texts that a client has shown as tokens.
            account: A user's name, in the form that is saved.
        """
        for token in tokens:
            match = _TOKEN.fullmatch(token)
            if match is not None and self._is_own(match[1], match[2], account):
                return match[1]
        return ""

    def _is_own(self, session_id: str, secret: str, account: str) -> bool:
        try:
            shown = base64.urlsafe_b64decode(f"{secret}=")
        except binascii.Error:
            return False
        random, mac = shown[:_RANDOM_BYTES], shown[_RANDOM_BYTES:]
        return hmac.compare_digest(mac, self._compute_mac(random, session_id, account))

    def _compute_mac(self, random: bytes, session_id: str, account: str) -> bytes:
        text = b"device" + random + session_id.encode() + account.encode()
        return hmac.digest(self._key(), text, hashlib.sha256)[:_MAC_BYTES]
