"""Topics, bans and mutes in memory, and their form in the file."""

import datetime
from dataclasses import replace
from timeit import timeit

import pytest

from sockctl.errors import StoreFormatError
from sockctl.services.chat.ban_table import BanTable
from sockctl.services.chat.bans import Ban, Target, parse_banned_network, parse_network
from sockctl.services.chat.state import ChatState
from sockctl.services.chat.state_file import check_state, decode_state, empty_state, encode_state
from sockctl.stores.json_store import Content
from tests.support.chat_history import AT
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


def at(*addresses: str, name: str = "", token: str = "") -> Target:
    networks = (network for address in addresses if (network := parse_banned_network(address)) is not None)
    return Target(name=name, token=token, networks=tuple(networks))


def shown(bans: list[Ban]) -> list[str]:
    return [ban.target.describe() for ban in bans]


def test_topics(state: ChatState, clock: Clock) -> None:
    assert state.find_topic("#lobby") is None
    topic = state.set_topic("#lobby", " what\nwe\x1b do ", by="ann")
    assert topic is not None
    assert (topic.text, topic.by, topic.at) == ("what we do", "ann", NOON)
    assert again(state, clock).find_topic("#lobby") == state.find_topic("#lobby") == topic
    assert state.set_topic("#lobby", "\x1b ", by="ann") is None
    assert state.find_topic("#lobby") is None


def test_topics_of_rooms_that_are_there_stay() -> None:
    state = ChatState(max_topics=2)
    state.set_topic("#lobby", "tea", by="ann")
    for number in range(3):
        state.set_topic(f"#stranger{number}", "mine", by="eve", rooms={"#lobby", f"#stranger{number}"})
    assert state.find_topic("#lobby") is not None
    assert [state.find_topic(f"#stranger{number}") is not None for number in range(3)] == [False, False, True]


def test_topics_are_bounded() -> None:
    state = ChatState(max_topics=2)
    for room in ("#a", "#b", "#a", "#c"):
        state.set_topic(room, room, by="ann")
    assert [state.find_topic(room) is not None for room in ("#a", "#b", "#c")] == [True, False, True]


def test_banned_accounts(state: ChatState, clock: Clock) -> None:
    assert state.find_ban(account="eve", address="192.0.2.7") is None
    ban = state.ban(EVE, by="ann")
    assert (ban.target, ban.until) == (EVE, None)
    for one in (state, again(state, clock)):
        assert one.find_ban(account="eve", address="192.0.2.7") == ban
        assert one.find_ban(account="zoe", address="192.0.2.7") is None, "who has the nick later"
        assert one.find_ban() is None
        assert one.list_bans() == [ban]
    for word in ("eVe", " zOE"):
        assert state.unban(word) == [ban]
        assert state.unban(word) == []
        assert state.list_bans() == []
        ban = state.ban(EVE, by="ann")


def test_banned_guests(state: ChatState, clock: Clock) -> None:
    ban = state.ban(at("192.0.2.7", "2001:db8::7", name="bob", token="secret"), by="ann")
    assert "secret" not in repr(ban)
    assert "secret" not in str(encode_state(state))
    assert state.find_ban(token="secret", address="198.51.100.1") == ban
    assert state.find_ban(token="another") is None
    for one in (state, again(state, clock)):
        assert shown([*filter(None, [one.find_ban(address="192.0.2.7")])]) == [
            "bob (address 192.0.2.7 and 2001:db8::/64)"
        ]
        assert one.find_ban(address="2001:db8::abc")
        assert one.find_ban(address="198.51.100.1") is None
    for word in ("bob", "192.0.2.7", "2001:db8::1", "2001:db8::/64"):
        assert again(state, clock).unban(word)
    for word in ("192.0.2.0/24", "2001:db8:0:1::", "bobby", ""):
        assert not again(state, clock).unban(word)


