"""When messages may go out, and how they are counted."""

import pytest

from sockctl.bench.pacing import Pacing
from sockctl.bench.stats import Stats
from tests.support.bench import plan


def test_a_pace_counts_what_is_measured_only() -> None:
    stats = Stats()
    pace = Pacing(plan(count=10, warm_up_s=1.0, duration_s=5.0), stats)
    pace.answers = 3
    assert pace.grant(5, 0.0) == 0, "nothing before the start"
    pace.start(100.0)
    assert pace.grant(5, 100.5) == 5
    assert stats.sent == 0
    assert pace.grant(8, 101.0) == 8
    assert pace.grant(8, 102.0) == 2
    assert (stats.sent, stats.expected) == (10, 30)
    assert pace.is_over(102.0)
    assert pace.grant(1, 106.0) == 0
    assert list(pace.pop_due(105.0)) == []


def test_a_clock_says_when_each_was_due() -> None:
    stats = Stats()
    pace = Pacing(plan(rate=10.0, duration_s=0.35, offset_s=0.01), stats)
    assert pace.unsent == 0, "nothing is due before it starts"
    pace.start(100.0)
    assert list(pace.pop_due(100.0)) == []
    assert pace.compute_wait_s(100.0) == pytest.approx(0.01)
    assert list(pace.pop_due(100.25)) == pytest.approx([100.01, 100.11, 100.21])
    assert list(pace.pop_due(200.0)) == pytest.approx([100.31]), "what was due after the end is not sent"
    assert stats.sent == 4
    assert pace.unsent == 0


@pytest.mark.parametrize("rate", [0.7, 500.0, 333.3, 4_999.0])
@pytest.mark.parametrize("start", [0.0, 100.1, 123_456.789])
def test_what_was_due_and_not_sent_is_known(rate: float, start: float) -> None:
    stats = Stats()
    pace = Pacing(plan(rate=rate, duration_s=0.2, warm_up_s=0.1), stats)
    pace.start(start)
    list(pace.pop_due(start + 0.15))
    missing, sent = pace.unsent, stats.sent
    list(pace.pop_due(start + 1.0))
    assert stats.sent == sent + missing
    assert pace.unsent == 0
    counted = Pacing(plan(rate=500.0, duration_s=0.2, count=2), Stats())
    counted.start(start)
    assert counted.unsent == 2
