"""The form of ``chat.json``, which keeps topics, bans and mutes.

{"version": 1, "topics": {"#lobby": {"text": "…", "by": "ann", "at": "…"}},
    "bans": [{"name": "zoe", "account": "eve", "addresses": ["192.0.2.7"], "by": "ann", "at": "…", "until": null},
        {"address": "192.0.2.0/24", "by": "operator", "at": "…", "until": "…"}],
    "mutes": [{"name": "bob", "account": "bob", "by": "ann", "at": "…", "until": "…"}]}

A ban or a mute has either an `address`, or a `name` with `account`, `addresses` or both. Earlier versions wrote a name
alone: then the ban holds for the name.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from sockctl.errors import NameRefusedError, StoreFormatError
from sockctl.protocol.names import checked_name, same_name_key
from sockctl.services.chat.bans import Ban, Target, Topic, format_network, parse_network
from sockctl.services.chat.state import ChatState
from sockctl.stores.json_store import Content, json_place
from sockctl.stores.timestamps import check_timestamp, format_timestamp, parse_timestamp
from sockctl.text import clean, has_controls

__all__ = ["VERSION", "check_state", "decode_state", "empty_state", "encode_state"]

VERSION = 1


def empty_state() -> Content:
    """Return the content that stands for a missing file."""
    return {"topics": {}, "bans": [], "mutes": []}


def encode_state(state: ChatState) -> Content:
    """Return the content of the file for a state."""
    return {
        "topics": {room: _encode_topic(topic) for room, topic in state.list_topics().items()},
        "bans": [*map(_encode_ban, state.bans.list_lasting())],
        "mutes": [*map(_encode_ban, state.mutes.list_lasting())],
    }


def decode_state(content: Content, state: ChatState) -> None:
    """Restore a state from content that `check_state` accepted."""
    topics = {room: _decode_topic(entry) for room, entry in content["topics"].items()}
    state.restore(topics, map(_decode_ban, content["bans"]), map(_decode_ban, content["mutes"]))


def check_state(content: Content) -> None:
    """Check the content of the file.

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


def _encode_topic(topic: Topic) -> dict[str, str]:
    return {"text": topic.text, "by": topic.by, "at": format_timestamp(topic.at)}


def _decode_topic(entry: Mapping[str, str]) -> Topic:
    return Topic(clean(entry["text"]), clean(entry["by"]), parse_timestamp(entry["at"]))


def _encode_ban(ban: Ban) -> dict[str, Any]:
    target = ban.target
    addresses = [*map(format_network, target.networks)]
    fields: dict[str, Any] = {"name": target.name} if target.name else {"address": addresses[0]}
    if target.account:
        fields["account"] = target.account
    if target.name and addresses:
        fields["addresses"] = addresses
    until = None if ban.until is None else format_timestamp(ban.until)
    return {**fields, "by": ban.by, "at": format_timestamp(ban.at), "until": until}


def _decode_ban(entry: Mapping[str, Any]) -> Ban:
    until = None if entry.get("until") is None else parse_timestamp(entry["until"])
    addresses = [entry["address"]] if "address" in entry else entry.get("addresses", [])
    networks = (network for text in addresses if (network := parse_network(text)) is not None)
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
    network = parse_network(value) if type(value) is str else None
    if network is None or format_network(network) != value:
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