def test_the_longest_of_several_bans_holds(state: ChatState, clock: Clock) -> None:
    for_good = state.ban(at("192.0.2.7", name="bob"), by="ann")
    state.ban(at("192.0.2.7", name="carl"), by="ann", time=HOUR)
    clock.now += HOUR
    assert state.find_ban(address="192.0.2.7") == for_good


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
    ban = state.ban(at(who), by="operator")
    assert ban.target.describe() == ban.target.describe(addresses=False) == usual
    for one in (state, again(state, Clock())):
        assert all(one.find_ban(address=address, account="x") == ban for address in banned)
        assert not any(one.find_ban(address=address, account="x") for address in others)
    assert state.find_ban(account=who) is None, "a user may be called like an address"
    assert state.unban(who)
    assert state.find_ban(address=banned[0]) is None


def test_bans_expire(state: ChatState, clock: Clock) -> None:
    state.ban(EVE, by="ann", time=HOUR)
    state.ban(at("192.0.2.0/24"), by="ann", time=HOUR)
    forever = state.ban(at("192.0.2.7"), by="ann")
    read = again(state, clock)
    clock.now = NOON + HOUR - datetime.timedelta(seconds=1)
    for one in (state, read):
        assert one.find_ban(account="eve")
        assert one.find_ban(address="192.0.2.9")
        assert len(one.list_bans()) == 3
    clock.now = NOON + HOUR
    for one in (state, read):
        assert one.find_ban(account="eve") is None
        assert one.find_ban(address="192.0.2.9") is None
        assert one.find_ban(address="192.0.2.7") == forever
        assert one.list_bans() == [forever]
    assert not state.unban("eve"), "it is over already"
    assert encode_state(state)["bans"] == [{"address": "192.0.2.7", "by": "ann", "at": AT, "until": None}]
    assert state._bans._tables.bans == (forever,)


def test_a_later_ban_takes_the_place(state: ChatState) -> None:
    state.ban(EVE, by="ann")
    state.ban(at("192.0.2.7", name="bob"), by="ann")
    later = [
        state.ban(Target(name="eve", account="eve"), by="bob", time=HOUR),
        state.ban(at("192.0.2.7", name="Bob"), by="ann"),
        state.ban(at("192.0.2.8", name="bob"), by="ann"),
    ]
    assert state.list_bans() == later


def test_a_later_ban_of_a_user_who_has_left_keeps_the_addresses(state: ChatState, clock: Clock) -> None:
    state.ban(replace(EVE, networks=at("192.0.2.7").networks), by="ann", time=HOUR)
    assert state.ban(EVE, by="ann", time=HOUR).target.describe() == "Zoe (account eve, address 192.0.2.7)"
    assert state.find_ban(address="192.0.2.7")
    clock.now += HOUR
    assert state.ban(EVE, by="ann").target == EVE


def test_mutes(state: ChatState, clock: Clock) -> None:
    assert state.find_mute(account="eve", name="zoe") is None
    mute = state.mute(EVE, by="ann", time=HOUR)
    state.mute(at("10.0.0.1"), by="ann")
    for one in (state, again(state, clock)):
        assert one.find_mute(account="eve", name="yuri") == mute
        assert one.find_mute(account="bob", name="zoe") is None
        assert one.find_mute(account="bob", address="10.0.0.1")
        assert len(one.list_mutes()) == 2
    clock.now += HOUR
    assert state.find_mute(account="eve", name="zoe") is None
    assert shown(state.list_mutes()) == ["10.0.0.1"]
    assert shown(state.unmute("10.0.0.1")) == ["10.0.0.1"]
    assert not state.unmute("eve")


def test_rulings_of_an_older_version_hold_for_the_name(clock: Clock) -> None:
    old = {
        "topics": {},
        "bans": [{"name": "Eve", "by": "ann", "at": AT, "until": None}],
        "mutes": [{"name": "Bob", "by": "ann", "at": AT, "until": None}],
    }
    check_state(old)
    state = ChatState(clock=clock)
    decode_state(old, state)
    for one in (state, again(state, clock)):
        assert one.find_ban(account="eve")
        assert not one.find_ban(account="bob")
        assert one.find_mute(name="BOB", account="carl")
        assert one.find_mute(name="carl", account="bob")
        assert not one.find_mute(name="carl", account="carl")
        assert encode_state(one) == old
        assert shown(one.unmute("bob")) == ["Bob"]


