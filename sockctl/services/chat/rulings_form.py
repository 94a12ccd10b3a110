"""Topics, bans and mutes as ``chat.json`` has them.

{"version": 1, "topics": {"#lobby": {"text": "…", "by": "ann", "at": "…"}},
    "bans": [{"name": "eve", "by": "ann", "at": "…", "until": null},
        {"address": "192.0.2.0/24", "by": "operator", "at": "…", "until": "…"}],
    "mutes": [{"name": "bob", "by": "ann", "at": "…", "until": "…"}]}
"""

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from sockctl.errors import NameRefusedError, StoreFormatError
from sockctl.protocol.names import checked_name
from sockctl.protocol.safe_text import clean
from sockctl.services.chat.bans import Ban, Topic, network_of, shown_network
from sockctl.stores.json_store import Content, json_place
from sockctl.stores.moments import check_moment, read_moment, written_moment

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
    for key, allowed in (("bans", {"name", "address"}), ("mutes", {"name"})):
        entries = content.get(key)
        if type(entries) is not list:
            raise StoreFormatError(f"{key} is no list")
        for number, entry in enumerate(entries):
            _check_entry(entry, ("by",), key, number)
            _check_who(entry, allowed, json_place(key, number))
            if entry.get("until") is not None:
                check_moment(entry["until"], key, number, "until")


def topic_fields(topic: Topic) -> dict[str, str]:
    """Return a topic as the file has it."""
    return {"text": topic.text, "by": topic.by, "at": written_moment(topic.at)}


def read_topic(entry: Mapping[str, str]) -> Topic:
    """Return the topic that an entry of the file stands for."""
    return Topic(entry["text"], entry["by"], read_moment(entry["at"]))


def ban_fields(ban: Ban) -> dict[str, str | None]:
    """Return a ban or a mute as the file has it."""
    until = None if ban.until is None else written_moment(ban.until)
    key = "address" if ban.is_address else "name"
    return {key: ban.who, "by": ban.by, "at": written_moment(ban.at), "until": until}


def read_ban(entry: Mapping[str, Any]) -> Ban:
    """Return the ban or mute that an entry of the file stands for."""
    until = None if entry.get("until") is None else read_moment(entry["until"])
    who = entry.get("address") or entry["name"]
    return Ban(who, "address" in entry, entry["by"], read_moment(entry["at"]), until)


def _check_entry(entry: object, texts: Iterable[str], *keys: str | int) -> None:
    if not isinstance(entry, dict):
        raise StoreFormatError(f"{json_place(*keys)} is no object")
    for key in texts:
        value = entry.get(key)
        if type(value) is not str or clean(value) != value:
            raise StoreFormatError(f"{json_place(*keys, key)} is no text, or holds control characters")
    check_moment(entry.get("at"), *keys, "at")


def _check_who(entry: Mapping[str, Any], allowed: Collection[str], where: str) -> None:
    given = [key for key in allowed if key in entry]
    if len(given) != 1 or type(entry[given[0]]) is not str:
        raise StoreFormatError(f"{where} needs one text that says who: {' or '.join(sorted(allowed))}")
    who = entry[given[0]]
    if given == ["address"]:
        network = network_of(who)
        if network is None or shown_network(network) != who:
            raise StoreFormatError(f"{where}.address is no IP address or network in its usual form")
        return
    try:
        usual = checked_name(who)
    except NameRefusedError as error:
        raise StoreFormatError(f"{where}.name won't do: {error}") from error
    if usual != who or ("address" in allowed and network_of(who) is not None):
        raise StoreFormatError(f"{where}.name has space around it, or is an address")
