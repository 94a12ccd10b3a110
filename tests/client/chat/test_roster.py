import pytest

from sockctl.client.chat import roster as company_module
from sockctl.client.chat.completion import COMMANDS, completions
from sockctl.client.chat.roster import Company
from sockctl.protocol.messages import Message, message


def joined(*messages: Message) -> Company:
    """Return the company of ann in the lobby, with Bob and carol."""
    company = Company()
    for one in (
        message("welcome", "Hello!", name="ann", room="lobby"),
        message("joined", "", room="lobby", name="ann"),
        message("members", "", room="lobby", members=["ann", "carol", "Bob"]),
        *messages,
    ):
        company.note(one)
    return company


def test_who_is_here() -> None:
    company = joined()
    assert company.is_me("Ann")
    assert not company.is_me("")
    assert (company.rooms, company.others) == (["lobby"], ["Bob", "carol"])
    company.note(message("joined", "", room="lobby", name="dave"))
    company.note(message("left", "", room="lobby", name="bob"))
    company.note(message("renamed", "", before="Carol", name="caro"))
    company.note(message("say", "", room="lobby", sender="erin"))
    company.note(message("say", "", room="elsewhere", sender="frank"))
    company.note(message("left", "", room="elsewhere", name="dave"))
    assert company.others == ["caro", "dave", "erin"]


def test_the_sums_of_a_crowded_room_change_nobody() -> None:
    company = joined()
    for kind in ("joined", "left", "renamed"):
        company.note(message(kind, f"3 {kind}.", room="lobby", count=3))
    company.note(message("members", "In lobby: 5,000 members.", room="lobby", members=[], count=5_000))
    assert (company.me, company.rooms, company.others) == ("ann", ["lobby"], ["Bob", "carol"])
    company.note(message("members", "", room="lobby", members=["dave"], count=5_000, page=2, pages=50))
    assert company.others == ["Bob", "carol", "dave"]


def test_ones_own_name_and_rooms() -> None:
    company = joined(message("joined", "", room="games", name="ann"))
    company.note(message("renamed", "", before="ANN", name="anna"))
    assert company.is_me("anna")
    assert company.others == ["Bob", "carol"]
    company.note(message("left", "", room="lobby", name="anna"))
    assert (company.rooms, company.others) == (["games"], [])
    company.note(message("welcome", "", user="ann"))
    assert company.is_me("ann")
    assert (company.rooms, company.last_rooms) == ([], ["games"])
    company.note(message("joined", "", room="lobby", name="ann"))
    assert (company.rooms, company.last_rooms) == (["lobby"], ["lobby", "games"])
    company.note(message("joined", "", room="games", name="ann"))
    assert company.last_rooms == ["lobby", "games"]


def test_the_room_in_which_one_speaks_is_the_last() -> None:
    company = joined(*(message("joined", "", room=room, name="ann") for room in ("games", "dev")))
    company.note(message("notice", "", code="room", room="lobby"))
    assert company.last_rooms == ["games", "dev", "lobby"]
    company.note(message("notice", "", code="room", room="dev", count=3))
    company.note(message("notice", "", code="room", room="elsewhere"))
    company.note(message("welcome", "", name="ann"))
    assert company.last_rooms == ["games", "dev", "lobby"]
    company.note(message("joined", "", room="games", name="ann"))
    assert company.last_rooms == ["games", "dev", "lobby"], "as it was, though it was lost while one came in"


@pytest.mark.parametrize(
    "one",
    [
        message("members", "", room="lobby", members=None),
        message("members", "", room="lobby", members=[7, None, ["x"], "", "two words", "\x1b"]),
        message("joined", "", room="lobby", name=7),
        message("joined", "", name="dave"),
        message("left", ""),
        message("renamed", "", before="nobody", name="somebody"),
        message("say", "", room=["x"], sender={}),
    ],
)
def test_what_makes_no_sense_changes_nothing(one: Message) -> None:
    company = joined(one)
    assert (company.rooms, company.others) == (["lobby"], ["Bob", "carol"])


def test_names_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(company_module, "MAX_NAMES", 4)
    company = joined()
    for name in ("dave", "erin", "frank"):
        company.note(message("joined", "", room="lobby", name=name))
    assert company.others == ["Bob", "carol", "dave"]


def test_rooms_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(company_module, "MAX_ROOMS", 3)
    company = joined(*(message("joined", "", room=f"#{number}", name="ann") for number in range(5)))
    assert (company.rooms, company.left_out) == (["lobby", "#0", "#1"], 3), "two rooms, and a name in none"
    company.note(message("left", "", room="#0", name="ann"))
    company.note(message("joined", "", room="#4", name="ann"))
    assert company.rooms == ["lobby", "#1", "#4"]
    for _ in range(3):
        company.note(message("welcome", "", name="ann"))
        for number in range(10):
            company.note(message("joined", "", room=f"#{number}", name="ann"))
    assert len(company.last_rooms) <= 6


def test_places_are_free_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(company_module, "MAX_NAMES", 4)
    company = joined(message("joined", "", room="lobby", name="dave"))
    for number in range(10):
        company.note(message("renamed", "", before="dave" if not number else f"dave{number - 1}", name=f"dave{number}"))
    assert company.others == ["Bob", "carol", "dave9"]
    company.note(message("left", "", room="lobby", name="Bob"))
    company.note(message("joined", "", room="lobby", name="erin"))
    assert company.others == ["carol", "dave9", "erin"]
    assert company.left_out == 0


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
    assert bool(joined().mentions(text)) is is_one


def test_who_has_no_name_is_not_mentioned() -> None:
    assert Company().mentions("anything") is None
    company = joined(message("welcome", "Hello."))
    assert company.mentions("ann") is None


# What Tab completes.


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
    company = joined(message("joined", "", room="#games", name="ann"))
    word, found = completions(before, company)
    assert found == becomes
    assert before.endswith(word)


def test_nothing_is_completed_outside_of_rooms() -> None:
    assert completions("/wh", Company()) == ("/wh", [])


def test_commands_are_in_order() -> None:
    assert list(COMMANDS) == sorted(set(COMMANDS))