def test_asking_takes_no_longer_with_many_bans() -> None:
    targets = [at(f"10.{number // 250}.{number % 250}.1") for number in range(2_000)]
    few, many = BanTable(), BanTable(Ban(target, "ann", NOON, None) for target in targets)
    few.add(Ban(targets[0], "ann", NOON, None))

    def seconds(table: BanTable) -> float:
        return min(timeit(lambda: table.find(NOON, address="192.0.2.7"), number=200) for _ in range(5))

    assert seconds(many) < 5 * seconds(few)


def test_no_networks() -> None:
    assert [parse_network(text) for text in ("", "ann", "1", "192.0.2", "192.0.2.0/33", "::1::")] == [None] * 6


GOOD: Content = {
    "topics": {"#lobby": {"text": "t", "by": "ann", "at": AT}},
    "bans": [{"name": "eve", "by": "ann", "at": AT}, {"address": "192.0.2.0/24", "by": "ann", "at": AT, "until": AT}],
    "mutes": [{"name": "eve", "by": "ann", "at": AT, "until": None}],
}
BAN = {"by": "ann", "at": AT, "until": None}


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"topics": None}, "topics is no object"),
        ({"topics": {"#lobby": "t"}}, r'topics\["#lobby"\] is no object'),
        ({"topics": {"#a": {"text": "\x1b", "by": "ann", "at": AT}}}, r'topics\["#a"\].text is no text, or holds'),
        ({"topics": {"#a": {"text": "t", "at": AT}}}, r'topics\["#a"\].by is no text'),
        ({"topics": {"#a": {"text": "t", "by": "ann", "at": "now"}}}, r'topics\["#a"\].at is no time'),
        ({"bans": {}}, "bans is no list"),
        ({"bans": [1]}, r"bans\[0\] is no object"),
        ({"bans": [BAN]}, r"bans\[0\] needs one text that says who: address or name"),
        ({"bans": [{**BAN, "name": "a", "address": "::1"}]}, r"bans\[0\] needs one"),
        ({"bans": [{**BAN, "name": 1}]}, r"bans\[0\] needs one"),
        ({"bans": [{**BAN, "name": "a b"}]}, r"bans\[0\].name won't do"),
        ({"bans": [{**BAN, "name": " a"}]}, r"bans\[0\].name has space around it"),
        ({"bans": [{**BAN, "name": "a", "account": 7}]}, r"bans\[0\].account is no text"),
        ({"bans": [{**BAN, "name": "a", "account": "a b"}]}, r"bans\[0\].account won't do"),
        ({"bans": [{**BAN, "name": "a", "account": "A"}]}, r"bans\[0\].account .* is not in lower case"),
        ({"bans": [{**BAN, "name": "a", "addresses": []}]}, r"bans\[0\].addresses is no list of addresses"),
        ({"bans": [{**BAN, "name": "a", "addresses": ["::1", 7]}]}, r"bans\[0\].addresses\[1\] is no IP address"),
        ({"bans": [{**BAN, "address": "192.0.2.7/24"}]}, r"bans\[0\].address is no IP address or network"),
        ({"bans": [{**BAN, "address": "eve"}]}, r"bans\[0\].address is no IP address or network"),
        ({"bans": [{**BAN, "name": "eve", "until": 7}]}, r"bans\[0\].until is no time"),
        ({"mutes": "eve"}, "mutes is no list"),
        ({"mutes": [{**BAN, "address": "192.0.2.7/24"}]}, r"mutes\[0\].address is no IP address or network"),
    ],
)
def test_a_file_of_another_form(change: Content, where: str) -> None:
    check_state(GOOD)
    check_state(empty_state())
    with pytest.raises(StoreFormatError, match=f"^{where}"):
        check_state({**GOOD, **change})
