"""The servers whose certificates the client trusts, by host and port, kept in ``known_hosts.json``."""

import datetime
import ipaddress
from dataclasses import dataclass
from pathlib import Path

from sockctl.errors import AddressError, UnknownHostError
from sockctl.net.address import format_address, is_unix, parse_target
from sockctl.net.fingerprints import parse_fingerprint
from sockctl.stores.json_store import JsonStore
from sockctl.stores.schema import mapping, parsed, record, text, timestamp, unless
from sockctl.stores.timestamps import Clock, format_timestamp, parse_timestamp, read_utc_clock

FILE_NAME = "known_hosts.json"
VERSION = 1


@dataclass(frozen=True, slots=True)
class KnownHost:
    """One trusted server.

    Attributes:
        address: Its ``HOST:PORT``.
        fingerprint: The SHA-256 of its certificate, as `parse_fingerprint` returns it.
        first_seen: When that certificate was trusted first.
    """

    address: str
    fingerprint: str
    first_seen: datetime.datetime

    @property
    def as_fields(self) -> dict[str, str]:
        """The server as JSON has it, the time as RFC 3339 in UTC."""
        return {
            "address": self.address,
            "fingerprint": self.fingerprint,
            "first_seen": format_timestamp(self.first_seen),
        }


def make_host_key(host: str, port: int) -> str:
    """Return the one form of host and port: lower case, an IP address as it is usually written, IPv6 in brackets."""
    if is_unix(host):
        return host
    address, percent, zone = host.partition("%")
    try:
        usual = str(ipaddress.ip_address(address))
    except ValueError:
        return format_address(host.lower(), port)
    return format_address(f"{usual}{percent}{zone}", port)  # a zone is an interface's name, where case counts


def is_host_key(address: str) -> bool:
    """Return whether `address` is such a form."""
    try:
        target = parse_target(address)
    except AddressError:
        return False
    return bool(target.host) and target.port is not None and make_host_key(target.host or "", target.port) == address


_NO_SHA256 = "is no SHA-256 in upper-case hex with colons"
_HOST = record(
    {"fingerprint": text(parsed(parse_fingerprint, _NO_SHA256, unusual=_NO_SHA256)), "first_seen": timestamp}
)
_FORM = record({"hosts": mapping(_HOST, key=unless(is_host_key, "is no HOST:PORT in its usual form"))})


class KnownHosts:
    """The servers in a state directory's ``known_hosts.json``. Several threads and processes may use it at once.

    Args:
        state_dir: Where the file is; both are made when the first server is trusted.
        clock: Returns the time, with a time zone.
    """

    def __init__(self, state_dir: Path, *, clock: Clock = read_utc_clock) -> None:
        self._clock = clock
        self._store = JsonStore(state_dir / FILE_NAME, version=VERSION, empty=lambda: {"hosts": {}}, check=_FORM)

    def list_all(self) -> list[KnownHost]:
        """Return all trusted servers, in the order in which they came.

        Raises:
            StoreError: The file can't be read.
        """
        return [
            KnownHost(address, entry["fingerprint"], parse_timestamp(entry["first_seen"]))
            for address, entry in self._store.read()["hosts"].items()
        ]

    def find(self, host: str, port: int) -> str | None:
        """Return the fingerprint of the certificate that this server is trusted with; None if it is unknown.

        Raises:
            StoreError: The file can't be read.
        """
        entry = self._store.read()["hosts"].get(make_host_key(host, port))
        return None if entry is None else str(entry["fingerprint"])

    def trust(self, host: str, port: int, fingerprint: str) -> None:
        """Trust a server with this certificate, and with no other one; when this returns, it is on the disk.

        Args:
            host: Its name or address.
            port: Its port.
            fingerprint: The SHA-256 of its certificate, in any form that `parse_fingerprint` takes.

        Raises:
            FingerprintError: It is no fingerprint.
            StoreError: The file can't be read or written.
        """
        usual = parse_fingerprint(fingerprint)
        key = make_host_key(host, port)
        with self._store.update() as content:
            known = content["hosts"].get(key)
            if known is None or known["fingerprint"] != usual:
                content["hosts"][key] = {"fingerprint": usual, "first_seen": format_timestamp(self._clock())}

    def forget(self, host: str, port: int) -> None:
        """Forget a server: its next certificate will be new.

        Raises:
            UnknownHostError: It isn't known.
            StoreError: The file can't be read or written.
        """
        key = make_host_key(host, port)
        with self._store.update() as content:
            if key not in content["hosts"]:
                raise UnknownHostError(
                    f"No certificate of {key} is kept: 'sockctl hosts list' shows those that are trusted."
                )
            del content["hosts"][key]
