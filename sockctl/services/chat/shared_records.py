"""What a chat's servers tell each other through a log, as JSON in UTF-8: members, effects, and the state.

What a member says has a form of its own, which each server reads fast: see `shared_talk`.
"""

import contextlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from sockctl.errors import BadMessageError
from sockctl.services.chat.bans import Ban, Topic
from sockctl.services.chat.effects import Act, AwayChange, Effect, Preferences, PrivateText, Rule, TopicChange, Typing
from sockctl.services.chat.member import Identity, Member
from sockctl.services.chat.state import ChatState
from sockctl.services.chat.state_file import decode_ban, decode_topic, encode_ban, encode_topic
from sockctl.stores.timestamps import format_timestamp, parse_timestamp

ROSTER, ASK = "roster", "ask"
"""Kinds of postings: the members of a server, and a server's wish for the rosters of the others."""
MARK = "mark"
"""A kind of postings: it tells its own server that all before it has been read."""
ENTER, EXIT = "enter", "exit"
"""Kinds of postings: a member is in a room from here on, or no more."""
BROKEN = (AttributeError, BadMessageError, LookupError, RecursionError, TypeError, ValueError)
"""What an entry raises that is not of this version's form: the log's reader passes over it."""
BANS, MUTES, TOPICS = "ban:", "mute:", "topic:"
"""What the fields of the shared state begin with."""


@dataclass(frozen=True, slots=True)
class Record:
    """A member, as servers tell each other of it.

    Attributes:
        member: The member; its `elsewhere` has the addresses of its clients.
        rooms: Its rooms.
        alone: Whether it leaves every other server: a guest comes from one place at a time.
    """

    member: Member
    rooms: Sequence[str]
    alone: bool


def encode(fields: Mapping[str, Any]) -> bytes:
    """Return fields as JSON."""
    return json.dumps(fields, separators=(",", ":"), ensure_ascii=False).encode(errors="surrogatepass")


def decode(data: bytes) -> dict[str, Any]:
    """Return the fields of a JSON object."""
    fields: dict[str, Any] = json.loads(data)
    return fields


def encode_member(member: Member, *, addresses: list[str], rooms: list[str], alone: bool = False) -> dict[str, Any]:
    """Return what other servers are told of a member."""
    return {
        "m": member.id,
        "name": member.name,
        "account": member.account,
        "operator": member.operator,
        "since": format_timestamp(member.since),
        "away": member.away,
        "ignored": sorted(member.ignored),
        "quiet": member.quiet,
        "rooms": rooms,
        "addresses": addresses,
        "alone": alone,
    }


def decode_member(fields: Mapping[str, Any]) -> Record:
    """Return the member that another server tells of."""
    since = parse_timestamp(fields["since"])
    member = Member(fields["name"], since=since, account=fields["account"], operator=fields["operator"])
    member.id, member.token = fields["m"], ""
    member.away, member.quiet, member.ignored = fields["away"], fields["quiet"], frozenset(fields["ignored"])
    member.elsewhere = tuple(fields["addresses"])
    return Record(member, fields["rooms"], fields["alone"])


def encode_effect(effect: Effect) -> tuple[str, bytes]:
    """Return the kind and the data of an effect's posting."""
    match effect:
        case PrivateText(sender, key, to, text, at):
            fields = {"m": sender.id, "name": sender.name, "key": key, "to": to, "text": text, "at": at}
            return "tell", encode(fields)
        case AwayChange(member, text):
            return "away", encode({"m": member, "away": text})
        case Typing(member, room):
            return "typing", encode({"m": member, "room": room})
        case Preferences(member, ignored, quiet):
            return "prefs", encode({"m": member, "ignored": sorted(ignored), "quiet": quiet})
        case TopicChange(room, topic, by, key):
            shown = None if topic is None else encode_topic(topic)
            return "act", encode({"do": "topic", "room": room, "topic": shown, "by": by, "key": key})
        case Act():
            ban = None if effect.ban is None else _encode_guest_ban(effect.ban)
            told = {"text": effect.text, "public": effect.public, "until": effect.until}
            return "act", encode({"do": effect.rule, **told, "ban": ban, "m": effect.member})


def decode_effect(kind: str, data: bytes) -> Effect | None:
    """Return the effect of a posting; None for another kind."""
    decoder = _DECODERS.get(kind)
    return None if decoder is None else decoder(decode(data))


def _decode_act(one: Mapping[str, Any]) -> Effect:
    if one["do"] == "topic":
        topic = None if one["topic"] is None else decode_topic(one["topic"])
        return TopicChange(one["room"], topic, one["by"], one["key"])
    ban = None if one["ban"] is None else _decode_guest_ban(one["ban"])
    rule = Rule(one["do"])
    return Act(rule=rule, text=one["text"], public=one["public"], until=one["until"], ban=ban, member=one["m"])


_DECODERS: Mapping[str, Callable[[Mapping[str, Any]], Effect]] = {
    "tell": lambda one: PrivateText(Identity(one["m"], one["name"]), one["key"], one["to"], one["text"], one["at"]),
    "away": lambda one: AwayChange(one["m"], one["away"]),
    "typing": lambda one: Typing(one["m"], one["room"]),
    "prefs": lambda one: Preferences(one["m"], frozenset(one["ignored"]), one["quiet"]),
    "act": _decode_act,
}


def encode_change(effect: Effect) -> tuple[str, bytes | None]:
    """Return the field of the shared state that an effect sets, and its value; None deletes it, no field is empty."""
    match effect:
        case TopicChange(room, topic):
            return f"{TOPICS}{room}", None if topic is None else encode(encode_topic(topic))
        case Act(rule=Rule.BAN | Rule.UNBAN | Rule.MUTE | Rule.UNMUTE as rule, ban=Ban() as ban):
            kind = BANS if rule in {Rule.BAN, Rule.UNBAN} else MUTES
            value = encode(_encode_guest_ban(ban)) if rule in {Rule.BAN, Rule.MUTE} else None
            return f"{kind}{ban.target.key}", value
    return "", None


def restore_state(state: ChatState, fields: Mapping[str, bytes]) -> None:
    """Replace a state by the shared one."""
    topics: dict[str, Topic] = {}
    tables: dict[str, list[Ban]] = {BANS: [], MUTES: []}
    for field, value in fields.items():
        kind, _, name = field.partition(":")
        with contextlib.suppress(*BROKEN):
            if f"{kind}:" == TOPICS:
                topics[name] = decode_topic(decode(value))
            elif (table := tables.get(f"{kind}:")) is not None:
                table.append(_decode_guest_ban(decode(value)))
    state.restore(topics, *(sorted(tables[kind], key=lambda ban: ban.at) for kind in (BANS, MUTES)))


def _encode_guest_ban(ban: Ban) -> dict[str, Any]:
    return {**encode_ban(ban), "guest": ban.target.guest}


def _decode_guest_ban(fields: Mapping[str, Any]) -> Ban:
    ban = decode_ban(fields)
    return replace(ban, target=replace(ban.target, guest=fields["guest"]))
