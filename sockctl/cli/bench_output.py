"""Formats the result of a measurement: a table and bars."""

import statistics
from collections.abc import Iterator, Sequence
from typing import Any

from sockctl.bench.plan import Kind
from sockctl.bench.report import COMPARED
from sockctl.cli.look import Look
from sockctl.cli.tables import find_encoding, format_table
from sockctl.palette import Style
from sockctl.text import format_bytes, format_count, format_seconds

_BAR, _LONGEST_BAR = 30, 60
_BEFORE_BAR = 24
"""Columns in front of a bar, and one behind it."""
_STYLES = ((0.9, Style.NORMAL), (0.99, Style.WARNING), (1.0, Style.ERROR))
"""The style of a band of latencies, by the part of all latencies below which it begins."""
PERCENTILES = ("p50", "p90", "p99", "p99.9", "max")
_UNIT = {Kind.ECHO: "message", Kind.CHAT: "delivery", Kind.LOGIN: "login"}
_UNITS = {Kind.ECHO: "messages", Kind.CHAT: "deliveries", Kind.LOGIN: "logins"}
_NAMES = {"per_second": "rate", "p50": "latency p50", "p99": "latency p99"}
_MS_US, _S_US = 1e3, 1e6
_HINTS = {
    "closed": "Connections that end at once may be over a limit of the server's: see --max-clients and "
    "--max-clients-per-address of 'sockctl serve'.",
    "not_greeted": "The server is no message service: 'bench echo' measures servers that send back all they receive.",
    "password_asked": "This chat lets in only users who log in: start one without --auth.",
    "no_password": "The server lets in without a password: 'bench login' is for 'serve auth', or a chat with --auth.",
    "throttled": "The server lets nobody in for a while after passwords that were wrong.",
    "busy": "The server had as many logins in line as it takes: fewer --clients wait less.",
}
_CHANGED = (
    "The server doesn't send back what it receives. A server that changes the text can't be measured: start 'sockctl "
    "serve echo' without --transform. A message service can't, either: see 'bench chat' and 'bench login'."
)
_ECHO_HINTS = {"corrupt": _CHANGED, "extra": _CHANGED}
Fields = dict[str, Any]


def format_report(one: Fields, look: Look) -> Iterator[str]:
    """Yield the lines of a report's table."""
    kind = Kind(one["kind"])
    tls = " (TLS)" if one["tls"] else " (UDP)" if one["udp"] else ""
    yield look.fold(f"{kind} {one['target']}{tls}: {_describe_setting(one)}, {format_seconds(one['seconds'])}")
    yield f"{'datagrams' if one['udp'] else _UNITS[kind]:<11}{one['answered']:,} ({_format_rate(one['per_second'])}/s)"
    if kind is not Kind.LOGIN:
        yield f"{'bytes':<11}{format_bytes(one['bytes'])} ({format_bytes(int(one['bytes_per_second']))}/s)"
    if one["udp"]:
        line = look.fold(f"{'lost':<11}{_describe_loss(one)}")
        yield look.paint(line, Style.ERROR) if one["lost"] else line
    errors = _describe_errors({**one, "lost": 0} if one["udp"] else one)
    line = look.fold(f"{'errors':<11}{errors}")
    yield line if one["ok"] or errors == "none" else look.paint(line, Style.ERROR)
    if one["ok"] and one["servers"] > 1:
        yield look.fold(f"{'checked':<11}{_describe_checks(one)}")
    if one["latency_us"]:
        yield ""
        yield from _format_latencies(one, look)
        yield ""
        yield from _draw_bands(one["bands"], look)
    yield from map(look.fold, _make_remarks(one))


def format_comparison(both: Fields, look: Look) -> Iterator[str]:
    """Yield the lines of a comparison's table."""
    first, second = both["compare"]
    rounds = both["rounds"]
    setting = f"{format_count(len(rounds), 'round')} in turns: {_describe_setting(rounds[0][0])}"
    yield look.fold(f"{both['kind']}: {first} beside {second}, {setting}")
    titles = ("figure", first, second, "ratio", "lowest to highest")
    yield from _align([titles, *_compare(rounds, both["ratios"])], look)
    for number in (0, 1):
        worst = next((each[number] for each in rounds if not each[number]["ok"]), None)
        if worst is not None:
            yield look.paint(
                look.fold(f"{worst['target']}: {_describe_errors(worst)} in one of the rounds."), Style.ERROR
            )
            yield from map(look.fold, _list_hints(worst))
    limits = [one for each in rounds for one in each if one["own_limit"]]
    yield from map(look.fold, _warn_of_limit(limits[0]) if limits else ())
    if both["interrupted"]:
        yield look.fold("The comparison was interrupted: these are its complete rounds.")


def _compare(rounds: Sequence[Sequence[Fields]], ratios: Fields) -> Iterator[tuple[str, ...]]:
    """Yield the rows of a comparison: a name, the figures of both servers, the ratio and its spread."""
    for name in COMPARED:
        ratio = ratios[name]
        spread = (f"{ratio['median']:.2f}", f"{ratio['min']:.2f} to {ratio['max']:.2f}") if ratio else ("-", "")
        yield (_NAMES[name], *(_format_median([each[number] for each in rounds], name) for number in (0, 1)), *spread)
    yield ("errors", *(f"{sum(sum(each[n]['errors'].values()) for each in rounds):,}" for n in (0, 1)), "", "")


