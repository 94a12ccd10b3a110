import threading
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

from sockctl.errors import SinkError
from sockctl.events.base import HELD_BYTES, ConnectionEvent, Event, Level, Record
from sockctl.events.journal import Journal
from tests.support.running import TIMEOUT_S, MemorySink, wait_until


@dataclass(frozen=True, slots=True, kw_only=True)
class Happened(Event):
    name: ClassVar[str] = "happened"

    number: int

    @property
    def text(self) -> str:
        return f"Number {self.number}."


@dataclass(frozen=True, slots=True, kw_only=True)
class Detail(Happened):
    name: ClassVar[str] = "detail"
    level: ClassVar[Level] = Level.DETAIL


def numbers(sink: MemorySink) -> list[int]:
    return [event.number for event in sink.named("happened")]


class BlockedSink(MemorySink):
    """Blocks in its first write until it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.entered = threading.Event()
        self.let_go = threading.Event()

    def write(self, records: Sequence[Record]) -> None:
        self.entered.set()
        assert self.let_go.wait(TIMEOUT_S)
        super().write(records)


class FailingSink(MemorySink):
    """Fails while `broken` is set, after having written `accepts` records."""

    def __init__(self, *, accepts: int = 0) -> None:
        super().__init__()
        self.broken = True
        self.accepts = accepts
        self.failures = 0

    def has_failed(self, times: int) -> bool:
        return self.failures >= times

    def write(self, records: Sequence[Record]) -> None:
        if not self.broken:
            super().write(records)
            return
        written = min(self.accepts, len(records))
        super().write(records[:written])
        self.accepts -= written
        if written < len(records):
            self.failures += 1
            raise SinkError("the file: No space left on device", written=written)


def test_order_from_one_thread_is_kept_and_close_writes_everything() -> None:
    sink = MemorySink()
    journal = Journal(sink, service="test")
    for number in range(5000):
        journal.emit(Happened(number=number))
    journal.close(TIMEOUT_S)
    assert numbers(sink) == list(range(5000))
    assert {record.service for record in sink.records} == {"test"}


def test_events_below_the_level_are_left_out() -> None:
    sink = MemorySink()
    journal = Journal(sink, service="test", level=Level.INFO)
    journal.emit(Detail(number=1))
    journal.emit(Happened(number=2))
    journal.close(TIMEOUT_S)
    assert [event.name for event in sink.events] == ["happened"]
    assert journal.emits(Level.INFO)
    assert not journal.emits(Level.DETAIL)


def test_a_slow_sink_makes_nobody_wait_and_what_does_not_fit_is_counted() -> None:
    sink = BlockedSink()
    journal = Journal(sink, service="test", capacity_bytes=10 * HELD_BYTES)
    journal.emit(Happened(number=0))
    assert sink.entered.wait(TIMEOUT_S)
    for number in range(1, 101):
        journal.emit(Happened(number=number))  # would hang here if it waited
    sink.let_go.set()
    journal.close(TIMEOUT_S)
    assert numbers(sink) == list(range(11))
    assert sum(event.count for event in sink.named("events_lost")) == journal.lost == 90


def tell_often(journal: Journal) -> None:
    for _ in range(500):
        journal.emit(Happened(number=2))


def test_threads_lose_no_count() -> None:
    sink = BlockedSink()
    journal = Journal(sink, service="test", capacity_bytes=HELD_BYTES)
    journal.emit(Happened(number=0))
    assert sink.entered.wait(TIMEOUT_S)
    journal.emit(Happened(number=1))
    threads = [threading.Thread(target=tell_often, args=(journal,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sink.let_go.set()
    journal.close(TIMEOUT_S)
    assert len(numbers(sink)) + sum(event.count for event in sink.named("events_lost")) == 2002


def test_a_failing_sink_is_told_once_and_counted() -> None:
    sink, console = FailingSink(), MemorySink()
    journal = Journal(sink, service="test", fallback=console)
    for number in range(7):
        journal.emit(Happened(number=number))
        wait_until(partial(sink.has_failed, number + 1))
    assert [event.name for event in console.events] == ["sink_failed"]
    assert "No space left" in console.events[0].text
    sink.broken = False
    journal.emit(Happened(number=7))
    journal.close(TIMEOUT_S)
    lost, happened = sink.events
    assert lost.fields == {"count": 7, "why": "the file: No space left on device"}
    assert happened.fields == {"number": 7}


def test_what_was_written_before_the_failure_is_not_counted_as_missing() -> None:
    sink = FailingSink(accepts=2)
    journal = Journal(sink, service="test")
    for number in range(4):
        journal.emit(Happened(number=number))
    wait_until(lambda: sink.failures >= 1)
    before = len(numbers(sink))
    assert before == 2
    sink.accepts = 1  # enough for the line that tells what is missing, and not for the next event
    seen = sink.failures
    journal.emit(Happened(number=4))
    wait_until(lambda: sink.failures > seen)
    sink.broken = False
    journal.close(TIMEOUT_S)
    told = sum(event.count for event in sink.named("events_lost"))
    assert len(numbers(sink)) + told == 5


def test_a_console_that_fails_too_ends_nothing() -> None:
    sink, console = FailingSink(), FailingSink()
    journal = Journal(sink, service="test", fallback=console)
    journal.emit(Happened(number=0))
    wait_until(lambda: console.failures >= 1)
    journal.emit(Happened(number=1))
    journal.close(TIMEOUT_S)
    assert sink.failures >= 2


def test_missing_events_are_counted_through_repeated_failures() -> None:
    sink = FailingSink()
    journal = Journal(sink, service="test")
    for number in range(50):
        journal.emit(Happened(number=number))
        wait_until(partial(sink.has_failed, number + 1))
    wait_until(lambda: journal.lost == 50)
    sink.broken = False
    journal.emit(Happened(number=50))
    journal.close(TIMEOUT_S)
    assert [event.count for event in sink.named("events_lost")] == [50]
    assert journal.lost == 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Untellable(Happened):
    name: ClassVar[str] = "untellable"

    @property
    def text(self) -> str:
        raise ValueError("a defect")


class ReadingSink(MemorySink):
    """Reads each event's text, as real sinks do."""

    def write(self, records: Sequence[Record]) -> None:
        assert all(record.event.text for record in records)
        super().write(records)


