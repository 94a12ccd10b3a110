"""Topics, bans and mutes in memory."""

import datetime
from dataclasses import replace

import pytest

from sockctl.services.chat.ban_table import BanTable
from sockctl.services.chat.bans import Ban, Target, parse_banned_network
from sockctl.services.chat.state import ChatState
from sockctl.services.chat.state_file import check_state, decode_state, encode_state
from tests.support.bans import add_ban
from tests.support.chat_history import AT
from tests.support.chat_topics import set_topic
from tests.support.clock import NOON, Clock

HOUR = datetime.timedelta(hours=1)
EVE = Target(name="Zoe", account="eve")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def state(clock: Clock) -> ChatState:
    return ChatState(clock=clock)


def again(state: ChatState, clock: Clock) -> ChatState:
    """Return what reads what `state` would write."""
    content = encode_state(state)
    check_state(content)
    read = ChatState(clock=clock)
    decode_state(content, read)
    return read


def remove(table: BanTable, word: str) -> list[Ban]:
    """Remove the bans that a word names, as /unban does."""
    named = table.list_named(word)
    for ban in named:
        table.drop(ban.target.key)
    return named


def at(*addresses: str, name: str = "", guest: str = "") -> Target:
    networks = (network for address in addresses if (network := parse_banned_network(address)) is not None)
    return Target(name=name, guest=guest, networks=tuple(networks))


def shown(bans: list[Ban]) -> list[str]:
    return [ban.target.describe() for ban in bans]


def test_topics(state: ChatState, clock: Clock) -> None:
    assert state.find_topic("#lobby") is None
    topic = set_topic(state, "#lobby", " what\nwe\x1b do ", by="ann")
    assert topic is not None
    assert (topic.text, topic.by, topic.at) == ("what we do", "ann", NOON)
    assert again(state, clock).find_topic("#lobby") == state.find_topic("#lobby") == topic
    assert set_topic(state, "#lobby", "\x1b ", by="ann") is None
    assert state.find_topic("#lobby") is None


def test_topics_of_rooms_that_are_there_stay() -> None:
    state = ChatState(max_topics=2)
    set_topic(state, "#lobby", "tea", by="ann")
    for number in range(3):
        set_topic(state, f"#stranger{number}", "mine", by="eve", rooms={"#lobby", f"#stranger{number}"})
    assert state.find_topic("#lobby") is not None
    assert [state.find_topic(f"#stranger{number}") is not None for number in range(3)] == [False, False, True]


def test_topics_are_bounded() -> None:
    state = ChatState(max_topics=2)
    for room in ("#a", "#b", "#a", "#c"):
        set_topic(state, room, room, by="ann")
    assert [state.find_topic(room) is not None for room in ("#a", "#b", "#c")] == [True, False, True]


def test_banned_accounts(state: ChatState, clock: Clock) -> None:
    assert state.bans.find(account="eve", address="192.0.2.7") is None
    ban = add_ban(state.bans, EVE, by="ann")
    assert (ban.target, ban.until) == (EVE, None)
    for one in (state, again(state, clock)):
        assert one.bans.find(account="eve", address="192.0.2.7") == ban
        assert one.bans.find(account="zoe", address="192.0.2.7") is None, "who has the nick later"
        assert one.bans.find() is None
        assert one.bans.list_lasting() == [ban]
    for word in ("eVe", " zOE"):
        assert remove(state.bans, word) == [ban]
        assert remove(state.bans, word) == []
        assert state.bans.list_lasting() == []
        ban = add_ban(state.bans, EVE, by="ann")


def test_banned_guests(state: ChatState, clock: Clock) -> None:
    ban = add_ban(state.bans, at("192.0.2.7", "2001:db8::7", name="bob", guest="secret"), by="ann")
    assert "secret" not in repr(ban)
    assert "secret" not in str(encode_state(state))
    assert state.bans.find(guest="secret", address="198.51.100.1") == ban
    assert state.bans.find(guest="another") is None
    for one in (state, again(state, clock)):
        assert shown([*filter(None, [one.bans.find(address="192.0.2.7")])]) == [
            "bob (address 192.0.2.7 and 2001:db8::/64)"
        ]
        assert one.bans.find(address="2001:db8::abc")
        assert one.bans.find(address="198.51.100.1") is None
    for word in ("bob", "192.0.2.7", "2001:db8::1", "2001:db8::/64"):
        assert remove(again(state, clock).bans, word)
    for word in ("192.0.2.0/24", "2001:db8:0:1::", "bobby", ""):
        assert not remove(again(state, clock).bans, word)


def test_the_longest_of_several_bans_holds(state: ChatState, clock: Clock) -> None:
    for_good = add_ban(state.bans, at("192.0.2.7", name="bob"), by="ann")
    add_ban(state.bans, at("192.0.2.7", name="carl"), by="ann", time=HOUR)
    clock.now += HOUR
    assert state.bans.find(address="192.0.2.7") == for_good


