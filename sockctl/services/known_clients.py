"""The known clients: names by IP address, saved in ``clients.db``."""

import contextlib
import datetime
import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sockctl.errors import NameTakenError, UnknownClientError
from sockctl.local_user import UID, parse_user_host
from sockctl.net.address import extract_host
from sockctl.protocol.names import check_name, make_name_key
from sockctl.services.client_looks import find_look_alike, save_look
from sockctl.stores.json_store import Content
from sockctl.stores.old_file import OldFile
from sockctl.stores.schema import mapping, parsed, record, text, timestamp
from sockctl.stores.sqlite_store import SqliteStore
from sockctl.stores.timestamps import Clock, format_timestamp, parse_timestamp, read_seconds, read_utc_clock

if TYPE_CHECKING:
    from sqlite3 import Connection

FILE_NAME = "clients.db"
VERSION = 1
OLD_FILE_NAME = "clients.json"
"""The file of earlier versions."""
OLD_VERSION = 1
MAX_CLIENTS = 100_000
"""The most known clients; a further one replaces the client not seen for longest."""
_SCHEMA = (
    """CREATE TABLE clients (
        number INTEGER PRIMARY KEY,
        address TEXT NOT NULL UNIQUE,
        name TEXT NOT NULL,
        name_key TEXT NOT NULL UNIQUE,
        first_seen INTEGER NOT NULL,
        last_seen INTEGER NOT NULL
    )""",
    "CREATE INDEX clients_by_last_seen ON clients (last_seen)",
)
_SELECT = "SELECT address, name, first_seen, last_seen FROM clients"
_LOOPBACK, _LOOPBACK_IPV6 = "127.0.0.1", "::1"
_MERGE_LOOPBACK = (
    f"""DELETE FROM clients WHERE address IN ('{_LOOPBACK}', '{_LOOPBACK_IPV6}') AND number NOT IN (
        SELECT number FROM clients WHERE address IN ('{_LOOPBACK}', '{_LOOPBACK_IPV6}')
        ORDER BY last_seen DESC, number DESC LIMIT 1)""",
    f"UPDATE clients SET address = '{_LOOPBACK}' WHERE address = '{_LOOPBACK_IPV6}'",
)
"""Keep one of the two clients that an earlier version saved for this machine: the one that was here last."""


@dataclass(frozen=True, slots=True)
class KnownClient:
    """One client.

    Attributes:
        address: Its IP address, or its user, as ``uid:1000``.
        name: The name that it gave.
        first_seen: When it gave the name.
        last_seen: When it was here last.
    """

    address: str
    name: str
    first_seen: datetime.datetime
    last_seen: datetime.datetime

    @property
    def as_fields(self) -> dict[str, str]:
        """The client as JSON; times as RFC 3339 in UTC."""
        return {
            "address": self.address,
            "name": self.name,
            "first_seen": format_timestamp(self.first_seen),
            "last_seen": format_timestamp(self.last_seen),
        }


def parse_client_address(text: str) -> str:
    """Return the one form of an IP address: without a zone, and as IPv4 where it is IPv4-mapped IPv6.

    A user at a Unix socket has an address like ``uid:1000``.

    Raises:
        ValueError: The text is neither.
    """
    if (uid := parse_user_host(text)) is not None:
        return f"{UID}{uid}"
    address = ipaddress.ip_address(text.partition("%")[0])
    return extract_host((str(getattr(address, "ipv4_mapped", None) or address), 0))


def _unify_address(text: str) -> str:
    """Return the address under which a client is saved; the loopback address of IPv6 becomes that of IPv4.

    Raises:
        ValueError: The text is no IP address.
    """
    address = parse_client_address(text)
    return _LOOPBACK if address == _LOOPBACK_IPV6 else address


_NO_ADDRESS = "is no IP address in its usual form"
_OLD_FORM = record(
    {
        "clients": mapping(
            record(
                {
                    "name": text(parsed(check_name, "won't do: {error}")),
                    "first_seen": timestamp,
                    "last_seen": timestamp,
                }
            ),
            key=parsed(parse_client_address, _NO_ADDRESS, unusual=_NO_ADDRESS),
        )
    }
)


