"""The form of ``tokens.json``, and of the servers that it names."""

import re
from collections.abc import Iterable

from sockctl.client.known_hosts import is_host_key, make_host_key
from sockctl.net.address import Endpoint
from sockctl.net.fingerprints import parse_fingerprint
from sockctl.protocol.names import make_name_key
from sockctl.stores.schema import array, mapping, parsed, record, text, unless
from sockctl.stores.timestamps import parse_timestamp

TOKEN = re.compile(r"[!-~]{1,1024}")
_SERVICE = re.compile(r"[a-z][a-z0-9-]{0,31}")
_UNFIT = "is not what it should be"  # none of these sentences may show a token


def _place_of(entry: dict[str, str]) -> tuple[str, str, str]:
    """Return what an entry has in common with no other one of its server."""
    return entry["service"], entry["fingerprint"], make_name_key(entry.get("user", ""))


_TOKENS = array(
    record(
        {
            "service": text(unless(_SERVICE.fullmatch, _UNFIT)),
            "fingerprint": text(parsed(lambda text: text and parse_fingerprint(text), _UNFIT, unusual=_UNFIT)),
            "token": text(unless(TOKEN.fullmatch, _UNFIT)),
            "expires": text(parsed(parse_timestamp, _UNFIT)),
        },
        optional={"user": text(unless(str.isprintable, _UNFIT))},
    ),
    unless(
        lambda entries: len({_place_of(one) for one in entries}) == len(entries),
        "has a user of a service with one certificate twice",
    ),
)


def make_address(servers: Iterable[Endpoint]) -> str:
    """Return the one form of the servers of a login: ``HOST:PORT`` of each, in order, with commas between them."""
    return ",".join(sorted({make_host_key(one.host, one.port) for one in servers}))


def _is_address(address: str) -> bool:
    keys = address.split(",")
    return all(map(is_host_key, keys)) and keys == sorted(set(keys))


FORM = record({"sessions": mapping(_TOKENS, key=unless(_is_address, "is no HOST:PORT in its usual form"))})
