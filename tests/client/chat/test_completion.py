"""Tests for `sockctl.client.chat.completion`: what Tab completes."""

import pytest

from sockctl.client.chat.completion import COMMANDS, find_completions
from sockctl.client.chat.roster import Roster
from sockctl.protocol.messages import make_message
from tests.support.rosters import joined


@pytest.mark.parametrize(
    ("before", "becomes"),
    [
        ("b", ["Bob: "]),
        ("hello CA", ["carol "]),
        ("/msg b", ["Bob "]),
        ("an", []),
        ("/wh", ["/who ", "/whois "]),
        ("/NI", ["/nick "]),
        ("see /wh", []),
        ("#", ["#games ", "#lobby "]),
        ("/join #L", ["#lobby "]),
        ("", []),
        ("hello ", []),
    ],
)
def test_completions(before: str, becomes: list[str]) -> None:
    roster = joined(make_message("joined", "", room="#games", name="ann"))
    word, found = find_completions(before, roster)
    assert found == becomes
    assert before.endswith(word)


def test_nothing_is_completed_outside_of_rooms() -> None:
    assert find_completions("/wh", Roster()) == ("/wh", [])


@pytest.mark.parametrize(
    ("before", "becomes"),
    [
        ("/ba", ["/ban ", "/bans "]),
        ("/kick b", ["Bob "]),
        ("/ban ", ["Bob ", "carol "]),
        ("/mute CA", ["carol "]),
        ("/ban Bob ", []),
        ("/help un", ["unban ", "unmute "]),
    ],
)
def test_operators_complete_their_commands(before: str, becomes: list[str]) -> None:
    welcome = make_message("welcome", name="ann", operator=True)
    back = [
        make_message("joined", room="lobby", name="ann"),
        make_message("members", room="lobby", members=["Bob", "carol"]),
    ]
    assert find_completions(before, joined(welcome, *back))[1] == becomes


@pytest.mark.parametrize(
    ("before", "becomes"),
    [
        ("/ba", []),
        ("/be", ["/bell "]),
        ("/aw", ["/away "]),
        ("/join L", ["#lobby "]),
        ("/who ", ["#lobby "]),
        ("/help /wh", ["who ", "whois "]),
        ("/msg ", ["Bob ", "carol "]),
        ("/msg Bob ", []),
        ("/topic ", []),
        (" ", []),
    ],
)
def test_commands_say_what_their_words_are(before: str, becomes: list[str]) -> None:
    assert find_completions(before, joined())[1] == becomes


def test_commands_are_in_order() -> None:
    assert list(COMMANDS) == sorted(set(COMMANDS))
