"""Topics, bans and mutes as ``chat.json`` has them.

{"version": 1, "topics": {"#lobby": {"text": "…", "by": "ann", "at": "…"}},
    "bans": [{"name": "zoe", "account": "eve", "addresses": ["192.0.2.7"], "by": "ann", "at": "…", "until": null},
        {"address": "192.0.2.0/24", "by": "operator", "at": "…", "until": "…"}],
    "mutes": [{"name": "bob", "account": "bob", "by": "ann", "at": "…", "until": "…"}]}

A ban or a mute has either an `address`, or a `name` and with it `account`, `addresses` or both. Those with a name alone
were written before there were the others: they hold for the name.
"""

from collections.abc import Mapping
from typing import Any

from sockctl.protocol.names import checked_name, same_name_key
from sockctl.services.chat.bans import Ban, Target, Topic, network_of, shown_network
from sockctl.stores.json_store import Content
from sockctl.stores.schema import array, mapping, nullable, parsed, record, text, timestamp, unless
from sockctl.stores.timestamps import format_timestamp, parse_timestamp
from sockctl.text import clean, has_controls

__all__ = ["VERSION", "ban_fields", "check_rulings", "no_rulings", "read_ban", "read_topic", "topic_fields"]

VERSION = 1


def no_rulings() -> Content:
    """Return what a file that isn't there stands for."""
    return {"topics": {}, "bans": [], "mutes": []}


def _has_one_target(entry: Mapping[str, Any]) -> bool:
    texts = [entry[key] for key in ("address", "name") if key in entry]
    return len(texts) == 1 and type(texts[0]) is str


def _is_usual_network(text: str) -> bool:
    network = network_of(text)
    return network is not None and shown_network(network) == text


_PRINTABLE = "is no text, or holds control characters"
_SPACE = "has space around it"
_BY = text(unless(lambda text: not has_controls(text), _PRINTABLE), problem=_PRINTABLE)
_NO_NETWORK = "is no IP address or network in its usual form"
_NETWORK = text(unless(_is_usual_network, _NO_NETWORK), problem=_NO_NETWORK)
_ACCOUNT = parsed(
    lambda name: same_name_key(checked_name(name)), "won't do: {error}", unusual=f"{_SPACE}, or is not in lower case"
)
_BANS = array(
    record(
        {"by": _BY, "at": timestamp},
        unless(_has_one_target, "needs one text that says who: address or name"),
        optional={
            "until": nullable(timestamp),
            "address": _NETWORK,
            "name": text(parsed(checked_name, "won't do: {error}", unusual=_SPACE)),
            "account": text(_ACCOUNT),
            "addresses": array(_NETWORK, unless(len, "is no list of addresses"), problem="is no list of addresses"),
        },
    ),
    problem="is no list",
)
check_rulings = record(
    {"topics": mapping(record({"text": _BY, "by": _BY, "at": timestamp})), "bans": _BANS, "mutes": _BANS}
)
"""Refuses content that is not of the right form."""


def topic_fields(topic: Topic) -> dict[str, str]:
    """Return a topic as the file has it."""
    return {"text": topic.text, "by": topic.by, "at": format_timestamp(topic.at)}


def read_topic(entry: Mapping[str, str]) -> Topic:
    """Return the topic that an entry of the file stands for."""
    return Topic(clean(entry["text"]), clean(entry["by"]), parse_timestamp(entry["at"]))


def ban_fields(ban: Ban) -> dict[str, Any]:
    """Return a ban or a mute as the file has it."""
    target = ban.target
    addresses = [*map(shown_network, target.networks)]
    fields: dict[str, Any] = {"name": target.name} if target.name else {"address": addresses[0]}
    if target.account:
        fields["account"] = target.account
    if target.name and addresses:
        fields["addresses"] = addresses
    until = None if ban.until is None else format_timestamp(ban.until)
    return {**fields, "by": ban.by, "at": format_timestamp(ban.at), "until": until}


def read_ban(entry: Mapping[str, Any]) -> Ban:
    """Return the ban or mute that an entry of the file stands for."""
    until = None if entry.get("until") is None else parse_timestamp(entry["until"])
    addresses = [entry["address"]] if "address" in entry else entry.get("addresses", [])
    networks = (network for text in addresses if (network := network_of(text)) is not None)
    target = Target(name=entry.get("name", ""), account=entry.get("account", ""), networks=tuple(networks))
    return Ban(target, clean(entry["by"]), parse_timestamp(entry["at"]), until)
