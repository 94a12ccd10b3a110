import json
import re
from collections import Counter
from typing import Any

import pytest

from sockctl.bench import report as report_module
from sockctl.bench.coordinator import Outcome
from sockctl.bench.histogram import Histogram
from sockctl.bench.plan import Kind
from sockctl.bench.report import make_comparison, report
from sockctl.bench.stats import Stats
from sockctl.os_limits import count_usable_cores
from tests.support.bench import plan


def stats(**values: Any) -> Stats:
    fields: dict[str, Any] = {
        "latencies": Histogram.of([0.0001, 0.0002, 0.0003, 0.3]),
        "sent": 4,
        "expected": 4,
        "answered": 4,
        "bytes": 256,
        "clients": 4,
        "began": 10.0,
        "ended": 12.0,
        "cpu_s": 1.0,
        "cpu_of_s": 2.0,
    }
    return Stats(**{**fields, **values})


def test_every_field_is_described() -> None:
    fields = report(plan(), Outcome(stats(), interrupted=False), cores=2)
    described = re.findall(r"^    ([a-z_]+(?:, [a-z_]+)*)  ", str(report_module.__doc__), re.MULTILINE)
    names = {name for group in described for name in group.split(", ")} | {"bytes_per_second"}
    assert names == set(fields)
    assert json.loads(json.dumps(fields)) == fields


def test_figures() -> None:
    fields = report(plan(), Outcome(stats(), interrupted=False), cores=2)
    assert fields["ok"]
    assert (fields["seconds"], fields["per_second"], fields["bytes_per_second"]) == (2.0, 2.0, 128.0)
    assert fields["latency_us"]["max"] == 300_000
    assert fields["latency_us"]["p50"] == pytest.approx(200, rel=0.004)
    assert sum(band["count"] for band in fields["bands"]) == 4
    assert fields["bands"][-1] == {"below_us": 500_000, "count": 1}
    assert (fields["own_cpu"], fields["own_limit"]) == (0.5, False)


@pytest.mark.parametrize(
    ("values", "ok"),
    [
        ({"errors": Counter(reset=1)}, False),
        ({"expected": 5}, False),
        ({"answered": 0, "expected": 0, "latencies": Histogram()}, False),
        ({}, True),
    ],
)
def test_what_is_not_right_is_not_ok(values: dict[str, Any], ok: bool) -> None:
    assert report(plan(), Outcome(stats(**values), interrupted=False), cores=2)["ok"] is ok


def test_its_own_limit_depends_on_the_processors_that_there_are() -> None:
    busy = stats(cpu_s=1.9, cpu_of_s=4.0, processes=2)
    assert not report(plan(), Outcome(busy, interrupted=False), cores=2)["own_limit"]
    assert report(plan(), Outcome(busy, interrupted=False), cores=1)["own_limit"]
    assert not report(plan(), Outcome(stats(cpu_s=0.0, cpu_of_s=0.0), interrupted=False), cores=1)["own_limit"]
    assert count_usable_cores() >= 1


def test_fields_that_a_kind_has_not() -> None:
    login = report(plan(kind=Kind.LOGIN), Outcome(stats(), interrupted=True), cores=2)
    assert (login["size_bytes"], login["depth"], login["senders"], login["interrupted"]) == (None, None, None, True)
    on_a_clock = report(plan(rate=5.0), Outcome(stats(), interrupted=False), cores=2)
    assert (on_a_clock["loop"], on_a_clock["depth"], on_a_clock["rate"]) == ("open", None, 5.0)
    assert report(plan(kind=Kind.CHAT), Outcome(stats(), interrupted=False), cores=2)["senders"] == 1


def test_tallies_add_up_also_over_json() -> None:
    one = stats(errors=Counter(reset=1), held_back=2)
    one.merge(
        Stats.from_fields(json.loads(json.dumps(stats(errors=Counter(reset=1, closed=1), ended=13.0).as_fields())))
    )
    assert one.errors == {"reset": 2, "closed": 1}
    assert (one.answered, one.latencies.count, one.seconds, one.processes, one.held_back) == (8, 8, 3.0, 2, 2)


def test_ratios_with_their_spread() -> None:
    def rounds(*pairs: tuple[float, float]) -> Any:
        return [
            tuple(report(plan(), Outcome(stats(ended=10.0 + seconds), interrupted=False), cores=2) for seconds in pair)
            for pair in pairs
        ]

    both = make_comparison(rounds((1.0, 2.0), (1.0, 1.0), (1.0, 4.0)), interrupted=False)
    assert both["ratios"]["per_second"] == {"median": 2.0, "min": 1.0, "max": 4.0}
    assert both["ratios"]["p50"]["median"] == 1.0
    assert both["ok"]
    nothing = report(plan(), Outcome(Stats(), interrupted=True), cores=2)
    none = make_comparison([(nothing, nothing)], interrupted=True)
    assert none["ratios"] == {"per_second": None, "p50": None, "p99": None}
    assert none["interrupted"]
    assert not none["ok"]
