"""The form of ``chat.json``, the file of topics, bans and mutes.

{"version": 1, "topics": {"#lobby": {"text": "…", "by": "ann", "at": "…"}},
    "bans": [{"name": "zoe", "account": "eve", "addresses": ["192.0.2.7"], "by": "ann", "at": "…", "until": null},
        {"address": "192.0.2.0/24", "by": "operator", "at": "…", "until": "…"}],
    "mutes": [{"name": "bob", "account": "bob", "by": "ann", "at": "…", "until": "…"}]}

A ban or a mute has either an `address`, or a `name` with `account`, `addresses` or both. Earlier versions wrote a name
alone: then the ban holds for the name.
"""

from collections.abc import Mapping
from typing import Any

from sockctl.protocol.names import check_name, make_name_key
from sockctl.services.chat.bans import Ban, Target, Topic, format_network, parse_network
from sockctl.services.chat.state import ChatState
from sockctl.stores.json_store import Content
from sockctl.stores.schema import array, mapping, nullable, parsed, record, text, timestamp, unless
from sockctl.stores.timestamps import format_timestamp, parse_timestamp
from sockctl.text import clean, has_controls

VERSION = 1


def make_empty_state() -> Content:
    """Return the content that stands for a missing file."""
    return {"topics": {}, "bans": [], "mutes": []}


def encode_state(state: ChatState) -> Content:
    """Return the content of the file for a state."""
    return {
        "topics": {room: encode_topic(topic) for room, topic in state.list_topics().items()},
        "bans": [*map(encode_ban, state.bans.list_lasting())],
        "mutes": [*map(encode_ban, state.mutes.list_lasting())],
    }


def decode_state(content: Content, state: ChatState) -> None:
    """Restore a state from content that `check_state` accepted."""
    topics = {room: decode_topic(entry) for room, entry in content["topics"].items()}
    state.restore(topics, map(decode_ban, content["bans"]), map(decode_ban, content["mutes"]))


def _has_one_target(entry: Mapping[str, Any]) -> bool:
    texts = [entry[key] for key in ("address", "name") if key in entry]
    return len(texts) == 1 and type(texts[0]) is str


def _is_usual_network(text: str) -> bool:
    network = parse_network(text)
    return network is not None and format_network(network) == text


_PRINTABLE = "is no text, or holds control characters"
_SPACE = "has space around it"
_BY = text(unless(lambda text: not has_controls(text), _PRINTABLE), problem=_PRINTABLE)
_NO_NETWORK = "is no IP address or network in its usual form"
_NETWORK = text(unless(_is_usual_network, _NO_NETWORK), problem=_NO_NETWORK)
_ACCOUNT = parsed(
    lambda name: make_name_key(check_name(name)), "won't do: {error}", unusual=f"{_SPACE}, or is not in lower case"
)
_BANS = array(
    record(
        {"by": _BY, "at": timestamp},
        unless(_has_one_target, "needs one text that says who: address or name"),
        optional={
            "until": nullable(timestamp),
            "address": _NETWORK,
            "name": text(parsed(check_name, "won't do: {error}", unusual=_SPACE)),
            "account": text(_ACCOUNT),
            "addresses": array(_NETWORK, unless(len, "is no list of addresses"), problem="is no list of addresses"),
        },
    ),
    problem="is no list",
)
check_state = record(
    {"topics": mapping(record({"text": _BY, "by": _BY, "at": timestamp})), "bans": _BANS, "mutes": _BANS}
)
"""Refuses content that is not of the right form."""


def encode_topic(topic: Topic) -> dict[str, str]:
    """Return the entry of a topic."""
    return {"text": topic.text, "by": topic.by, "at": format_timestamp(topic.at)}


def decode_topic(entry: Mapping[str, str]) -> Topic:
    """Return the topic of an entry."""
    return Topic(clean(entry["text"]), clean(entry["by"]), parse_timestamp(entry["at"]))


def encode_ban(ban: Ban) -> dict[str, Any]:
    """Return the entry of a ban."""
    target = ban.target
    addresses = [*map(format_network, target.networks)]
    fields: dict[str, Any] = {"name": target.name} if target.name else {"address": addresses[0]}
    if target.account:
        fields["account"] = target.account
    if target.name and addresses:
        fields["addresses"] = addresses
    until = None if ban.until is None else format_timestamp(ban.until)
    return {**fields, "by": ban.by, "at": format_timestamp(ban.at), "until": until}


def decode_ban(entry: Mapping[str, Any]) -> Ban:
    """Return the ban of an entry."""
    until = None if entry.get("until") is None else parse_timestamp(entry["until"])
    addresses = [entry["address"]] if "address" in entry else entry.get("addresses", [])
    networks = (network for text in addresses if (network := parse_network(text)) is not None)
    target = Target(name=entry.get("name", ""), account=entry.get("account", ""), networks=tuple(networks))
    return Ban(target, clean(entry["by"]), parse_timestamp(entry["at"]), until)
