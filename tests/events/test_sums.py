"""Sums of what one address does too often: nothing is missing, whatever the clock does."""

from dataclasses import dataclass
from typing import ClassVar

from hypothesis import given
from hypothesis import strategies as st

from sockctl.events.base import ConnectionEvent, Record
from sockctl.events.sums import EventsSummed, EventSums


@dataclass(frozen=True, slots=True, kw_only=True)
class Knocked(ConnectionEvent):
    name: ClassVar[str] = "knocked"

    @property
    def text(self) -> str:
        return "Somebody knocked."


def knock(time: float, host: str = "192.0.2.1") -> Record:
    return Record(time, "test", Knocked(connection=1, peer=f"{host}:50000"))


def summed(records: list[Record]) -> list[tuple[str, int]]:
    return [(one.event.address, one.event.count) for one in records if isinstance(one.event, EventsSummed)]


def test_each_address_has_its_own() -> None:
    sums = EventSums("test", per_second=2)
    records = [knock(10.0, host) for _ in range(5) for host in ("192.0.2.1", "[::1]")]
    assert sums.compute_wait_s(10.0) is None
    assert sums.reduce([*records, knock(10.1, "192.0.2.3")], 10.2) == [*records[:4], knock(10.1, "192.0.2.3")]
    wait_s = sums.compute_wait_s(10.2)
    assert wait_s is not None
    assert 0.7 < wait_s < 0.9
    assert sums.reduce([], 10.9) == []
    assert summed(sums.reduce([], 11.0)) == [("192.0.2.1", 3), ("::1", 3)]
    assert sums.compute_wait_s(11.0) is None


def test_a_user_at_a_unix_socket_is_one_source() -> None:
    sums = EventSums("test", per_second=1)
    records = [
        Record(10.0, "test", Knocked(connection=1, peer=f"uid {uid} (x), pid {pid}"))
        for uid in (1, 2)
        for pid in (7, 8)
    ]
    assert len(sums.reduce(records, 10.2)) == 2
    assert summed(list(sums.close())) == [("uid 1 (x)", 1), ("uid 2 (x)", 1)]


def test_a_new_second_begins_anew_and_its_sum_stands_before_it() -> None:
    sums = EventSums("test", per_second=1)
    told = sums.reduce([knock(10.0), knock(10.5), knock(11.0), knock(10.9), knock(11.5)], 11.6)
    assert [one.event.name for one in told] == ["knocked", "events_summed", "knocked"]
    assert summed(told) == [("192.0.2.1", 1)]
    assert summed(list(sums.close())) == [("192.0.2.1", 2)]


@given(st.lists(st.tuples(st.floats(0, 1e6), st.sampled_from(["a", "b"]))), st.integers(1, 3), st.floats(0, 1e6))
def test_nothing_is_missing_whatever_the_clock_says(knocks: list[tuple[float, str]], limit: int, now: float) -> None:
    sums = EventSums("test", per_second=limit)
    told = sums.reduce([knock(*one) for one in knocks], now)
    assert (wait_s := sums.compute_wait_s(now)) is None or 0 <= wait_s <= 1
    told += sums.close()
    assert sum(isinstance(one.event, Knocked) for one in told) + sum(count for _, count in summed(told)) == len(knocks)
