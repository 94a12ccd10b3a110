"""Who is known by which name: clients by their IP address, kept in ``clients.json``."""

import datetime
import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sockctl.errors import NameRefusedError, NameTakenError, StoreFormatError, UnknownClientError
from sockctl.net.address import host_of
from sockctl.protocol.names import checked_name, same_name_key
from sockctl.stores.json_store import JsonStore
from sockctl.stores.moments import Clock, check_moment, read_moment, utc_now, written_moment

__all__ = ["KnownClient", "KnownClients", "client_address"]

FILE_NAME = "clients.json"
VERSION = 1


@dataclass(frozen=True, slots=True)
class KnownClient:
    """One client.

    Attributes:
        address: Its IP address.
        name: The name that it gave.
        first_seen: When it gave it.
        last_seen: When it was here last.
    """

    address: str
    name: str
    first_seen: datetime.datetime
    last_seen: datetime.datetime

    @property
    def as_fields(self) -> dict[str, str]:
        """The client as JSON has it, times as RFC 3339 in UTC."""
        return {
            "address": self.address,
            "name": self.name,
            "first_seen": written_moment(self.first_seen),
            "last_seen": written_moment(self.last_seen),
        }


def client_address(text: str) -> str:
    """Return the one form of an IP address: an IPv4-mapped IPv6 address is the IPv4 one, zones are left out.

    Raises:
        ValueError: It is no IP address.
    """
    address = ipaddress.ip_address(text.partition("%")[0])
    return host_of((str(getattr(address, "ipv4_mapped", None) or address), 0))


class KnownClients:
    """The clients in a data directory's ``clients.json``. Several threads and processes may use it at once.

    Args:
        data_dir: Where the file is; both are made when the first client is remembered.
        clock: Returns the time, with a time zone.
    """

    def __init__(self, data_dir: Path, *, clock: Clock = utc_now) -> None:
        self._clock = clock
        self._store = JsonStore(data_dir / FILE_NAME, version=VERSION, empty=lambda: {"clients": {}}, check=_check)

    def now(self) -> datetime.datetime:
        """Return the time."""
        return self._clock()

    def all(self) -> list[KnownClient]:
        """Return all clients, in the order in which they came.

        Raises:
            StoreError: The file can't be read.
        """
        return [_client(address, entry) for address, entry in self._store.read()["clients"].items()]

    def find(self, address: str) -> KnownClient | None:
        """Return the client with that IP address.

        Raises:
            StoreError: The file can't be read.
        """
        key = client_address(address)
        entry = self._store.read()["clients"].get(key)
        return None if entry is None else _client(key, entry)

    def remember(self, address: str, name: str) -> KnownClient:
        """Keep a new client and return it; when this returns, it is on the disk.

        One that has introduced itself meanwhile, on another connection, stays as it is, and is returned.

        Raises:
            NameTakenError: Another client has that name.
            StoreError: The file can't be read or written.
        """
        key = client_address(address)
        with self._store.update() as content:
            clients = content["clients"]
            if key not in clients:
                _refuse_taken(clients, name, but=key)
                now = written_moment(self._clock())
                clients[key] = {"name": name, "first_seen": now, "last_seen": now}
            entry = clients[key]
        return _client(key, entry)

    def note_visit(self, address: str) -> None:
        """Note that a known client is here now; one that was forgotten meanwhile stays so.

        Raises:
            StoreError: The file can't be read or written.
        """
        with self._store.update() as content:
            entry = content["clients"].get(client_address(address))
            if entry is not None:
                entry["last_seen"] = written_moment(self._clock())

    def rename(self, which: str, name: str) -> KnownClient:
        """Give a client another name, and return it as it was.

        Args:
            which: Its address or name.
            name: The new name.

        Raises:
            UnknownClientError: There is none.
            NameRefusedError: The name breaks the rule for names.
            NameTakenError: Another client has that name.
            StoreError: The file can't be read or written.
        """
        name = checked_name(name)
        with self._store.update() as content:
            client = _found(content["clients"], which)
            _refuse_taken(content["clients"], name, but=client.address)
            content["clients"][client.address]["name"] = name
        return client

    def forget(self, which: str) -> KnownClient:
        """Forget a client, given by address or name, and return it as it was.

        Raises:
            UnknownClientError: There is none.
            StoreError: The file can't be read or written.
        """
        with self._store.update() as content:
            client = _found(content["clients"], which)
            del content["clients"][client.address]
        return client


def _found(clients: Mapping[str, Any], which: str) -> KnownClient:
    try:
        address = client_address(which)
    except ValueError:
        key = same_name_key(which)
        address = next((own for own, entry in clients.items() if same_name_key(entry["name"]) == key), "")
    if address not in clients:
        raise UnknownClientError(f"No client {which!r} is known: 'sockctl clients list' shows those that are.")
    return _client(address, clients[address])


def _refuse_taken(clients: Mapping[str, Any], name: str, *, but: str) -> None:
    key = same_name_key(name)
    for address, entry in clients.items():
        if address != but and same_name_key(entry["name"]) == key:
            raise NameTakenError(f"The name {name!r} is taken: choose another one.")


def _client(address: str, entry: Mapping[str, str]) -> KnownClient:
    return KnownClient(address, entry["name"], read_moment(entry["first_seen"]), read_moment(entry["last_seen"]))


def _check(content: dict[str, Any]) -> None:
    """Refuse a file that some other hand has changed into something else."""
    clients = content.get("clients")
    if type(clients) is not dict:
        raise StoreFormatError("clients is no object")
    for address, entry in clients.items():
        where = f'clients["{address}"]'
        if not _is_usual_form(address):
            raise StoreFormatError(f"{where} is no IP address in its usual form")
        if type(entry) is not dict:
            raise StoreFormatError(f"{where} is no object")
        _check_entry(address, entry)


def _is_usual_form(address: str) -> bool:
    try:
        return client_address(address) == address
    except ValueError:
        return False


def _check_entry(address: str, entry: dict[str, Any]) -> None:
    where = f'clients["{address}"]'
    if type(entry.get("name")) is not str:
        raise StoreFormatError(f"{where}.name is no text")
    try:
        checked_name(entry["name"])
    except NameRefusedError as error:
        raise StoreFormatError(f"{where}.name won't do: {error}") from error
    for field in ("first_seen", "last_seen"):
        check_moment(entry.get(field), "clients", address, field)