def _align(rows: list[tuple[str, ...]], look: Look) -> Iterator[str]:
    """Yield the lines of a table with right-aligned figures; records instead of a table that is too wide."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = []
    for name, *figures in rows:
        cells = [f"{cell:>{width}}" for cell, width in zip(figures, widths[1:], strict=True)]
        lines.append(f"{name:<{widths[0]}}  {'  '.join(cells)}".rstrip())
    if look.fits(*lines):
        yield from lines
        return
    titles, *others = rows
    yield format_table(titles, others, width=look.width or 0, colour=look.colour)


def _describe_checks(one: Fields) -> str:
    spread = f"{format_count(one['joined'], 'member')} of {format_count(one['servers'], 'server')}"
    return f"{spread}: all heard the same in one order, nothing lost, nothing repeated"


def _format_latencies(one: Fields, look: Look) -> Iterator[str]:
    """Yield a line of names and one of times, one of a chat's echoes; a line for each time if these are too long."""
    names = ("min", *PERCENTILES)
    rows = {"": one["latency_us"]} | ({"echo": one["echo_us"]} if one["echo_us"] else {})
    times = {title: [format_latency(row[name]) for name in names] for title, row in rows.items()}
    lines = ["latency    " + "".join(f"{name:>10}" for name in names)]
    lines += [f"{title:<11}" + "".join(f"{each:>10}" for each in row) for title, row in times.items()]
    if look.fits(*lines):
        yield from lines
        return
    for title, row in times.items():
        yield title or "latency"
        yield from (f"  {name:<5}  {each:>8}" for name, each in zip(names, row, strict=True))


def _describe_setting(one: Fields) -> str:
    parts = [format_count(one["clients"], "client")]
    if one["joined"] != one["clients"]:
        parts[0] += f" ({one['joined']:,} got in)"
    if one["senders"]:
        parts.append(format_count(one["senders"], "sender"))
    if one["depth"]:
        parts.append(f"{one['depth']:,} in flight each")
    if one["rate"]:
        parts.append(f"{one['rate']:,g}/s on a clock")
    if one["size_bytes"]:
        parts.append(format_count(one["size_bytes"], "byte"))
    return ", ".join(parts)


def _describe_loss(one: Fields) -> str:
    """Return what became of the datagrams that were not answered once, in order and in time."""
    share = 100 * one["lost"] / one["expected"] if one["expected"] else 0.0
    said = [f"{one['lost']:,} of {one['expected']:,} ({share:.3g} %)"]
    extra = (("out_of_order", "out of order"), ("duplicates", "twice"), ("late", "late"))
    return ", ".join([*said, *(f"{one[field]:,} {words}" for field, words in extra if one[field])])


def _describe_errors(one: Fields) -> str:
    said = [f"{count:,} {reason}" for reason, count in one["errors"].items()]
    if one["lost"]:
        kind = Kind(one["kind"])
        said.append(f"{format_count(one['lost'], _UNIT[kind], _UNITS[kind])} lost")
    if not said and not one["answered"]:
        return "nothing was measured"
    return ", ".join(said) or "none"


def _draw_bands(bands: Sequence[Fields], look: Look) -> Iterator[str]:
    """Yield a bar for each band; only an empty band has none.

    The bars of the quickest 90 % are cyan, those of the next 9 % yellow, and those of the rest red.
    """
    most = max(band["count"] for band in bands)
    total = sum(band["count"] for band in bands)
    longest = _BAR if look.width is None else min(_LONGEST_BAR, max(1, look.width - _BEFORE_BAR))
    block = "█" if find_encoding().lower().startswith("utf") else "#"
    before = 0
    for band in bands:
        count = band["count"]
        bar = block * (round(count / most * longest) or bool(count))
        style = next(style for part, style in _STYLES if before < part * total)
        share = f"{100 * count / total:>7.2f} %"
        yield f"  < {format_latency(band['below_us']):<8}{share}  {look.paint(bar, style)}".rstrip()
        before += count


def _make_remarks(one: Fields) -> Iterator[str]:
    yield from _list_hints(one)
    if one["held_back"]:
        yield "The server's flood limit held messages back: start it with --no-flood-limit to measure what it can."
    yield from _warn_of_limit(one)
    if one["interrupted"]:
        yield "The measurement was interrupted: these are its figures until then."


def _list_hints(one: Fields) -> list[str]:
    """Return what may have led to the errors, and what to do about it; each hint once."""
    hints = _HINTS | _ECHO_HINTS if one["kind"] == Kind.ECHO.value else _HINTS
    return list(dict.fromkeys(hints[reason] for reason in one["errors"] if reason in hints))


def _warn_of_limit(one: Fields) -> Iterator[str]:
    if one["unsent"]:
        yield (
            f"The tool fell behind its clock: {format_count(one['unsent'], 'message')} that should have gone out did "
            f"not, so the server had a lower rate. More --processes, or a lower --rate, may help."
        )
    elif one["own_limit"]:
        yield (
            f"The tool itself took {100 * min(1.0, one['own_cpu']):.0f} % of the processor time that its "
            f"{format_count(one['processes'], 'process', 'processes')} could take: it may have been the limit, and the "
            f"server faster than this. More --processes may show it."
        )


def _format_median(reports: Sequence[Fields], name: str) -> str:
    """Return the median of a figure; ``-`` for the latency of a server that has answered nothing."""
    if name == "per_second":
        return f"{_format_rate(statistics.median(one[name] for one in reports))}/s"
    latencies = [one["latency_us"][name] for one in reports if one["latency_us"]]
    return format_latency(statistics.median(latencies)) if latencies else "-"


def _format_rate(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:,.1f}"  # noqa: PLR2004  three digits say enough


def format_latency(us: float) -> str:
    """Return microseconds for people, with three digits at least."""
    if us < _MS_US:
        return f"{us:.0f} µs"
    return f"{us / _MS_US:.3g} ms" if us < _S_US else f"{us / _S_US:.3g} s"