class KnownClients:
    """The clients in a data directory's ``clients.db``. Several threads and processes may use it at once.

    Args:
        data_dir: The directory of the file; the first client creates both.
        clock: Returns the time, with a time zone.
        max_clients: The largest number of known clients.

    Attributes:
        path: The file.
    """

    def __init__(self, data_dir: Path, *, clock: Clock = read_utc_clock, max_clients: int = MAX_CLIENTS) -> None:
        self._clock = clock
        self._max_clients = max_clients
        old_file = OldFile(data_dir / OLD_FILE_NAME, OLD_VERSION, _OLD_FORM, _insert_old)
        self.path = data_dir / FILE_NAME
        self._store = SqliteStore(self.path, version=VERSION, schema=_SCHEMA, old_file=old_file)

    def read_clock(self) -> datetime.datetime:
        """Return the time."""
        return self._clock()

    def close(self) -> None:
        """Close the file; the next use opens it again."""
        self._store.close()

    def list_all(self) -> list[KnownClient]:
        """Return all clients, in the order in which they came.

        Raises:
            StoreError: The file can't be read.
        """
        return [_make_client(row) for row in self._store.fetch_rows(f"{_SELECT} ORDER BY number")]

    def find(self, address: str) -> KnownClient | None:
        """Return the client with that IP address.

        Raises:
            StoreError: The file can't be read.
        """
        rows = self._store.fetch_rows(*_build_query(_unify_address(address)))
        return _make_client(rows[0]) if rows else None

    def remember(self, address: str, name: str) -> KnownClient:
        """Save a new client to the disk, and return it.

        If the client has given its name meanwhile, on another connection, return that one.

        Raises:
            NameTakenError: Another client has that name.
            StoreError: The file can't be read or written.
        """
        address, now = _unify_address(address), int(self._clock().timestamp())
        with self._update() as database:
            known = database.execute(f"{_SELECT} WHERE address = ?", (address,)).fetchone()
            if known is not None:
                return _make_client(known)
            _refuse_taken(database, name, but=address)
            self._forget_oldest(database)
            database.execute(
                "INSERT INTO clients (address, name, name_key, first_seen, last_seen) VALUES (?, ?, ?, ?, ?)",
                (address, name, make_name_key(name), now, now),
            )
            save_look(database, name)
        return _make_client((address, name, now, now))

    def note_visit(self, address: str) -> None:
        """Save the time of a known client's visit; ignore a client that was forgotten meanwhile.

        Raises:
            StoreError: The file can't be read or written.
        """
        with self._update() as database:
            database.execute(
                "UPDATE clients SET last_seen = ? WHERE address = ?",
                (int(self._clock().timestamp()), _unify_address(address)),
            )

    def rename(self, which: str, name: str) -> KnownClient:
        """Give a client another name, and return it with its old one.

        Args:
            which: Its address or name.
            name: The new name.

        Raises:
            UnknownClientError: There is no such client.
            NameRefusedError: The name breaks the rule for names.
            NameTakenError: Another client has that name.
            StoreError: The file can't be read or written.
        """
        name = check_name(name)
        self.get(which)  # before a file or folder is made in vain
        with self._update() as database:
            client = _pick_client(database.execute(*_build_query(which)).fetchall(), which)
            _refuse_taken(database, name, but=client.address)
            database.execute(
                "UPDATE clients SET name = ?, name_key = ? WHERE address = ?",
                (name, make_name_key(name), client.address),
            )
            save_look(database, name)
        return client

    def forget(self, which: str) -> KnownClient:
        """Forget a client, given by address or name, and return it.

        Raises:
            UnknownClientError: There is no such client.
            StoreError: The file can't be read or written.
        """
        self.get(which)
        with self._update() as database:
            client = _pick_client(database.execute(*_build_query(which)).fetchall(), which)
            database.execute("DELETE FROM clients WHERE address = ?", (client.address,))
        return client

    def get(self, which: str) -> KnownClient:
        """Return the client, given by address or name.

        Raises:
            UnknownClientError: There is no such client.
            StoreError: The file can't be read.
        """
        return _pick_client(self._store.fetch_rows(*_build_query(which)), which)

    @contextlib.contextmanager
    def _update(self) -> Iterator["Connection"]:
        with self._store.update() as database:
            for statement in _MERGE_LOOPBACK:
                database.execute(statement)
            yield database

    def _forget_oldest(self, database: "Connection") -> None:
        (count,) = database.execute("SELECT count(*) FROM clients").fetchone()
        database.execute(
            "DELETE FROM clients WHERE number IN (SELECT number FROM clients ORDER BY last_seen, number LIMIT ?)",
            (max(0, count - self._max_clients + 1),),
        )


def _build_query(which: str) -> tuple[str, tuple[str]]:
    """Return the query that finds a client by address or name; a text that isn't Unicode finds none."""
    try:
        address = _unify_address(which)
    except ValueError:
        return f"{_SELECT} WHERE name_key = ?", (make_name_key(which).encode(errors="replace").decode(),)
    also = f" OR address = '{_LOOPBACK_IPV6}' ORDER BY last_seen DESC, number DESC" if address == _LOOPBACK else ""
    return f"{_SELECT} WHERE address = ?{also}", (address,)


def _pick_client(rows: list[tuple[Any, ...]], which: str) -> KnownClient:
    if not rows:
        raise UnknownClientError(f"No client {which!r} is known: 'sockctl clients list' shows those that are.")
    return _make_client(rows[0])


def _refuse_taken(database: "Connection", name: str, *, but: str) -> None:
    sql = "SELECT 1 FROM clients WHERE name_key = ? AND address <> ?"
    if database.execute(sql, (make_name_key(name), but)).fetchone() is not None:
        raise NameTakenError(f"The name {name!r} is taken: choose another one.")
    if alike := find_look_alike(database, name, but=but):
        raise NameTakenError(f"The name {name!r} looks like {alike}, which is taken: choose another one.")


def _make_client(row: tuple[Any, ...]) -> KnownClient:
    address, name, first_seen, last_seen = row
    address = _LOOPBACK if address == _LOOPBACK_IPV6 else address
    return KnownClient(address, name, read_seconds(first_seen), read_seconds(last_seen))


def _insert_old(database: "Connection", content: Content) -> None:
    """Insert the clients of an earlier version's file."""
    for address, entry in content.get("clients", {}).items():
        moments = (int(parse_timestamp(entry[key]).timestamp()) for key in ("first_seen", "last_seen"))
        database.execute(
            "INSERT OR IGNORE INTO clients (address, name, name_key, first_seen, last_seen) VALUES (?, ?, ?, ?, ?)",
            (address, entry["name"], make_name_key(entry["name"]), *moments),
        )
