"""Events up to a rate, and sums of those beyond."""

from collections import Counter

from sockctl.events.rate_limit import EventRateLimit
from sockctl.token_bucket import TokenBucket


class Stage:
    def __init__(self, *, burst: int = 2) -> None:
        self.said: list[object] = []
        rate = TokenBucket(rate=burst, burst=burst)
        self.limit: EventRateLimit[Counter[str]] = EventRateLimit(rate, Counter, self._emit_sum)

    def add(self, name: str, now: float) -> None:
        total = self.limit.find_sum(now)
        if total is None:
            self.said.append(name)
        else:
            total[name] += 1

    def _emit_sum(self, total: Counter[str], seconds: float) -> None:
        self.said.append((dict(total), seconds))


def test_events_beyond_the_rate_become_a_sum_that_is_due_after_a_second() -> None:
    stage = Stage()
    for name in "abcd":
        stage.add(name, 100.0)
    assert stage.limit.due_at == 101.0
    stage.limit.emit_sum(100.9)
    assert stage.said == ["a", "b"]
    stage.limit.emit_sum(101.5)
    assert stage.said == ["a", "b", ({"c": 1, "d": 1}, 1.5)]
    assert stage.limit.due_at is None


def test_no_event_overtakes_the_sum() -> None:
    stage = Stage()
    for name in "abc":
        stage.add(name, 100.0)
    stage.add("d", 100.9)  # the bucket has a token again
    stage.limit.emit_sum(101.0)
    stage.add("e", 101.0)
    assert stage.said == ["a", "b", ({"c": 1, "d": 1}, 1.0), "e"]


def test_the_end_emits_a_sum_before_it_is_due_and_only_once() -> None:
    stage = Stage(burst=1)
    for name in "ab":
        stage.add(name, 100.0)
    for _ in range(2):
        stage.limit.emit_sum(100.25, ending=True)
    assert stage.said == ["a", ({"b": 1}, 0.25)]


def test_without_a_sum_nothing_is_emitted() -> None:
    stage = Stage()
    stage.add("a", 100.0)
    stage.limit.emit_sum(200.0, ending=True)
    assert stage.said == ["a"]
