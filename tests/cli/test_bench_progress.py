"""The line that grows while ``sockctl bench`` measures."""

import os

import pytest

from sockctl.bench.coordinator import Progress
from sockctl.bench.plan import Kind
from sockctl.cli.bench_progress import ProgressLine, format_progress
from tests.support.bench import plan

LABEL = "round 1 of 2, server.example:9090"
SOME = Progress(1.5, 60_000, 2, p99_s=0.000_31)


@pytest.mark.parametrize(
    ("width", "line"),
    [
        (200, f"{LABEL} [{'#' * 15}{' ' * 15}] 1.5 s, 40,000/s, p99 310 µs, 2 errors"),
        (80, f"{LABEL} [###   ] 1.5 s, 40,000/s, p99 310 µs, 2 errors"),
        (74, f"{LABEL} 1.5 s, 40,000/s, p99 310 µs, 2 errors"),
        (40, "1.5 s, 40,000/s, p99 310 µs, 2 errors"),
        (20, "1.5 s, 40,000/s, p99"),
    ],
)
def test_figures_go_before_the_bar_and_the_label(width: int, line: str) -> None:
    assert format_progress(plan(duration_s=3.0), LABEL, SOME, width) == line


def test_no_latency_where_nothing_was_answered() -> None:
    assert format_progress(plan(), "x", Progress(0.5, 0, 0), 40).endswith("] 0.5 s, 0/s")


def test_a_progress_line_covers_the_one_before(capfd: pytest.CaptureFixture[str]) -> None:
    line = ProgressLine(plan(kind=Kind.CHAT, count=100, duration_s=None, warm_up_s=1.0), "round 1 of 2, ")
    line.clear()
    line.show(Progress(0.5, 0, 1))
    line.show(Progress(2.0, 200, 0))
    line.clear()
    drawn = capfd.readouterr().err.split("\r")
    assert drawn[1].startswith("round 1 of 2, 127.0.0.1:1 [")
    assert drawn[1].endswith("0.5 s, 0/s, 1 error")
    assert "#" * 15 in drawn[2]
    assert "200/s" in drawn[2]
    assert len(drawn[2]) == len(drawn[3]) == len(drawn[1])
    assert os.linesep not in "".join(drawn)
