"""The form of chat.json: earlier versions, and files of another form."""

import pytest

from sockctl.errors import StoreFormatError
from sockctl.services.chat.bans import Ban
from sockctl.services.chat.state import ChatState
from sockctl.services.chat.state_file import check_state, decode_state, encode_state, make_empty_state
from sockctl.stores.json_store import Content
from tests.support.chat_history import AT
from tests.support.clock import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()


def again(state: ChatState, clock: Clock) -> ChatState:
    """Return what reads what `state` would write."""
    content = encode_state(state)
    check_state(content)
    read = ChatState(clock=clock)
    decode_state(content, read)
    return read


def shown(bans: list[Ban]) -> list[str]:
    return [ban.target.describe() for ban in bans]


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
        assert one.bans.find(account="eve")
        assert not one.bans.find(account="bob")
        assert one.mutes.find(name="BOB", account="carl")
        assert one.mutes.find(name="carl", account="bob")
        assert not one.mutes.find(name="carl", account="carl")
        assert encode_state(one) == old
        assert shown(one.mutes.list_named("bob")) == ["Bob"]


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
    check_state(make_empty_state())
    with pytest.raises(StoreFormatError, match=f"^{where}"):
        check_state({**GOOD, **change})
