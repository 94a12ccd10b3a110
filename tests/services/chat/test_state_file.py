"""Topics, bans and mutes in memory, and their form in the file."""

import datetime
from dataclasses import replace
from timeit import timeit

import pytest

from sockctl.errors import StoreFormatError
from sockctl.services.chat import state as module
from sockctl.services.chat.ban_table import BanTable
from sockctl.services.chat.bans import Ban, Target, blocked_network, network_of
from sockctl.services.chat.state import ChatState
from sockctl.services.chat.state_file import check_rulings, no_rulings
from sockctl.stores.json_store import Content
from tests.support.chat_history import AT
from tests.support.clock import NOON, Clock

HOUR = datetime.timedelta(hours=1)
EVE = Target(name="Zoe", account="eve")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def rulings(clock: Clock) -> ChatState:
    return ChatState(clock=clock)


def again(rulings: ChatState, clock: Clock) -> ChatState:
    """Return what reads what `rulings` would write."""
    content = rulings._content()
    check_rulings(content)
    read = ChatState(clock=clock)
    read._take(content)
    return read


def at(*addresses: str, name: str = "", token: str = "") -> Target:
    networks = (network for address in addresses if (network := blocked_network(address)) is not None)
    return Target(name=name, token=token, networks=tuple(networks))


def shown(bans: list[Ban]) -> list[str]:
    return [ban.target.shown() for ban in bans]


def test_topics(rulings: ChatState, clock: Clock) -> None:
    assert rulings.topic("#lobby") is None
    topic = rulings.set_topic("#lobby", " what\nwe\x1b do ", by="ann")
    assert topic is not None
    assert (topic.text, topic.by, topic.at) == ("what we do", "ann", NOON)
    assert again(rulings, clock).topic("#lobby") == rulings.topic("#lobby") == topic
    assert rulings.set_topic("#lobby", "\x1b ", by="ann") is None
    assert rulings.topic("#lobby") is None