def test_an_event_that_cannot_be_written_does_not_end_the_journal() -> None:
    sink, console = ReadingSink(), MemorySink()
    journal = Journal(sink, service="test", fallback=console)
    journal.emit(Untellable(number=1))
    wait_until(lambda: bool(console.events))
    journal.emit(Happened(number=2))
    journal.close(TIMEOUT_S)
    assert [event.name for event in sink.events] == ["events_lost", "happened"]


def test_an_event_told_after_the_close_does_not_keep_the_writer() -> None:
    sink = BlockedSink()
    journal = Journal(sink, service="test")
    journal.emit(Happened(number=0))
    assert sink.entered.wait(TIMEOUT_S)
    journal.close(0.01)
    journal.emit(Happened(number=1))
    sink.let_go.set()
    wait_until(lambda: all(thread.name != "sockctl-journal" for thread in threading.enumerate()))
    assert numbers(sink) == [0, 1]


def test_close_gives_up_on_a_sink_that_is_stuck() -> None:
    sink = BlockedSink()
    journal = Journal(sink, service="test")
    journal.emit(Happened(number=0))
    assert sink.entered.wait(TIMEOUT_S)
    journal.close(0.05)
    assert not sink.records
    sink.let_go.set()


@dataclass(frozen=True, slots=True, kw_only=True)
class Told(Event):
    name: ClassVar[str] = "told"

    line: str

    @property
    def held_bytes(self) -> int:
        return len(self.line)

    @property
    def text(self) -> str:
        return self.line


def test_the_queue_is_bounded_in_bytes() -> None:
    sink = BlockedSink()
    journal = Journal(sink, service="test", capacity_bytes=1_000_000)
    journal.emit(Told(line=""))
    assert sink.entered.wait(TIMEOUT_S)
    for _ in range(100):
        journal.emit(Told(line="x" * 60_000))
    sink.let_go.set()
    journal.close(TIMEOUT_S)
    assert len(sink.named("told")) == 1 + 1_000_000 // 60_000
    assert sum(event.count for event in sink.named("events_lost")) == 100 - 1_000_000 // 60_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Knocked(ConnectionEvent):
    name: ClassVar[str] = "knocked"

    bytes: int

    @property
    def text(self) -> str:
        return "Somebody knocked."


def test_what_one_address_does_too_often_is_told_as_a_sum() -> None:
    sink = MemorySink()
    journal = Journal(sink, service="test", per_second=5)
    for number in range(100):
        journal.emit(Knocked(connection=number, peer=f"192.0.2.1:{50_000 + number}", bytes=3))
        journal.emit(Happened(number=number))
    summed = sink.wait_for("events_summed")  # without a further event, and before the close
    journal.close(TIMEOUT_S)
    summed = sink.named("events_summed")
    knocked = sink.named("knocked")
    assert 5 <= len(knocked) <= 5 * len(summed) + 5
    assert len(knocked) + sum(event.count for event in summed) == 100
    assert sum(one.bytes for one in knocked) + sum(one.amounts["bytes"] for one in summed) == 300
    assert {(one.of, one.address) for one in summed} == {("knocked", "192.0.2.1")}
    assert numbers(sink) == list(range(100)), "what belongs to no connection is told one by one"


def test_the_close_tells_the_sums() -> None:
    sink = MemorySink()
    journal = Journal(sink, service="test", per_second=1)
    for number in range(10):
        journal.emit(Knocked(connection=number, peer="[2001:db8::1]:50000", bytes=1))
    journal.close(TIMEOUT_S)
    summed = sink.named("events_summed")
    assert len(sink.named("knocked")) + sum(event.count for event in summed) == 10
    assert summed[-1].address == "2001:db8::/64"


def test_sums_that_cannot_be_written_are_counted_as_what_they_stand_for() -> None:
    sink = FailingSink(accepts=1)
    journal = Journal(sink, service="test", per_second=1)
    for number in range(10):
        journal.emit(Knocked(connection=number, peer="192.0.2.1:50000", bytes=1))
    wait_until(partial(sink.has_failed, 1))
    sink.broken = False
    journal.emit(Happened(number=1))
    journal.close(TIMEOUT_S)
    missing = sum(event.count for event in sink.named("events_lost"))
    told = len(sink.named("knocked")) + sum(event.count for event in sink.named("events_summed"))
    assert missing + told == 10


def test_waiting_until_all_is_written() -> None:
    sink = BlockedSink()
    journal = Journal(sink, service="echo")
    journal.emit(Happened(number=1))
    journal.wait_until_written(0.01)
    assert not numbers(sink), "the sink is blocked, and the wait has an end"
    sink.let_go.set()
    journal.emit(Happened(number=2))
    journal.wait_until_written(TIMEOUT_S)
    assert numbers(sink) == [1, 2]
    assert len(sink.records) == 2, "nothing is written for the wait itself"
    journal.close(TIMEOUT_S)
