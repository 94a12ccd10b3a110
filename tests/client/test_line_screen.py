import time

import pytest

from sockctl.client.line_screen import MAX_OPEN, LineScreen
from sockctl.client.screen import Screen


class Kept(Screen):
    """Keeps what is written."""

    def __init__(self) -> None:
        super().__init__()
        self.written = b""
        self.remarks: list[str] = []

    def write(self, data: bytes) -> None:
        self.written += data

    def remark(self, line: str) -> None:
        self.remarks.append(line)


@pytest.mark.parametrize("size", [1, 2, 5, 100])
def test_any_cutting_gives_the_same_lines(size: int) -> None:
    kept, data = Kept(), b"one\n\ntwo\r\nthree"
    lines = LineScreen(kept, "#1 ")
    for start in range(0, len(data), size):
        lines.write(data[start : start + size])
    assert kept.written == b"#1 one\n#1 \n#1 two\r\n"
    assert lines.rest_due_at is None
    lines.show_rest()
    lines.show_rest()
    assert kept.written.endswith(b"#1 three\n")
    assert kept.written.count(b"three") == 1


def test_a_line_that_gets_too_long_is_shown_in_pieces() -> None:
    kept = Kept()
    lines = LineScreen(kept, "#2 ")
    lines.write(b"x" * MAX_OPEN)
    assert not kept.written
    lines.write(b"x")
    assert kept.written == b"#2 " + b"x" * (MAX_OPEN + 1) + b"\n"


def test_a_person_waits_for_the_end_of_a_line_for_a_moment() -> None:
    lines = LineScreen(Kept(), rest_s=0.5)
    before = time.monotonic()
    lines.write(b"name: ")
    assert lines.rest_due_at is not None
    assert before + 0.5 <= lines.rest_due_at <= time.monotonic() + 0.5
    lines.write(b"\n")
    assert lines.rest_due_at is None


def test_remarks_have_the_mark() -> None:
    kept = Kept()
    LineScreen(kept, "#3 ").remark("8 bytes more")
    assert kept.remarks == ["#3 8 bytes more"]
