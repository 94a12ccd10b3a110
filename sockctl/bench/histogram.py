"""Latencies in buckets whose width grows with the value, so that millions take the room of some thousands.

The histogram keeps a latency in whole nanoseconds. Below 256 ns a bucket holds one value. Above, each power of two has
128 buckets, as in HdrHistogram. So a percentile is off by half a bucket at most, `ERROR` of its value. The smallest
latency, the largest and the mean are exact.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, Self

_BITS = 7
_STEPS = 1 << _BITS
ERROR = 1 / (2 * _STEPS)
"""The largest error of a percentile, as a part of its value."""
_MAX_NS = (1 << 43) - 1
"""Two and a half hours; a longer latency counts as this long."""
_BUCKETS = (43 - _BITS) * _STEPS + _STEPS
BANDS_NS = tuple(step * 10**power for power in range(3, 11) for step in (1, 2, 5))
"""The borders of the bands in which latencies are drawn: 1, 2, 5, 10, 20, 50 µs and so on."""


class Histogram:
    """Counts latencies by their length. Not thread-safe.

    Attributes:
        count: The number of latencies.
        total_s: Their sum in seconds.
    """

    __slots__ = ("_buckets", "_max_s", "_min_s", "_steps", "count", "total_s")

    def __init__(self) -> None:
        self._buckets = [0] * _BUCKETS
        self._steps: defaultdict[int, Counter[int]] = defaultdict(Counter)  # latencies by how wide a step is, in bits
        self.count = 0
        self.total_s = 0.0
        self._min_s = float("inf")
        self._max_s = 0.0

    def add(self, seconds: float, times: int = 1) -> None:
        """Count a latency `times` times."""
        self._buckets[_find_bucket(int(seconds * 1e9))] += times
        self.count += times
        self.total_s += seconds * times
        if seconds > self._max_s:  # noqa: PLR1730  a call of max() costs as much as all the rest
            self._max_s = seconds
        if seconds < self._min_s:  # noqa: PLR1730  as above
            self._min_s = seconds

    def add_since(self, now_ns: int, times_ns: Sequence[int]) -> None:
        """Count the latencies from each of these times until now, in a fraction of the time that `add` takes.

        They are counted in steps as wide as the bucket of the shortest of them, and put into buckets when someone asks.
        """
        if len(times_ns) <= 1:
            for time_ns in times_ns:
                self.add((now_ns - time_ns) / 1e9)
            return
        shortest_ns = now_ns - max(times_ns)
        step = max(0, shortest_ns.bit_length() - _BITS - 1) if shortest_ns > 0 else 0
        self._steps[step].update([now_ns - time_ns >> step for time_ns in times_ns])
        self.count += len(times_ns)
        self.total_s += (now_ns * len(times_ns) - sum(times_ns)) / 1e9
        self._max_s = max(self._max_s, (now_ns - min(times_ns)) / 1e9)
        self._min_s = min(self._min_s, shortest_ns / 1e9)

    def _fill(self) -> list[int]:
        """Return the buckets, with what was counted in steps."""
        for step, counts in self._steps.items():
            for number, times in counts.items():
                self._buckets[_find_bucket(number << step)] += times
        self._steps.clear()
        return self._buckets

    def merge(self, other: "Histogram") -> None:
        """Take all that is in another one."""
        for number, times in enumerate(other._fill()):
            if times:
                self._buckets[number] += times
        self.count += other.count
        self.total_s += other.total_s
        self._min_s = min(self._min_s, other._min_s)
        self._max_s = max(self._max_s, other._max_s)

    @property
    def min_s(self) -> float:
        """The smallest in seconds, 0 where there is none."""
        return self._min_s if self.count else 0.0

    @property
    def max_s(self) -> float:
        """The largest in seconds, 0 where there is none."""
        return self._max_s

    @property
    def mean_s(self) -> float:
        """The mean in seconds, 0 where there is none."""
        return self.total_s / self.count if self.count else 0.0

    def find_percentile_s(self, percent: float) -> float:
        """Return the latency in seconds that `percent` of them don't exceed (nearest rank), give or take `ERROR`."""
        rank = max(1, -int(-self.count * percent // 100))
        seen = 0
        for number, times in enumerate(self._fill()):
            seen += times
            if times and seen >= rank:
                return min(max(_find_middle_ns(number) / 1e9, self._min_s), self._max_s)
        return 0.0

    def list_bands(self, borders_ns: Sequence[int] = BANDS_NS) -> list[tuple[float, int]]:
        """Return how many fall below each border, and not below the one before: (border in seconds, count).

        Bands before the first and behind the last latency are left out. The last band takes all beyond it, too.
        """
        counts = [0] * len(borders_ns)
        band = 0
        for number, times in enumerate(self._fill()):
            if times:
                middle = _find_middle_ns(number)
                while band < len(borders_ns) - 1 and middle >= borders_ns[band]:
                    band += 1
                counts[band] += times
        filled = [number for number, count in enumerate(counts) if count]
        if not filled:
            return []
        return [(borders_ns[number] / 1e9, counts[number]) for number in range(filled[0], filled[-1] + 1)]

    def as_fields(self) -> dict[str, Any]:
        """Return what `from_fields` takes, as JSON has it."""
        buckets = [[number, times] for number, times in enumerate(self._fill()) if times]
        return {"buckets": buckets, "total_s": self.total_s, "min_s": self.min_s, "max_s": self._max_s}

    @classmethod
    def from_fields(cls, fields: dict[str, Any]) -> Self:
        """Return the histogram that was written as these fields."""
        one = cls()
        for number, times in fields["buckets"]:
            one._buckets[number] = times
            one.count += times
        one.total_s = fields["total_s"]
        if one.count:
            one._min_s, one._max_s = fields["min_s"], fields["max_s"]
        return one

    @classmethod
    def of(cls, latencies_s: Iterable[float]) -> Self:
        """Return a histogram of these."""
        one = cls()
        for each in latencies_s:
            one.add(each)
        return one


def _find_bucket(ns: int) -> int:
    """Return the bucket of a latency."""
    if ns < 2 * _STEPS:
        return max(ns, 0)
    shift = min(ns, _MAX_NS).bit_length() - _BITS - 1
    return (shift << _BITS) + (min(ns, _MAX_NS) >> shift)


def _find_middle_ns(bucket: int) -> float:
    """Return the value in the middle of a bucket."""
    if bucket < 2 * _STEPS:
        return bucket + 0.5
    shift = (bucket >> _BITS) - 1
    return ((bucket & (_STEPS - 1)) + _STEPS << shift) + (1 << shift) / 2
