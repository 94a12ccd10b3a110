"""The server's events at a console: kept, shown or not."""

from collections.abc import Sequence

from sockctl.cli.console_events import MAX_KEPT, MAX_KEPT_BYTES, EventRing, EventSink, format_rows
from sockctl.events.base import Event, Record
from sockctl.events.chat import ChatUnkept, MemberCame
from sockctl.events.server import ServerStopped
from tests.support.running import MemorySink

CAME = Record(0.0, "chat", MemberCame(connection=1, peer="192.0.2.1:5", who="ann"))
STOPPED = Record(1.0, "chat", ServerStopped(seconds=1.0, clients=1, bytes_in=1, bytes_out=1))
FAILED = Record(2.0, "chat", ChatUnkept(error="full", messages=1))


class _Large(Event):
    @property
    def held_bytes(self) -> int:
        return MAX_KEPT_BYTES // 2

    @property
    def happened(self) -> str:
        return "Much happened."


def test_which_events_are_shown() -> None:
    ring = EventRing()
    assert not ring.add(CAME)
    assert ring.add(FAILED)
    ring.begin(on=True)
    assert ring.add(CAME)
    assert ring.hush()
    assert not ring.shows(CAME.event), "one that waits to be shown, too"
    assert not ring.add(CAME)
    assert not ring.hush()
    ring.turn(on=True)
    assert ring.add(CAME)
    ring.turn(on=False)
    assert not ring.add(STOPPED)
    ring.note_stop()
    assert ring.add(STOPPED)
    assert not ring.add(CAME)


def test_what_the_operator_has_chosen_stays() -> None:
    ring = EventRing()
    ring.begin(on=True)
    ring.turn(on=True)
    assert not ring.hush()
    assert ring.is_on


def test_the_last_events_are_kept() -> None:
    ring = EventRing()
    for number in range(MAX_KEPT + 5):
        ring.add(CAME._replace(time=float(number)))
    assert [one.time for one in ring.list_last(2)] == [MAX_KEPT + 3, MAX_KEPT + 4]
    assert len(ring.list_last(10 * MAX_KEPT)) == MAX_KEPT
    for _ in range(5):
        ring.add(Record(0.0, "chat", _Large()))
    assert len(ring.list_last(MAX_KEPT)) == 2


def test_where_events_go() -> None:
    shown: list[Record] = []
    is_open = False

    def show(records: Sequence[Record]) -> bool:
        if is_open:
            shown.extend(records)
        return is_open

    ring = EventRing()
    ring.begin(on=True)
    screen, file = MemorySink(), MemorySink()
    EventSink(ring, screen, is_screen=True, show=show).write([CAME])
    EventSink(ring, file, is_screen=False, show=show).write([CAME])
    assert (screen.records, file.records, shown) == ([CAME], [CAME], [])
    is_open = True
    EventSink(ring, screen, is_screen=True, show=show).write([CAME])
    EventSink(ring, file, is_screen=False, show=show).write([CAME])
    assert (screen.records, file.records, shown) == ([CAME], [CAME] * 2, [CAME] * 2)
    ring.turn(on=False)
    EventSink(ring, screen, is_screen=True, show=show).write([CAME, FAILED])
    assert (screen.records, shown) == ([CAME], [CAME, CAME, FAILED])


def test_rows_of_events() -> None:
    assert format_rows([CAME, FAILED], lambda record: "" if record is CAME else "a\n  b") == ["a", "  b"]
