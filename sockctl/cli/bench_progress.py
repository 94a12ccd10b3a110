"""The line on standard error that grows while a measurement runs."""

from sockctl.bench.coordinator import Progress
from sockctl.bench.plan import Kind, Plan
from sockctl.cli.bench_output import format_latency
from sockctl.terminal import STDERR, measure_columns, say
from sockctl.text import format_count

BAR = 30
_LEAST_BAR = 5


class ProgressLine:
    """One line on standard error, drawn again and again.

    Args:
        plan: What is measured.
        label: The text in front.
    """

    def __init__(self, plan: Plan, label: str) -> None:
        self._plan = plan
        self._label = f"{label}{plan.target}"
        self._width = 0

    def show(self, progress: Progress) -> None:
        """Draw the line over the last one."""
        width = measure_columns(STDERR) - 1  # a full line would begin the next
        line = format_progress(self._plan, self._label, progress, width)
        say(f"\r{line:<{self._width}}", end="")
        self._width = max(self._width, len(line))

    def clear(self) -> None:
        """Erase the line."""
        if self._width:
            say(f"\r{' ' * self._width}\r", end="")


def format_progress(plan: Plan, label: str, progress: Progress, width: int) -> str:
    """Return the line in `width` columns: the label and a bar if there is room, and the figures."""
    measured_s = max(0.0, progress.seconds - plan.warm_up_s)
    rate = progress.answered / measured_s if measured_s > 0 else 0.0
    figures = f"{progress.seconds:.1f} s, {rate:,.0f}/s"
    if progress.p99_s:
        figures += f", p99 {format_latency(progress.p99_s * 1e6)}"
    if progress.errors:
        figures += f", {format_count(progress.errors, 'error')}"
    room = width - len(figures) - len(label) - len(" [] ")
    if room >= _LEAST_BAR:
        bar = min(room, BAR)
        return f"{label} [{'#' * round(_compute_part_done(plan, progress, measured_s) * bar):<{bar}}] {figures}"
    return (f"{label} {figures}" if room >= -len("[] ") else figures)[:width]


def _compute_part_done(plan: Plan, progress: Progress, measured_s: float) -> float:
    done = 0.0
    if plan.duration_s:
        done = measured_s / plan.duration_s
    if plan.count:
        done = max(done, progress.answered / (plan.count * (plan.clients if plan.kind is Kind.CHAT else 1)))
    return min(1.0, done)
