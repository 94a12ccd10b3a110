"""Topics, bans and mutes in memory, and their form in the file."""

import datetime

import pytest

from sockctl.errors import NameRefusedError, StoreFormatError
from sockctl.services.chat import rulings as module
from sockctl.services.chat.bans import network_of
from sockctl.services.chat.rulings import Rulings
from sockctl.services.chat.rulings_form import check_rulings, no_rulings
from sockctl.stores.json_store import Content
from tests.clock import NOON, Clock
from tests.services.chat.history import AT

HOUR = datetime.timedelta(hours=1)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def rulings(clock: Clock) -> Rulings:
    return Rulings(clock=clock)


def again(rulings: Rulings, clock: Clock) -> Rulings:
    """Return what reads what `rulings` would write."""
    content = rulings._content()
    check_rulings(content)
    read = Rulings(clock=clock)
    read._take(content)
    return read


def test_topics(rulings: Rulings, clock: Clock) -> None:
    assert rulings.topic("#lobby") is None
    topic = rulings.set_topic("#lobby", " what\nwe\x1b do ", by="ann")
    assert topic is not None
    assert (topic.text, topic.by, topic.at) == ("what we do", "ann", NOON)
    assert again(rulings, clock).topic("#lobby") == rulings.topic("#lobby") == topic
    assert rulings.set_topic("#lobby", "\x1b ", by="ann") is None
    assert rulings.topic("#lobby") is None


def test_topics_are_bounded(rulings: Rulings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_TOPICS", 2)
    for room in ("#a", "#b", "#a", "#c"):
        rulings.set_topic(room, room, by="ann")
    assert [rulings.topic(room) is not None for room in ("#a", "#b", "#c")] == [True, False, True]


def test_banned_names(rulings: Rulings, clock: Clock) -> None:
    assert rulings.banned(name="eve", address="192.0.2.7") is None
    ban = rulings.ban(" Eve ", by="ann")
    assert (ban.who, ban.is_address, ban.until) == ("Eve", False, None)
    for one in (rulings, again(rulings, clock)):
        assert one.banned(name="EVE", address="192.0.2.7") == ban
        assert one.banned(name="bob", address="192.0.2.7") is None
        assert one.banned(name="bob") is None
        assert one.bans() == [ban]
    assert rulings.unban("eVe")
    assert not rulings.unban("eVe")
    assert rulings.bans() == []


@pytest.mark.parametrize(
    ("who", "usual", "banned", "others"),
    [
        ("192.0.2.7", "192.0.2.7", ["192.0.2.7", "::ffff:192.0.2.7"], ["192.0.2.8", "::1", "::192.0.2.7"]),
        ("::ffff:192.0.2.7", "192.0.2.7", ["192.0.2.7"], ["192.0.2.8"]),
        ("192.0.2.77/24", "192.0.2.0/24", ["192.0.2.0", "192.0.2.255"], ["192.0.3.0", "2001:db8::1"]),
        ("::ffff:192.0.2.0/120", "192.0.2.0/24", ["192.0.2.255"], ["192.0.3.0"]),
        ("2001:DB8:0::/48", "2001:db8::/48", ["2001:db8:0:ffff::1"], ["2001:db8:1::1", "192.0.2.7"]),
        ("fe80::1%eth0", "fe80::1", ["fe80::1", "fe80::1%2"], ["fe80::2", "not an address", ""]),
        ("fe80::%eth0/64", "fe80::/64", ["fe80::5%eth1"], ["fe81::1"]),
    ],
)
def test_banned_addresses(rulings: Rulings, who: str, usual: str, banned: list[str], others: list[str]) -> None:
    ban = rulings.ban(who, by="operator")
    assert (ban.who, ban.is_address) == (usual, True)
    for one in (rulings, again(rulings, Clock())):
        assert all(one.banned(address=address, name="x") == ban for address in banned)
        assert not any(one.banned(address=address, name="x") for address in others)
    assert rulings.banned(name=who) is None, "a user may be called like an address"
    assert rulings.unban(who)
    assert rulings.banned(address=banned[0]) is None


def test_bans_expire(rulings: Rulings, clock: Clock) -> None:
    rulings.ban("eve", by="ann", time=HOUR)
    rulings.ban("192.0.2.0/24", by="ann", time=HOUR)
    forever = rulings.ban("192.0.2.7", by="ann")
    read = again(rulings, clock)
    clock.now = NOON + HOUR - datetime.timedelta(seconds=1)
    for one in (rulings, read):
        assert one.banned(name="eve")
        assert one.banned(address="192.0.2.9")
        assert len(one.bans()) == 3
    clock.now = NOON + HOUR
    for one in (rulings, read):
        assert one.banned(name="eve") is None
        assert one.banned(address="192.0.2.9") is None
        assert one.banned(address="192.0.2.7") == forever
        assert one.bans() == [forever]
    assert not rulings.unban("eve"), "it is over already"
    assert rulings._content()["bans"] == [{"address": "192.0.2.7", "by": "ann", "at": AT, "until": None}]
    assert rulings._banned_names == {}


def test_a_later_ban_takes_the_place(rulings: Rulings) -> None:
    rulings.ban("eve", by="ann")
    later = rulings.ban("EVE", by="bob", time=HOUR)
    assert rulings.bans() == [later]


def test_mutes(rulings: Rulings, clock: Clock) -> None:
    assert rulings.muted("bob") is None
    mute = rulings.mute("Bob", by="ann", time=HOUR)
    assert rulings.mute("10.0.0.1", by="ann").who == "10.0.0.1", "a user may be called like an address"
    for one in (rulings, again(rulings, clock)):
        assert one.muted("bob") == mute
        assert one.muted("eve") is None
        assert len(one.mutes()) == 2
    clock.now += HOUR
    assert rulings.muted("bob") is None
    assert [one.who for one in rulings.mutes()] == ["10.0.0.1"]
    assert rulings.unmute("10.0.0.1")
    assert not rulings.unmute("eve")


@pytest.mark.parametrize("who", ["", "a b", "-x", "admin", "192.0.2.0/33"])
def test_what_can_be_neither(rulings: Rulings, who: str) -> None:
    with pytest.raises(NameRefusedError):
        rulings.ban(who, by="ann")
    assert rulings.bans() == []


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
        ({"bans": [{**BAN, "name": "192.0.2.7"}]}, r"bans\[0\].name .* is an address"),
        ({"bans": [{**BAN, "address": "192.0.2.7/24"}]}, r"bans\[0\].address is no IP address or network"),
        ({"bans": [{**BAN, "address": "eve"}]}, r"bans\[0\].address is no IP address or network"),
        ({"bans": [{**BAN, "name": "eve", "until": 7}]}, r"bans\[0\].until is no time"),
        ({"mutes": "eve"}, "mutes is no list"),
        ({"mutes": [{**BAN, "address": "192.0.2.7"}]}, r"mutes\[0\] needs one text that says who: name"),
    ],
)
def test_a_file_of_another_form(change: Content, where: str) -> None:
    check_rulings(GOOD)
    check_rulings(no_rulings())
    with pytest.raises(StoreFormatError, match=f"^{where}"):
        check_rulings({**GOOD, **change})
