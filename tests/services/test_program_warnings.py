"""The lines of a program's standard error, one by one and in sums."""

from unittest.mock import Mock

from sockctl.events.base import Level
from sockctl.events.journal import Journal
from sockctl.services.program_warnings import AT_ONCE, SHOWN_CHARACTERS, ProgramWarnings
from tests.support.running import MemorySink


class Stage:
    def __init__(self) -> None:
        self.sink = MemorySink()
        self._journal = Journal(self.sink, service="exec", level=Level.DETAIL, per_second=1_000_000)
        self.warnings = ProgramWarnings(self._journal, Mock(number=1, shown="127.0.0.1:1"), 42)

    def said(self) -> list[str]:
        self._journal.close()
        return [event.said for event in self.sink.named("program_warned")]

    def more(self) -> int:
        return sum(event.lines for event in self.sink.named("program_warnings_summed"))


def test_a_line_is_an_event_and_the_end_completes_the_last_one() -> None:
    stage = Stage()
    for data in (b"one\ntw", b"o\r\nth", b"ree", b""):
        stage.warnings.feed(data)
    assert stage.said() == ["one", "two", "three"]
    assert stage.more() == 0


def test_a_long_line_is_cut() -> None:
    stage = Stage()
    stage.warnings.feed(b"x" * 5000 + b"\n")
    assert stage.said() == ["x" * SHOWN_CHARACTERS]


def test_lines_without_end_become_a_sum_that_counts_each() -> None:
    stage = Stage()
    count = 20_000
    data = b"".join(b"line %d\n" % number for number in range(count))
    for start in range(0, len(data), 1000):
        stage.warnings.feed(data[start : start + 1000])
    stage.warnings.feed(b"no end")
    stage.warnings.close()
    said = stage.said()
    assert said[:AT_ONCE] == [f"line {number}" for number in range(AT_ONCE)]
    assert len(said) + stage.more() == count + 1
