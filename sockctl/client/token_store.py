"""The client's logins: tokens with which servers let it in again, kept in ``tokens.json``.

A token is a password for as long as it lives. So it is found for exactly that server that gave it: the same host and
port, the same service, and under TLS the same certificate, even where an authority vouches for another one. Without TLS
the host is an IP address, since a name may lead to another program the next time. The token is in the file, and in the
one field that carries it to the wire; no repr and no error shows it.

Several servers that the user names together are one chat. A token of one counts at each of them, and is found under
the names of all, in any order. Each server's certificate is checked before, and the servers may have one each.

A server may have a token of each of several users. The file has them in the order in which they were used.

An expired token lets nobody in. It still shows the server that this device belongs to the user, so that strangers who
guess at the user's password don't hold up the device.
"""

import datetime
import hmac
import os
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sockctl.client.known_hosts import make_host_key
from sockctl.client.token_form import FORM, TOKEN, make_address
from sockctl.errors import StoreError, StoreFormatError
from sockctl.net.address import Endpoint
from sockctl.protocol.names import make_name_key
from sockctl.stores.json_store import JsonStore
from sockctl.stores.timestamps import Clock, format_timestamp, parse_timestamp, read_utc_clock

FILE_NAME = "tokens.json"
OLD_FILE_NAME = "sessions.json"
"""The file's name in earlier versions."""
VERSION = 1
MAX_USER = 64
"""Characters of a user's name that are kept: twice the longest name."""
REMEMBERED = datetime.timedelta(days=30)
"""How long an expired token is kept."""


@dataclass(frozen=True, slots=True)
class Login:
    """Where a token counts.

    Attributes:
        address: The server's ``HOST:PORT``, or those of several, as `make_address` returns them.
        service: The service's name, as the greeting says it.
        fingerprint: The SHA-256 of its certificate, as `compute_fingerprint` returns it; empty without TLS. Of several
            servers, it is that of the one that gave the token.
    """

    address: str
    service: str
    fingerprint: str

    def is_place_of(self, other: "Login") -> bool:
        """Return whether a token of the other login counts here."""
        if "," not in self.address:
            return self == other
        alike = (self.address, self.service) == (other.address, other.service)
        return alike and bool(self.fingerprint) == bool(other.fingerprint)

    @classmethod
    def at(cls, host: str, port: int, service: str, fingerprint: str = "") -> "Login":
        """Return the login at a server by its name or address, and its port."""
        return cls(make_host_key(host, port), service, fingerprint)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptToken:
    """One kept token.

    Attributes:
        login: Where it counts.
        token: The secret itself; the repr is without it.
        expires: Until when it counts.
        user: Whose it is; empty if that is not known.
    """

    login: Login
    token: str = field(repr=False)
    expires: datetime.datetime
    user: str = ""

    def is_of(self, user: str) -> bool:
        """Return whether it is that user's."""
        return make_name_key(self.user) == make_name_key(user)

    @property
    def as_fields(self) -> dict[str, Any]:
        """The login as JSON for others: without the token; the time as RFC 3339 in UTC."""
        return {
            "server": self.login.address,
            "service": self.login.service,
            "user": self.user or None,
            "fingerprint": self.login.fingerprint or None,
            "expires": format_timestamp(self.expires),
        }


