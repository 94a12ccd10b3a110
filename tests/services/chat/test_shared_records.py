"""What servers tell each other comes back as it was."""

import datetime

import pytest

from sockctl.services.chat.bans import Ban, Target, Topic, parse_banned_network
from sockctl.services.chat.effects import Act, AwayChange, Effect, Preferences, PrivateText, Rule, TopicChange, Typing
from sockctl.services.chat.member import Identity, Member
from sockctl.services.chat.shared_records import (
    decode,
    decode_effect,
    decode_member,
    encode,
    encode_change,
    encode_effect,
    encode_member,
    restore_state,
)
from sockctl.services.chat.state import ChatState
from tests.support.clock import NOON

LATER = NOON + datetime.timedelta(hours=1)
NETWORK = parse_banned_network("192.0.2.7")
assert NETWORK is not None
GUEST_BAN = Ban(Target(name="eve", guest="g:0", networks=(NETWORK,)), "ann", NOON, LATER)
USER_BAN = Ban(Target(name="Bob", account="bob"), "ann", NOON, None)
ADDRESS_BAN = Ban(Target(networks=(NETWORK,)), "ann", NOON, None)
TOPIC = Topic("tea", "ann", NOON)
EFFECTS: list[Effect] = [
    PrivateText(Identity("g:1", "ann"), "ann", "a:bob", "«psst»\ud800"[:6], "2026-01-31T12:00:00Z"),
    AwayChange("a:bob", "at lunch"),
    Typing("g:1", "#lobby"),
    Preferences("a:bob", frozenset({"eve", "mallory"}), quiet=True),
    TopicChange("#lobby", TOPIC, "ann", "ann"),
    TopicChange("#lobby", None, "ann", "ann"),
    Act(rule=Rule.ANNOUNCE, text="tea", public="tea"),
    Act(rule=Rule.KICK, text="out", public="out", member="g:1"),
    *(
        Act(rule=rule, ban=ban)
        for rule in (Rule.BAN, Rule.UNBAN, Rule.MUTE, Rule.UNMUTE)
        for ban in (GUEST_BAN, USER_BAN)
    ),
    Act(rule=Rule.BAN, text="out", public="gone", until="2026-01-31T13:00:00Z", ban=ADDRESS_BAN),
]


@pytest.mark.parametrize("effect", EFFECTS, ids=lambda one: type(one).__name__)
def test_an_effect_comes_back(effect: Effect) -> None:
    assert decode_effect(*encode_effect(effect)) == effect


def test_other_kinds_are_no_effects() -> None:
    assert decode_effect("of a newer version", b"\0") is None


def test_a_member_comes_back() -> None:
    ann = Member("Ann", since=NOON, account="ann", operator=True)
    ann.away, ann.quiet, ann.ignored = "at lunch", True, frozenset({"eve"})
    record = decode_member(decode(encode(encode_member(ann, addresses=["192.0.2.7"], rooms=["#a", "#b"]))))
    one = record.member
    assert (one.id, one.name, one.account, one.operator, one.since) == ("a:ann", "Ann", "ann", True, NOON)
    assert (one.away, one.quiet, one.ignored, one.elsewhere) == ("at lunch", True, ann.ignored, ("192.0.2.7",))
    assert (record.rooms, record.alone) == (["#a", "#b"], False)


def test_no_token_is_told() -> None:
    guest = Member("eve", since=NOON)
    data = encode(encode_member(guest, addresses=[], rooms=[], alone=True))
    assert guest.token.encode() not in data
    record = decode_member(decode(data))
    assert (record.member.id, record.member.token, record.alone) == (guest.id, "", True)


def test_the_state_comes_back() -> None:
    fields: dict[str, bytes] = {}
    acts: list[Effect] = [Act(rule=Rule.BAN, ban=ban) for ban in (GUEST_BAN, USER_BAN, ADDRESS_BAN)]
    acts += [Act(rule=Rule.MUTE, ban=USER_BAN), TopicChange("#lobby", TOPIC, "ann", "ann")]
    for effect in acts:
        field, value = encode_change(effect)
        assert value is not None
        fields[field] = value
    state = ChatState(clock=lambda: NOON)
    restore_state(state, {**fields, "newer:x": b"{}", "ban:odd": b"{", "mute:odd": b"[]", "topic:#odd": b"5"})
    assert state.bans.list_lasting() == [GUEST_BAN, USER_BAN, ADDRESS_BAN]
    assert state.bans.find(guest="g:0") == GUEST_BAN
    assert state.mutes.list_lasting() == [USER_BAN]
    assert state.list_topics() == {"#lobby": TOPIC}
    ends: list[Effect] = [Act(rule=Rule.UNBAN, ban=USER_BAN), TopicChange("#lobby", None, "ann", "ann")]
    for effect in ends:
        field, value = encode_change(effect)
        assert value is None
        del fields[field]
    restore_state(state, fields)
    assert state.bans.list_lasting() == [GUEST_BAN, ADDRESS_BAN]
    assert state.list_topics() == {}


@pytest.mark.parametrize("effect", [EFFECTS[0], EFFECTS[6], EFFECTS[7]])
def test_most_effects_change_no_state(effect: Effect) -> None:
    assert encode_change(effect) == ("", None)
