"""Measures what members of one chat have lived through: how soon they hear themselves and each other."""

from collections import defaultdict
from collections.abc import Sequence

from tests.support.transcript import Transcript


def measure_recovery(transcripts: Sequence[Transcript], healed_at_s: float) -> float:
    """Return after how many seconds all members had said something, after the last fault, that all had heard."""
    heard: dict[str, list[float]] = defaultdict(list)
    for each in transcripts:
        for one in each.heard:
            heard[one.line].append(one.at_s)
    slowest = 0.0
    for each in transcripts:
        ends = [
            max(heard[line])
            for one in each.sent
            if one.at_s >= healed_at_s
            for line in one.lines
            if len(heard[line]) == len(transcripts)
        ]
        slowest = max(slowest, min(ends, default=float("inf")) - healed_at_s)
    return slowest


def measure_echoes(transcripts: Sequence[Transcript]) -> list[float]:
    """Return after how many seconds senders have heard their own lines."""
    times = []
    for each in transcripts:
        sent = {line: one.at_s for one in each.sent for line in one.lines}
        times += [one.at_s - sent[one.line] for one in each.heard if one.line in sent]
    return times
