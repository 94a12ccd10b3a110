"""How a measurement looks: a line that grows while it runs, and the table and the bars at its end."""

import shutil
import statistics
import sys
from collections.abc import Iterator, Sequence
from typing import Any

from sockctl.bench.coordinator import Progress
from sockctl.bench.plan import Kind, Plan
from sockctl.bench.report import COMPARED
from sockctl.terminal import say
from sockctl.text import format_bytes, format_seconds, plural

BAR = 30
PERCENTILES = ("p50", "p90", "p99", "p99.9", "max")
_UNIT = {Kind.ECHO: "message", Kind.CHAT: "delivery", Kind.LOGIN: "login"}
_UNITS = {Kind.ECHO: "messages", Kind.CHAT: "deliveries", Kind.LOGIN: "logins"}
_NAMES = {"per_second": "rate", "p50": "latency p50", "p99": "latency p99"}
_MS_US, _S_US = 1e3, 1e6
_HINTS = {
    "closed": "Connections that end at once may be over a limit of the server's: see --max-clients and "
    "--max-clients-per-address of 'sockctl serve'.",
    "not_greeted": "It is no message service: 'bench echo' measures what sends back what it gets.",
    "password_asked": "This chat lets in only users who log in: start one without --auth.",
    "no_password": "The server lets in without a password: 'bench login' is for 'serve auth', or a chat with --auth.",
    "throttled": "The server lets nobody in for a while after passwords that were wrong.",
    "busy": "The server had as many logins in line as it takes: fewer --clients wait less.",
}
Fields = dict[str, Any]


class ProgressLine:
    """One line on standard error, drawn again and again.

    Args:
        plan: What is measured.
        label: What stands in front.
    """

    def __init__(self, plan: Plan, label: str) -> None:
        self._plan = plan
        self._label = f"{label}{plan.where.name}"
        self._width = 0

    def show(self, progress: Progress) -> None:
        """Draw it."""
        plan = self._plan
        measured_s = max(0.0, progress.seconds - plan.warm_up_s)
        done = 0.0
        if plan.duration_s:
            done = measured_s / plan.duration_s
        if plan.count:
            done = max(done, progress.answered / (plan.count * (plan.clients if plan.kind is Kind.CHAT else 1)))
        rate = progress.answered / measured_s if measured_s > 0 else 0.0
        text = f"{self._label} [{_bar(min(1.0, done), '#'):<{BAR}}] {progress.seconds:.1f} s, {rate:,.0f}/s"
        if progress.errors:
            text += f", {plural(progress.errors, 'error')}"
        text = text[: shutil.get_terminal_size().columns - 1]  # a longer one would go on in the next line each time
        say(f"\r{text:<{self._width}}", end="")
        self._width = max(self._width, len(text))

    def clear(self) -> None:
        """Take it away."""
        if self._width:
            say(f"\r{' ' * self._width}\r", end="")


def report_lines(one: Fields) -> Iterator[str]:
    """Yield the lines of a report's table."""
    kind = Kind(one["kind"])
    yield f"{kind} {one['target']}{' (TLS)' if one['tls'] else ''}: {_setting(one)}, {format_seconds(one['seconds'])}"
    yield f"{_UNITS[kind]:<11}{one['answered']:,} ({_rate(one['per_second'])}/s)"
    if kind is not Kind.LOGIN:
        yield f"{'bytes':<11}{format_bytes(one['bytes'])} ({format_bytes(int(one['bytes_per_second']))}/s)"
    yield f"{'errors':<11}{_errors(one)}"
    if one["latency_us"]:
        yield ""
        names = ("min", *PERCENTILES)
        yield "latency    " + "".join(f"{name:>10}" for name in names)
        yield "           " + "".join(f"{_time(one['latency_us'][name]):>10}" for name in names)
        yield ""
        yield from _bands(one)
    yield from _remarks(one)