@pytest.mark.parametrize(
    ("who", "usual", "banned", "others"),
    [
        ("192.0.2.7", "192.0.2.7", ["192.0.2.7", "::ffff:192.0.2.7"], ["192.0.2.8", "::1", "::192.0.2.7"]),
        ("::ffff:192.0.2.7", "192.0.2.7", ["192.0.2.7"], ["192.0.2.8"]),
        ("192.0.2.77/24", "192.0.2.0/24", ["192.0.2.0", "192.0.2.255"], ["192.0.3.0", "2001:db8::1"]),
        ("::ffff:192.0.2.0/120", "192.0.2.0/24", ["192.0.2.255"], ["192.0.3.0"]),
        ("2001:DB8:0::/48", "2001:db8::/48", ["2001:db8:0:ffff::1"], ["2001:db8:1::1", "192.0.2.7"]),
        ("2001:db8::7", "2001:db8::/64", ["2001:db8::ffff:0:0:1"], ["2001:db8:0:1::7"]),
        ("2001:db8::7/128", "2001:db8::7", ["2001:db8::7"], ["2001:db8::8"]),
        ("::1", "::1", ["::1"], ["::2", "::ffff:192.0.2.7"]),
        ("fe80::1%eth0", "fe80::1", ["fe80::1", "fe80::1%2"], ["fe80::2", "not an address", ""]),
        ("fe80::%eth0/64", "fe80::/64", ["fe80::5%eth1"], ["fe81::1"]),
    ],
)
def test_banned_addresses(state: ChatState, who: str, usual: str, banned: list[str], others: list[str]) -> None:
    ban = add_ban(state.bans, at(who), by="operator")
    assert ban.target.describe() == ban.target.describe(addresses=False) == usual
    for one in (state, again(state, Clock())):
        assert all(one.bans.find(address=address, account="x") == ban for address in banned)
        assert not any(one.bans.find(address=address, account="x") for address in others)
    assert state.bans.find(account=who) is None, "a user may be called like an address"
    assert remove(state.bans, who)
    assert state.bans.find(address=banned[0]) is None


def test_bans_expire(state: ChatState, clock: Clock) -> None:
    add_ban(state.bans, EVE, by="ann", time=HOUR)
    add_ban(state.bans, at("192.0.2.0/24"), by="ann", time=HOUR)
    forever = add_ban(state.bans, at("192.0.2.7"), by="ann")
    read = again(state, clock)
    clock.now = NOON + HOUR - datetime.timedelta(seconds=1)
    for one in (state, read):
        assert one.bans.find(account="eve")
        assert one.bans.find(address="192.0.2.9")
        assert len(one.bans.list_lasting()) == 3
    clock.now = NOON + HOUR
    for one in (state, read):
        assert one.bans.find(account="eve") is None
        assert one.bans.find(address="192.0.2.9") is None
        assert one.bans.find(address="192.0.2.7") == forever
        assert one.bans.list_lasting() == [forever]
    assert not remove(state.bans, "eve"), "it is over already"
    assert encode_state(state)["bans"] == [{"address": "192.0.2.7", "by": "ann", "at": AT, "until": None}]


def test_a_ban_that_is_over_is_forgotten(state: ChatState, clock: Clock) -> None:
    add_ban(state.bans, EVE, by="ann", time=HOUR)
    assert not state.bans.is_empty
    clock.now += HOUR
    assert state.bans.list_lasting() == []
    assert state.bans.is_empty


def test_a_later_ban_takes_the_place(state: ChatState) -> None:
    add_ban(state.bans, EVE, by="ann")
    add_ban(state.bans, at("192.0.2.7", name="bob"), by="ann")
    later = [
        add_ban(state.bans, Target(name="eve", account="eve"), by="bob", time=HOUR),
        add_ban(state.bans, at("192.0.2.7", name="Bob"), by="ann"),
        add_ban(state.bans, at("192.0.2.8", name="bob"), by="ann"),
    ]
    assert state.bans.list_lasting() == later


def test_a_later_ban_of_a_user_who_has_left_keeps_the_addresses(state: ChatState, clock: Clock) -> None:
    add_ban(state.bans, replace(EVE, networks=at("192.0.2.7").networks), by="ann", time=HOUR)
    assert add_ban(state.bans, EVE, by="ann", time=HOUR).target.describe() == "Zoe (account eve, address 192.0.2.7)"
    assert state.bans.find(address="192.0.2.7")
    clock.now += HOUR
    assert add_ban(state.bans, EVE, by="ann").target == EVE


def test_mutes(state: ChatState, clock: Clock) -> None:
    assert state.mutes.find(account="eve", name="zoe") is None
    mute = add_ban(state.mutes, EVE, by="ann", time=HOUR)
    add_ban(state.mutes, at("10.0.0.1"), by="ann")
    for one in (state, again(state, clock)):
        assert one.mutes.find(account="eve", name="yuri") == mute
        assert one.mutes.find(account="bob", name="zoe") is None
        assert one.mutes.find(account="bob", address="10.0.0.1")
        assert len(one.mutes.list_lasting()) == 2
    clock.now += HOUR
    assert state.mutes.find(account="eve", name="zoe") is None
    assert shown(state.mutes.list_lasting()) == ["10.0.0.1"]
    assert shown(remove(state.mutes, "10.0.0.1")) == ["10.0.0.1"]
    assert not remove(state.mutes, "eve")