class TokenStore:
    """The tokens in a state directory's ``tokens.json``. Several threads and processes may use it at once.

    A ``sessions.json`` of an earlier version gets the new name; where that can't be, it is used as it is.

    Args:
        state_dir: Where the file is; both are made when the first token is kept.
        clock: Returns the time, with a time zone.
    """

    def __init__(self, state_dir: Path, *, clock: Clock = read_utc_clock) -> None:
        self._clock = clock
        self._store = _store_in(state_dir)

    def list_all(self) -> list[KeptToken]:
        """Return the tokens of all servers, expired ones as well.

        Raises:
            StoreError: The file can't be read.
        """
        return [
            _read_kept(address, one) for address, entries in self._store.read()["sessions"].items() for one in entries
        ]

    def list_servers(self, servers: Iterable[Endpoint]) -> list[KeptToken]:
        """Return all tokens that count at each of some servers, expired ones as well.

        Raises:
            StoreError: The file can't be read.
        """
        return self._list_address(make_address(servers))

    def find(self, login: Login, user: str = "") -> KeptToken | None:
        """Return the token that counts there, expired or not.

        Args:
            login: Where.
            user: Whose; empty for the user whose token was used last.

        Raises:
            StoreError: The file can't be read.
        """
        found = [
            one
            for one in self._list_address(login.address)
            if login.is_place_of(one.login) and (not user or one.is_of(user))
        ]
        return found[-1] if found else None

    def users_at(self, login: Login) -> list[str]:
        """Return the users whose tokens count there; the one whose token was used last is the first.

        Raises:
            StoreError: The file can't be read.
        """
        kept = reversed(self._list_address(login.address))
        return [one.user for one in kept if login.is_place_of(one.login) and one.user]

    def keep(self, login: Login, *, token: str, expires: str, user: str = "", in_place_of: str | None = None) -> bool:
        """Keep a token in place of the user's one before, and return whether it is kept; then it is on the disk.

        Tokens that expired 30 days ago are dropped.

        Args:
            login: Where it counts.
            token: The token, as the server gave it.
            expires: Until when it counts, as the server gave it (RFC 3339).
            user: Whose it is, if that is known. A token of nobody known is replaced, and replaces those of all.
            in_place_of: The token that was shown for it. If the file has another one of this user, that one stays: a
                client that was quicker has kept it, and its first use may have replaced this one.

        Raises:
            StoreFormatError: The token or its end can't be one.
            StoreError: The file can't be read or written.
        """
        if not TOKEN.fullmatch(token):
            raise StoreFormatError("A token can't be kept: it is not of printable ASCII characters, 1,024 at most.")
        try:
            until = format_timestamp(parse_timestamp(expires))
        except ValueError as error:
            raise StoreFormatError("A token can't be kept: the server doesn't say until when it counts.") from error
        address, dropped_at = login.address, self._clock() - REMEMBERED
        entry = {"service": login.service, "fingerprint": login.fingerprint, "token": token, "expires": until}
        if user:
            entry["user"] = user[:MAX_USER]
        with self._store.update() as content:
            entries = content["sessions"].setdefault(address, [])
            before = [one for one in entries if _is_replaced(_read_kept(address, one), login, user)]
            if in_place_of is not None and any(
                _is_anothers(_read_kept(address, one), user, in_place_of) for one in before
            ):
                return False
            for others in content["sessions"].values():
                others[:] = [one for one in others if parse_timestamp(one["expires"]) > dropped_at]
            entries[:] = [one for one in entries if one not in before]
            entries.append(entry)
            _drop_empty(content)
        return True

    def forget(self, login: Login, *, token: str | None = None) -> None:
        """Forget the tokens that count there, if there are some.

        Args:
            login: Where it counts.
            token: Forget it only if it is still this one: another client of the same user may have kept a newer one.

        Raises:
            StoreError: The file can't be read or written.
        """

        def is_meant(entry: dict[str, str]) -> bool:
            if not login.is_place_of(_read_kept(login.address, entry).login):
                return False
            return token is None or hmac.compare_digest(entry["token"].encode(), token.encode())

        if not any(map(is_meant, self._store.read()["sessions"].get(login.address, []))):
            return  # nothing to write, and no file or folder to make
        with self._store.update() as content:
            entries = content["sessions"].get(login.address, [])
            entries[:] = [one for one in entries if not is_meant(one)]
            _drop_empty(content)

    def _list_address(self, address: str) -> list[KeptToken]:
        return [_read_kept(address, entry) for entry in self._store.read()["sessions"].get(address, [])]


def _store_in(state_dir: Path) -> JsonStore:
    """Return the store, after an earlier version's file was taken over."""
    path, old_path = state_dir / FILE_NAME, state_dir / OLD_FILE_NAME
    if os.path.lexists(old_path) and not os.path.lexists(path):
        old_store = _store_at(old_path)
        try:
            old_store.read()  # another program's file keeps its name
            old_path.rename(path)
        except FileNotFoundError:
            pass  # another process was quicker
        except (StoreError, OSError):
            return old_store
    return _store_at(path)


def _store_at(path: Path) -> JsonStore:
    return JsonStore(path, version=VERSION, empty=lambda: {"sessions": {}}, check=FORM, private=True)


def _read_kept(address: str, entry: dict[str, str]) -> KeptToken:
    return KeptToken(
        login=Login(address, entry["service"], entry["fingerprint"]),
        token=entry["token"],
        expires=parse_timestamp(entry["expires"]),
        user=entry.get("user", ""),
    )


def _is_replaced(kept: KeptToken, login: Login, user: str) -> bool:
    """Return whether a token gives way to a new one of that user."""
    return login.is_place_of(kept.login) and (not kept.user or not user or kept.is_of(user[:MAX_USER]))


def _is_anothers(kept: KeptToken, user: str, shown: str) -> bool:
    """Return whether a kept token is of that user, and not the one that this client has shown."""
    return kept.is_of(user[:MAX_USER]) and not hmac.compare_digest(kept.token.encode(), shown.encode())


def _drop_empty(content: dict[str, Any]) -> None:
    content["sessions"] = {address: entries for address, entries in content["sessions"].items() if entries}
