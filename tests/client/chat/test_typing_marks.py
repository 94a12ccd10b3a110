import datetime

import pytest

from sockctl.client.chat.typing_marks import LASTS, MAX_MARKS, TypingMarks
from sockctl.protocol.messages import Message, make_message

NOON = datetime.datetime(2026, 1, 31, 12, 30, tzinfo=datetime.UTC)


@pytest.mark.parametrize(
    ("ending", "elsewhere"),
    [
        (make_message("say", "hi", sender="bob"), ("cem", "bob")),
        (make_message("left", "bob left #lobby.", name="bob"), ("cem", "bob")),
        (make_message("renamed", "bob is rob now.", before="bob", name="rob"), ("cem",)),
    ],
)
def test_a_mark_ends_by_itself_or_by_a_message(ending: Message, elsewhere: tuple[str, ...]) -> None:
    marks = TypingMarks()
    for room, name in (("#lobby", "bob"), ("#games", "cem"), ("#games", "bob")):
        marks.note(room, name, NOON)
    assert marks.names("#lobby", NOON) == ("bob",)
    assert marks.names("#lobby", NOON + LASTS) == ()
    marks.process(make_message("joined", "bob joined #lobby.", name="bob"), "#lobby")
    assert marks.names("#lobby", NOON) == ("bob",)
    marks.process(ending, "#lobby")
    assert marks.names("#lobby", NOON) == ()
    assert marks.names("#games", NOON) == elsewhere


def test_marks_are_bounded() -> None:
    marks = TypingMarks()
    for number in range(MAX_MARKS + 1):
        marks.note("#lobby", f"name{number}", NOON)
    marks.note("#lobby", "x" * 1000, NOON)
    assert len(marks.names("#lobby", NOON)) == MAX_MARKS
    marks.note("#lobby", "late", NOON + LASTS)
    assert marks.names("#lobby", NOON) == ("late",)
