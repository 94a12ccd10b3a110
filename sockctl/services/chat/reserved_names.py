"""The names that members can't take: those of users, and that of the operator at a server's terminal."""

from sockctl.protocol.names import make_name_key
from sockctl.services.login import LoginConversation

CONSOLE_NAME = "server"
"""The name of the operator at the server's terminal; no other member may have it."""


class ReservedNames:
    """Knows which names are reserved. Any thread may use it.

    Args:
        login: The login of users; None for a chat without users.
    """

    def __init__(self, login: LoginConversation | None) -> None:
        self._login = login
        self._has_consoles = False

    def reserve_console(self) -> None:
        """Reserve the terminals' name: another server of the same chat may have a terminal."""
        self._has_consoles = True

    def is_account(self, name: str) -> bool:
        """Return whether a name is a user's."""
        return self._login is not None and self._login.authenticator.accounts.users.find(name) is not None

    def find(self, name: str, account: str) -> str:
        """Return the account of another user, present or former, that a name is or looks like; empty for none."""
        key = make_name_key(name)
        if self._has_consoles and key == CONSOLE_NAME:
            return CONSOLE_NAME
        if self._login is None or key == account:
            return ""
        users = self._login.authenticator.accounts.users
        if self.is_account(key) or users.was_removed(key):
            return key
        return users.find_look_alike(name, but=account)
