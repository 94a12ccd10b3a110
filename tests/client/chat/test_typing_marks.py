import datetime

from sockctl.client.chat.typing_marks import LASTS, MAX_MARKS, TypingMarks

NOON = datetime.datetime(2026, 1, 31, 12, 30, tzinfo=datetime.UTC)


def test_a_mark_ends_by_itself_or_by_what_is_said() -> None:
    marks = TypingMarks()
    marks.note("#lobby", "bob", NOON)
    marks.note("#games", "cem", NOON)
    assert marks.names("#lobby", NOON) == ("bob",)
    assert marks.names("#lobby", NOON + LASTS) == ()
    marks.end("#lobby", "cem")
    marks.end("#lobby", "bob")
    assert marks.names("#lobby", NOON) == ()
    assert marks.names("#games", NOON) == ("cem",)


def test_marks_are_bounded() -> None:
    marks = TypingMarks()
    for number in range(MAX_MARKS + 1):
        marks.note("#lobby", f"name{number}", NOON)
    marks.note("#lobby", "x" * 1000, NOON)
    assert len(marks.names("#lobby", NOON)) == MAX_MARKS
    marks.note("#lobby", "late", NOON + LASTS)
    assert marks.names("#lobby", NOON) == ("late",)
