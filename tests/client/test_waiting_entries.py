import pytest

from sockctl.client.entry import Entry
from sockctl.client.session_events import Remark, SessionEvent, TextReturned
from sockctl.client.waiting_entries import MAX_BYTES, MAX_ENTRIES, WaitingEntries


def waiting(*entries: tuple[str, str]) -> tuple[WaitingEntries, list[SessionEvent]]:
    events: list[SessionEvent] = []
    made = WaitingEntries(events)
    for text, room in entries:
        made.add(Entry(text), room)
    return made, events


def test_an_entry_is_shown_as_waiting() -> None:
    _, events = waiting(("hello \x1b[2J", ""), ("one\ntwo\nthree", ""), ("  ", ""))
    assert events == [
        Remark("waiting: hello \N{SYMBOL FOR ESCAPE}[2J", is_error=False),
        Remark("waiting: one (and 2 more lines)", is_error=False),
    ]


def test_each_goes_to_its_room_only() -> None:
    one, events = waiting(("to a", "#a"), ("to b", "#b"), ("/msg bob hi", "#b"), ("a\nblock", "#b"), ("nowhere", ""))
    events.clear()
    assert [entry.text for entry in one.take("#a")] == ["to a", "/msg bob hi"]
    why = "Not sent, you are not in #b any more"
    nowhere = TextReturned("nowhere", "Not sent, you are not in a room any more")
    assert events == [TextReturned("to b", why), TextReturned("a\nblock", why), nowhere]
    assert one.take("#b") == []


@pytest.mark.parametrize("command", ["/join #b", "/leave", " /J #b", "/part #a"])
def test_nothing_follows_a_change_of_rooms(command: str) -> None:
    one, events = waiting((command, "#a"), ("hello", "#a"), ("/who", "#a"))
    events.clear()
    assert [entry.text for entry in one.take("#a")] == [command]
    why = "Not sent, behind a change of rooms"
    assert events == [TextReturned("hello", why), TextReturned("/who", why)]


def test_a_block_changes_no_room_and_rooms_are_compared_as_names() -> None:
    one, _ = waiting(("/join #b\nx", "#José"), ("hello", "#josé"), ("/joined", "#a"), ("/who", "#a"))
    assert len(one.take("#JOSÉ")) == 4


def test_bounds() -> None:
    one, events = waiting(*[("x", "#a")] * (MAX_ENTRIES + 1))
    assert events[-1] == TextReturned("x", "Not sent, too much waits already")
    assert len(one.take("#a")) == MAX_ENTRIES
    one.add(Entry("я" * (MAX_BYTES // 2)), "#a")
    one.add(Entry("x"), "#a")
    assert events[-1] == TextReturned("x", "Not sent, too much waits already")
    one.give_back()
    assert events[-1] == TextReturned("я" * (MAX_BYTES // 2), "Not sent")
    assert one.take("#a") == []
