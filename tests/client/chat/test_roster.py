import pytest

from sockctl.client.chat.roster import Roster
from sockctl.protocol.messages import Message, make_message
from tests.support.rosters import joined


def test_who_is_here() -> None:
    roster = joined()
    assert roster.is_me("Ann")
    assert not roster.is_me("")
    assert (roster.rooms, roster.others) == (["lobby"], ["Bob", "carol"])
    roster.update(make_message("joined", "", room="lobby", name="dave"))
    roster.update(make_message("left", "", room="lobby", name="bob"))
    roster.update(make_message("renamed", "", before="Carol", name="caro"))
    roster.update(make_message("say", "", room="lobby", sender="erin"))
    roster.update(make_message("say", "", room="elsewhere", sender="frank"))
    roster.update(make_message("left", "", room="elsewhere", name="dave"))
    assert roster.others == ["caro", "dave", "erin"]


def test_the_sums_of_a_crowded_room_change_nobody() -> None:
    roster = joined()
    for kind in ("joined", "left", "renamed"):
        roster.update(make_message(kind, f"3 {kind}.", room="lobby", count=3))
    roster.update(make_message("members", "In lobby: 5,000 members.", room="lobby", members=[], count=5_000))
    assert (roster.me, roster.rooms, roster.others) == ("ann", ["lobby"], ["Bob", "carol"])
    roster.update(make_message("members", "", room="lobby", members=["dave"], count=5_000, page=2, pages=50))
    assert roster.others == ["Bob", "carol", "dave"]


def test_ones_own_name_and_rooms() -> None:
    roster = joined(make_message("joined", "", room="games", name="ann"))
    roster.update(make_message("renamed", "", before="ANN", name="anna"))
    assert roster.is_me("anna")
    assert roster.others == ["Bob", "carol"]
    roster.update(make_message("left", "", room="lobby", name="anna"))
    assert (roster.rooms, roster.others) == (["games"], [])
    roster.update(make_message("welcome", "", user="ann"))
    assert roster.is_me("ann")
    assert (roster.rooms, roster.last_rooms) == ([], ["games"])
    roster.update(make_message("joined", "", room="lobby", name="ann"))
    assert (roster.rooms, roster.last_rooms) == (["lobby"], ["lobby", "games"])
    roster.update(make_message("joined", "", room="games", name="ann"))
    assert roster.last_rooms == ["lobby", "games"]


def test_the_room_in_which_one_speaks_is_the_last() -> None:
    roster = joined(*(make_message("joined", "", room=room, name="ann") for room in ("games", "dev")))
    roster.update(make_message("notice", "", code="room", room="lobby"))
    assert roster.last_rooms == ["games", "dev", "lobby"]
    roster.update(make_message("notice", "", code="room", room="dev", count=3))
    roster.update(make_message("notice", "", code="room", room="elsewhere"))
    roster.update(make_message("welcome", "", name="ann"))
    assert roster.last_rooms == ["games", "dev", "lobby"]
    roster.update(make_message("joined", "", room="games", name="ann"))
    assert roster.last_rooms == ["games", "dev", "lobby"], "as it was, though it was lost while one came in"


@pytest.mark.parametrize(
    "one",
    [
        make_message("members", "", room="lobby", members=None),
        make_message("members", "", room="lobby", members=[7, None, ["x"], "", "two words", "\x1b"]),
        make_message("joined", "", room="lobby", name=7),
        make_message("joined", "", name="dave"),
        make_message("left", ""),
        make_message("renamed", "", before="nobody", name="somebody"),
        make_message("say", "", room=["x"], sender={}),
    ],
)
def test_what_makes_no_sense_changes_nothing(one: Message) -> None:
    roster = joined(one)
    assert (roster.rooms, roster.others) == (["lobby"], ["Bob", "carol"])


def test_names_are_bounded() -> None:
    roster = joined(max_names=4)
    for name in ("dave", "erin", "frank"):
        roster.update(make_message("joined", "", room="lobby", name=name))
    assert roster.others == ["Bob", "carol", "dave"]


def test_rooms_are_bounded() -> None:
    roster = joined(*(make_message("joined", "", room=f"#{number}", name="ann") for number in range(5)), max_rooms=3)
    assert (roster.rooms, roster.left_out) == (["lobby", "#0", "#1"], 3), "two rooms, and a name in none"
    roster.update(make_message("left", "", room="#0", name="ann"))
    roster.update(make_message("joined", "", room="#4", name="ann"))
    assert roster.rooms == ["lobby", "#1", "#4"]
    for _ in range(3):
        roster.update(make_message("welcome", "", name="ann"))
        for number in range(10):
            roster.update(make_message("joined", "", room=f"#{number}", name="ann"))
    assert len(roster.last_rooms) <= 6


def test_places_are_free_again() -> None:
    roster = joined(make_message("joined", "", room="lobby", name="dave"), max_names=4)
    for number in range(10):
        before = "dave" if not number else f"dave{number - 1}"
        roster.update(make_message("renamed", "", before=before, name=f"dave{number}"))
    assert roster.others == ["Bob", "carol", "dave9"]
    roster.update(make_message("left", "", room="lobby", name="Bob"))
    roster.update(make_message("joined", "", room="lobby", name="erin"))
    assert roster.others == ["carol", "dave9", "erin"]
    assert roster.left_out == 0


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("ann: hi", True),
        ("Hi ANN!", True),
        ("that was ann.", True),
        ("@ann, look", True),
        ("annabel", False),
        ("joann", False),
        ("ann-marie", False),
        ("x.ann", False),
        ("änn", False),
        ("", False),
    ],
)
def test_mentions_are_words(text: str, is_one: bool) -> None:
    mention = joined().context.mention
    assert mention is not None
    assert bool(mention.search(text)) is is_one


def test_who_has_no_name_is_not_mentioned() -> None:
    assert Roster().context.mention is None
    roster = joined(make_message("welcome", "Hello."))
    assert roster.context.mention is None


def test_an_operator_may_be_told_by_a_list_of_members() -> None:
    roster = joined()
    assert not roster.is_operator
    details: list[object] = [{"operator": False}, "junk", {"operator": True}]
    roster.update(make_message("members", room="lobby", members=["Bob", 7, "ann"], details=details))
    assert roster.is_operator