def test_topics_of_rooms_that_are_there_stay(rulings: ChatState, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_TOPICS", 2)
    rulings.set_topic("#lobby", "tea", by="ann")
    for number in range(3):
        rulings.set_topic(f"#stranger{number}", "mine", by="eve", rooms={"#lobby", f"#stranger{number}"})
    assert rulings.topic("#lobby") is not None
    assert [rulings.topic(f"#stranger{number}") is not None for number in range(3)] == [False, False, True]


def test_topics_are_bounded(rulings: ChatState, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_TOPICS", 2)
    for room in ("#a", "#b", "#a", "#c"):
        rulings.set_topic(room, room, by="ann")
    assert [rulings.topic(room) is not None for room in ("#a", "#b", "#c")] == [True, False, True]


def test_banned_accounts(rulings: ChatState, clock: Clock) -> None:
    assert rulings.banned(account="eve", address="192.0.2.7") is None
    ban = rulings.ban(EVE, by="ann")
    assert (ban.target, ban.until) == (EVE, None)
    for one in (rulings, again(rulings, clock)):
        assert one.banned(account="eve", address="192.0.2.7") == ban
        assert one.banned(account="zoe", address="192.0.2.7") is None, "who has the nick later"
        assert one.banned() is None
        assert one.bans() == [ban]
    for word in ("eVe", " zOE"):
        assert rulings.unban(word) == [ban]
        assert rulings.unban(word) == []
        assert rulings.bans() == []
        ban = rulings.ban(EVE, by="ann")


def test_banned_guests(rulings: ChatState, clock: Clock) -> None:
    ban = rulings.ban(at("192.0.2.7", "2001:db8::7", name="bob", token="secret"), by="ann")
    assert "secret" not in repr(ban)
    assert "secret" not in str(rulings._content())
    assert rulings.banned(token="secret", address="198.51.100.1") == ban
    assert rulings.banned(token="another") is None
    for one in (rulings, again(rulings, clock)):
        assert shown([*filter(None, [one.banned(address="192.0.2.7")])]) == [
            "bob (address 192.0.2.7 and 2001:db8::/64)"
        ]
        assert one.banned(address="2001:db8::abc")
        assert one.banned(address="198.51.100.1") is None
    for word in ("bob", "192.0.2.7", "2001:db8::1", "2001:db8::/64"):
        assert again(rulings, clock).unban(word)
    for word in ("192.0.2.0/24", "2001:db8:0:1::", "bobby", ""):
        assert not again(rulings, clock).unban(word)


def test_the_longest_of_several_bans_holds(rulings: ChatState, clock: Clock) -> None:
    for_good = rulings.ban(at("192.0.2.7", name="bob"), by="ann")
    rulings.ban(at("192.0.2.7", name="carl"), by="ann", time=HOUR)
    clock.now += HOUR
    assert rulings.banned(address="192.0.2.7") == for_good


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
def test_banned_addresses(rulings: ChatState, who: str, usual: str, banned: list[str], others: list[str]) -> None:
    ban = rulings.ban(at(who), by="operator")
    assert ban.target.shown() == ban.target.shown(addresses=False) == usual
    for one in (rulings, again(rulings, Clock())):
        assert all(one.banned(address=address, account="x") == ban for address in banned)
        assert not any(one.banned(address=address, account="x") for address in others)
    assert rulings.banned(account=who) is None, "a user may be called like an address"
    assert rulings.unban(who)
    assert rulings.banned(address=banned[0]) is None


def test_bans_expire(rulings: ChatState, clock: Clock) -> None:
    rulings.ban(EVE, by="ann", time=HOUR)
    rulings.ban(at("192.0.2.0/24"), by="ann", time=HOUR)
    forever = rulings.ban(at("192.0.2.7"), by="ann")
    read = again(rulings, clock)
    clock.now = NOON + HOUR - datetime.timedelta(seconds=1)
    for one in (rulings, read):
        assert one.banned(account="eve")
        assert one.banned(address="192.0.2.9")
        assert len(one.bans()) == 3
    clock.now = NOON + HOUR
    for one in (rulings, read):
        assert one.banned(account="eve") is None
        assert one.banned(address="192.0.2.9") is None
        assert one.banned(address="192.0.2.7") == forever
        assert one.bans() == [forever]
    assert not rulings.unban("eve"), "it is over already"
    assert rulings._content()["bans"] == [{"address": "192.0.2.7", "by": "ann", "at": AT, "until": None}]
    assert rulings._bans._tables.bans == (forever,)


def test_a_later_ban_takes_the_place(rulings: ChatState) -> None:
    rulings.ban(EVE, by="ann")
    rulings.ban(at("192.0.2.7", name="bob"), by="ann")
    later = [
        rulings.ban(Target(name="eve", account="eve"), by="bob", time=HOUR),
        rulings.ban(at("192.0.2.7", name="Bob"), by="ann"),
        rulings.ban(at("192.0.2.8", name="bob"), by="ann"),
    ]
    assert rulings.bans() == later


def test_a_later_ban_of_a_user_who_has_left_keeps_the_addresses(rulings: ChatState, clock: Clock) -> None:
    rulings.ban(replace(EVE, networks=at("192.0.2.7").networks), by="ann", time=HOUR)
    assert rulings.ban(EVE, by="ann", time=HOUR).target.shown() == "Zoe (account eve, address 192.0.2.7)"
    assert rulings.banned(address="192.0.2.7")
    clock.now += HOUR
    assert rulings.ban(EVE, by="ann").target == EVE


def test_mutes(rulings: ChatState, clock: Clock) -> None:
    assert rulings.muted(account="eve", name="zoe") is None
    mute = rulings.mute(EVE, by="ann", time=HOUR)
    rulings.mute(at("10.0.0.1"), by="ann")
    for one in (rulings, again(rulings, clock)):
        assert one.muted(account="eve", name="yuri") == mute
        assert one.muted(account="bob", name="zoe") is None
        assert one.muted(account="bob", address="10.0.0.1")
        assert len(one.mutes()) == 2
    clock.now += HOUR
    assert rulings.muted(account="eve", name="zoe") is None
    assert shown(rulings.mutes()) == ["10.0.0.1"]
    assert shown(rulings.unmute("10.0.0.1")) == ["10.0.0.1"]
    assert not rulings.unmute("eve")


def test_rulings_of_an_older_version_hold_for_the_name(clock: Clock) -> None:
    old = {
        "topics": {},
        "bans": [{"name": "Eve", "by": "ann", "at": AT, "until": None}],
        "mutes": [{"name": "Bob", "by": "ann", "at": AT, "until": None}],
    }
    check_rulings(old)
    rulings = ChatState(clock=clock)
    rulings._take(old)
    for one in (rulings, again(rulings, clock)):
        assert one.banned(account="eve")
        assert not one.banned(account="bob")
        assert one.muted(name="BOB", account="carl")
        assert one.muted(name="carl", account="bob")
        assert not one.muted(name="carl", account="carl")
        assert one._content() == old
        assert shown(one.unmute("bob")) == ["Bob"]


def test_asking_takes_no_longer_with_many_bans() -> None:
    targets = [at(f"10.{number // 250}.{number % 250}.1") for number in range(2_000)]
    few, many = BanTable(), BanTable(Ban(target, "ann", NOON, None) for target in targets)
    few.add(Ban(targets[0], "ann", NOON, None))

    def seconds(table: BanTable) -> float:
        return min(timeit(lambda: table.find(NOON, address="192.0.2.7"), number=200) for _ in range(5))

    assert seconds(many) < 5 * seconds(few)


def test_no_networks() -> None:
    assert [network_of(text) for text in ("", "ann", "1", "192.0.2", "192.0.2.0/33", "::1::")] == [None] * 6


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
    check_rulings(GOOD)
    check_rulings(no_rulings())
    with pytest.raises(StoreFormatError, match=f"^{where}"):
        check_rulings({**GOOD, **change})
