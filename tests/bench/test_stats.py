"""What processes have counted, added up and handed over."""

import json

from sockctl.bench.stats import Stats


def counted() -> Stats:
    stats = Stats(sent=5, expected=5, clients=2, began=100.0, cpu_s=0.5, cpu_of_s=1.0)
    stats.answer(0.010, 101.0, 64)
    stats.answer(0.020, 102.0, 64, times=3)
    stats.errors["reset"] += 1
    return stats


def test_what_was_answered() -> None:
    stats = counted()
    assert (stats.answered, stats.bytes, stats.ended, stats.lost) == (4, 256, 102.0, 1)
    assert stats.latencies.count == 4
    assert stats.seconds == 2.0


def test_nothing_was_measured() -> None:
    stats = Stats(began=100.0)
    assert stats.seconds == 0.0
    assert stats.lost == 0


def test_more_answers_than_were_expected_are_none_lost() -> None:
    stats = counted()
    stats.expected = 3
    assert stats.lost == 0


def test_several_processes_are_added_up() -> None:
    total, other = counted(), counted()
    other.began, other.ended = 99.0, 105.0
    other.errors["timeout"] += 2
    total.merge(other)
    assert (total.sent, total.answered, total.bytes, total.clients, total.processes) == (10, 8, 512, 4, 2)
    assert total.errors == {"reset": 2, "timeout": 2}
    assert total.seconds == 6.0, "from the first beginning to the last end"
    assert total.latencies.count == 8
    assert total.cpu_s == 1.0


def test_stats_are_handed_over_as_json() -> None:
    stats = counted()
    again = Stats.from_fields(json.loads(json.dumps(stats.as_fields())))
    assert again.as_fields() == stats.as_fields()
    again.merge(counted())
    assert again.answered == 8
