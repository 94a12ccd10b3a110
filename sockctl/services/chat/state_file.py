"""Topics, bans and mutes as ``chat.json`` has them.

{"version": 1, "topics": {"#lobby": {"text": "…", "by": "ann", "at": "…"}},
    "bans": [{"name": "zoe", "account": "eve", "addresses": ["192.0.2.7"], "by": "ann", "at": "…", "until": null},
        {"address": "192.0.2.0/24", "by": "operator", "at": "…", "until": "…"}],
    "mutes": [{"name": "bob", "account": "bob", "by": "ann", "at": "…", "until": "…"}]}

A ban or a mute has either an `address`, or a `name` and with it `account`, `addresses` or both. Those with a name alone
were written before there were the others: they hold for the name.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from sockctl.errors import NameRefusedError, StoreFormatError
from sockctl.protocol.names import checked_name, same_name_key
from sockctl.services.chat.bans import Ban, Target, Topic, network_of, shown_network
from sockctl.stores.json_store import Content, json_place
from sockctl.stores.timestamps import check_timestamp, format_timestamp, parse_timestamp
from sockctl.text import clean, has_controls

__all__ = ["VERSION", "ban_fields", "check_rulings", "no_rulings", "read_ban", "read_topic", "topic_fields"]

VERSION = 1


def no_rulings() -> Content:
    """Return what a file that isn't there stands for."""
    return {"topics": {}, "bans": [], "mutes": []}


def check_rulings(content: Content) -> None:
    """Refuse a file that some other hand has changed into something else.

    Raises:
        StoreFormatError: It isn't of the right form; the error says where.
    """
    topics = content.get("topics")
    if type(topics) is not dict:
        raise StoreFormatError("topics is no object")
    for room, entry in topics.items():
        _check_entry(entry, ("text", "by"), "topics", room)
    for key in ("bans", "mutes"):
        entries = content.get(key)
        if type(entries) is not list:
            raise StoreFormatError(f"{key} is no list")
        for number, entry in enumerate(entries):
            _check_entry(entry, ("by",), key, number)
            _check_target(entry, json_place(key, number))
            if entry.get("until") is not None:
                check_timestamp(entry["until"], key, number, "until")


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


def _check_entry(entry: object, texts: Iterable[str], *keys: str | int) -> None:
    if not isinstance(entry, dict):
        raise StoreFormatError(f"{json_place(*keys)} is no object")
    for key in texts:
        value = entry.get(key)
        if type(value) is not str or has_controls(value):
            raise StoreFormatError(f"{json_place(*keys, key)} is no text, or holds control characters")
    check_timestamp(entry.get("at"), *keys, "at")


def _check_target(entry: Mapping[str, Any], where: str) -> None:
    given = [key for key in ("address", "name") if key in entry]
    if len(given) != 1 or type(entry[given[0]]) is not str:
        raise StoreFormatError(f"{where} needs one text that says who: address or name")
    if given == ["address"]:
        _check_address(entry["address"], f"{where}.address")
        return
    _check_name(entry["name"], f"{where}.name")
    if "account" in entry:
        _check_name(entry["account"], f"{where}.account", in_lower_case=True)
    if "addresses" in entry:
        if type(entry["addresses"]) is not list or not entry["addresses"]:
            raise StoreFormatError(f"{where}.addresses is no list of addresses")
        for number, address in enumerate(entry["addresses"]):
            _check_address(address, f"{where}.addresses[{number}]")


def _check_address(value: object, where: str) -> None:
    network = network_of(value) if type(value) is str else None
    if network is None or shown_network(network) != value:
        raise StoreFormatError(f"{where} is no IP address or network in its usual form")


def _check_name(value: object, where: str, *, in_lower_case: bool = False) -> None:
    if type(value) is not str:
        raise StoreFormatError(f"{where} is no text")
    try:
        usual = checked_name(value)
    except NameRefusedError as error:
        raise StoreFormatError(f"{where} won't do: {error}") from error
    if value != (same_name_key(usual) if in_lower_case else usual):
        raise StoreFormatError(f"{where} has space around it{', or is not in lower case' if in_lower_case else ''}")