def comparison_lines(both: Fields) -> Iterator[str]:
    """Yield the lines of a comparison's table."""
    first, second = both["compare"]
    rounds = both["rounds"]
    yield f"{both['kind']}: {first} beside {second}, {plural(len(rounds), 'round')} in turns: {_setting(rounds[0][0])}"
    yield f"{'':<14}{first:>22}{second:>22}{'ratio':>9}   (lowest to highest)"
    for name in COMPARED:
        shown = [_median([each[number] for each in rounds], name) for number in (0, 1)]
        ratio = both["ratios"][name]
        spread = f"{ratio['median']:>9.2f}   ({ratio['min']:.2f} to {ratio['max']:.2f})" if ratio else f"{'-':>9}"
        yield f"{_NAMES[name]:<14}{shown[0]:>22}{shown[1]:>22}{spread}"
    yield f"{'errors':<14}" + "".join(f"{sum(sum(each[n]['errors'].values()) for each in rounds):>22,}" for n in (0, 1))
    for number in (0, 1):
        worst = next((each[number] for each in rounds if not each[number]["ok"]), None)
        if worst is not None:
            yield f"{worst['target']}: {_errors(worst)} in one of the rounds."
    limits = [one for each in rounds for one in each if one["own_limit"]]
    yield from _limit(limits[0]) if limits else ()
    if both["interrupted"]:
        yield "It was interrupted: these are the rounds that were measured until then."


def _setting(one: Fields) -> str:
    parts = [plural(one["clients"], "client")]
    if one["joined"] != one["clients"]:
        parts[0] += f" ({one['joined']:,} got in)"
    if one["senders"]:
        parts.append(plural(one["senders"], "sender"))
    if one["depth"]:
        parts.append(f"{one['depth']:,} in flight each")
    if one["rate"]:
        parts.append(f"{one['rate']:,g}/s on a clock")
    if one["size_bytes"]:
        parts.append(plural(one["size_bytes"], "byte"))
    return ", ".join(parts)


def _errors(one: Fields) -> str:
    said = [f"{count:,} {reason}" for reason, count in one["errors"].items()]
    if one["lost"]:
        kind = Kind(one["kind"])
        said.append(f"{plural(one['lost'], _UNIT[kind], _UNITS[kind])} lost")
    if not said and not one["answered"]:
        return "nothing was measured"
    return ", ".join(said) or "none"


def _bands(one: Fields) -> Iterator[str]:
    """Yield a bar for each band; one that holds something is never without."""
    bands = one["bands"]
    most = max(band["count"] for band in bands)
    total = sum(band["count"] for band in bands)
    block = "█" if (sys.stdout.encoding or "").lower().startswith("utf") else "#"
    for band in bands:
        bar = _bar(band["count"] / most, block) or (block if band["count"] else "")
        yield f"  < {_time(band['below_us']):<8}{100 * band['count'] / total:>7.2f} %  {bar}".rstrip()


def _remarks(one: Fields) -> Iterator[str]:
    yield from (_HINTS[reason] for reason in one["errors"] if reason in _HINTS)
    if one["held_back"]:
        yield "The server's flood limit held messages back: start it with --no-flood-limit to measure what it can."
    yield from _limit(one)
    if one["interrupted"]:
        yield "It was interrupted: this is what was measured until then."


def _limit(one: Fields) -> Iterator[str]:
    if one["unsent"]:
        yield (
            f"The tool fell behind its clock: {plural(one['unsent'], 'message')} that should have gone out did not, so "
            f"the server had a lower rate. More --processes, or a lower --rate, may help."
        )
    elif one["own_limit"]:
        yield (
            f"The tool itself took {100 * min(1.0, one['own_cpu']):.0f} % of the processor time that its "
            f"{plural(one['processes'], 'process', 'processes')} could take: it may have been the limit, and the "
            f"server faster than this. More --processes may show it."
        )


def _median(reports: Sequence[Fields], name: str) -> str:
    """Return the median of a figure; a server that has answered nothing has no latency."""
    if name == "per_second":
        return f"{_rate(statistics.median(one[name] for one in reports))}/s"
    latencies = [one["latency_us"][name] for one in reports if one["latency_us"]]
    return _time(statistics.median(latencies)) if latencies else "-"


def _bar(part: float, block: str) -> str:
    return block * round(part * BAR)


def _rate(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:,.1f}"  # noqa: PLR2004  three digits say enough


def _time(us: float) -> str:
    if us < _MS_US:
        return f"{us:.0f} µs"
    return f"{us / _MS_US:.3g} ms" if us < _S_US else f"{us / _S_US:.3g} s"
