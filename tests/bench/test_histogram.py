import json
import math
import random
from collections.abc import Sequence

import pytest

from sockctl.bench.histogram import ERROR, Histogram

RANDOM = random.Random(7)
SAMPLES: dict[str, list[float]] = {
    "echo": [RANDOM.lognormvariate(-9, 0.5) for _ in range(20_000)],
    "wide": [RANDOM.lognormvariate(-6, 3) for _ in range(20_000)],
    "stalls": [RANDOM.choice([50e-6] * 9 + [1.0]) * RANDOM.uniform(0.5, 1) for _ in range(5_000)],
    "even": [number / 1e6 for number in range(1, 1_001)],
    "ticks": [number * 1e-9 for number in range(300)],
    "same": [0.001] * 10,
    "one": [0.25],
}


def exact(samples: Sequence[float], percent: float) -> float:
    """Return the percentile by nearest rank."""
    return sorted(samples)[max(1, math.ceil(len(samples) * percent / 100)) - 1]


@pytest.mark.parametrize("name", SAMPLES)
@pytest.mark.parametrize("percent", [0, 1, 50, 90, 99, 99.9, 100])
def test_percentiles_beside_exact_ones(name: str, percent: float) -> None:
    told = Histogram.of(SAMPLES[name]).find_percentile_s(percent)
    assert told == pytest.approx(exact(SAMPLES[name], percent), rel=ERROR, abs=1e-9)


@pytest.mark.parametrize("name", SAMPLES)
def test_extremes_and_mean_are_exact(name: str) -> None:
    samples = SAMPLES[name]
    one = Histogram.of(samples)
    assert (one.count, one.min_s, one.max_s) == (len(samples), min(samples), max(samples))
    assert one.mean_s == pytest.approx(sum(samples) / len(samples))


def test_parts_add_up_to_the_whole_also_over_json() -> None:
    whole = Histogram.of(SAMPLES["wide"])
    one, other = Histogram.of(SAMPLES["wide"][:7_000]), Histogram.of(SAMPLES["wide"][7_000:])
    one.merge(Histogram.from_fields(json.loads(json.dumps(other.as_fields()))))
    for percent in (1, 50, 99, 100):
        assert one.find_percentile_s(percent) == whole.find_percentile_s(percent)
    assert (one.count, one.min_s, one.max_s) == (whole.count, whole.min_s, whole.max_s)


def test_several_at_once() -> None:
    one = Histogram()
    one.add(0.001, 16)
    one.add(0.002)
    assert one.find_percentile_s(50) == pytest.approx(0.001, rel=ERROR)
    assert (one.count, one.max_s) == (17, 0.002)


def test_none() -> None:
    one = Histogram.from_fields(Histogram().as_fields())
    assert (one.count, one.min_s, one.max_s, one.mean_s, one.find_percentile_s(50)) == (0, 0, 0, 0, 0)
    assert one.list_bands() == []


def test_what_is_longer_than_anything_has_its_place() -> None:
    one = Histogram.of([1e6, 0.0, -1e-9])
    assert one.max_s == 1e6
    assert one.find_percentile_s(100) > 8_000
    assert one.find_percentile_s(1) <= 1e-9


def test_bands_hold_all_and_leave_out_the_empty_ends() -> None:
    one = Histogram.of([15e-6, 15e-6, 300e-6, 3_000.0])
    bands = one.list_bands()
    assert bands[0] == (20e-6, 2)
    assert (500e-6, 1) in bands
    assert (50e-6, 0) in bands
    assert bands[-1][1] == 1
    assert sum(count for _, count in bands) == 4


def test_many_at_once_count_as_each_alone() -> None:
    now_ns = 10**13
    latencies_ns = [0, 1, 255, 256, 257, 1_000, 12_345_678, 12_399_999, 5 * 10**9, 9 * 10**12]
    for some in (latencies_ns, latencies_ns[3:], latencies_ns[6:8], latencies_ns[-1:], []):
        together = Histogram()
        together.add_since(now_ns, [now_ns - each for each in some])
        alone = Histogram.of(each / 1e9 for each in some)
        assert together.as_fields()["buckets"] == alone.as_fields()["buckets"]
        assert (together.min_s, together.max_s) == pytest.approx((alone.min_s, alone.max_s))
        assert together.total_s == pytest.approx(alone.total_s)
        assert together.count == len(some)
    together.add_since(now_ns, [now_ns + 5])
    assert together.find_percentile_s(50) == 0.0, "a clock that went back is no latency"
