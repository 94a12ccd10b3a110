"""How the result of ``sockctl bench`` looks, in a pipe and on terminals of any width."""

import re
from collections import Counter
from typing import Any

import pytest

from sockctl.bench.coordinator import Outcome
from sockctl.bench.histogram import Histogram
from sockctl.bench.plan import Kind
from sockctl.bench.report import make_comparison, report
from sockctl.bench.stats import Stats
from sockctl.cli.bench_output import format_comparison, format_report
from sockctl.cli.look import Look
from tests.support.bench import plan, where
from tests.support.screens import WIDTHS, check_screen


def fields(kind: Kind = Kind.ECHO, *, interrupted: bool = False, **values: Any) -> dict[str, Any]:
    stats = Stats(
        latencies=Histogram.of([0.0001] * 98 + [0.002, 3.0]),
        sent=100,
        expected=100,
        answered=100,
        bytes=6_400,
        clients=4,
        began=10.0,
        ended=12.0,
        cpu_s=1.0,
        cpu_of_s=2.0,
    )
    for name, value in values.items():
        setattr(stats, name, value)
    return report(plan(kind=kind), Outcome(stats, interrupted=interrupted), cores=2)


def test_bars_and_times() -> None:
    lines = list(format_report(fields(), Look()))
    assert lines[1] == "messages   100 (50.0/s)"
    assert any("100 µs" in line and "3 s" in line for line in lines)
    bars = [line for line in lines if line.startswith("  <")]
    assert bars[0].endswith("█" * 30)
    assert bars[-1].endswith("1.00 %  █"), "what is there is never without a bar"
    assert "< 5 ms" in bars[4]


@pytest.mark.parametrize(
    ("kind", "values", "says"),
    [
        (Kind.ECHO, {"cpu_s": 2.0}, "The tool itself took 100 % of the processor time that its 1 process could take"),
        (Kind.ECHO, {"clients": 3, "errors": {"closed": 1}}, "4 clients (3 got in)"),
        (Kind.ECHO, {"errors": {"closed": 1}}, "--max-clients-per-address"),
        (Kind.CHAT, {"held_back": 3}, "--no-flood-limit"),
        (Kind.CHAT, {"expected": 101}, "1 delivery lost"),
        (Kind.LOGIN, {"expected": 102}, "2 logins lost"),
        (Kind.ECHO, {"answered": 0, "expected": 0, "latencies": Histogram()}, "nothing was measured"),
    ],
)
def test_remarks(kind: Kind, values: dict[str, Any], says: str) -> None:
    if "errors" in values:
        values = {**values, "errors": Counter(values["errors"])}
    assert says in "\n".join(format_report(fields(kind, **values), Look()))


def test_a_tool_that_falls_behind_its_clock_says_so() -> None:
    one = fields(unsent=1_000)
    assert one["own_limit"]
    assert "1,000 messages that should have gone out did not" in "\n".join(format_report(one, Look()))


def test_an_interrupted_one_says_so() -> None:
    assert "interrupted" in "\n".join(format_report(fields(interrupted=True), Look()))


def test_a_comparison_tells_errors_and_limits() -> None:
    text = "\n".join(
        format_comparison(make_comparison([(fields(cpu_s=2.0), fields(expected=104))], interrupted=True), Look())
    )
    assert "1 round in turns" in text
    assert "4 messages lost in one of the rounds" in text
    assert "The tool itself" in text
    assert "The comparison was interrupted: these are its complete rounds." in text
    nothing = fields(answered=0, latencies=Histogram())
    lines = list(format_comparison(make_comparison([(fields(), nothing)] * 2, interrupted=False), Look()))
    assert lines[3].split() == ["latency", "p50", "100", "µs", "-", "-"]


def test_a_comparison_shows_medians() -> None:
    rounds = [(fields(ended=10.0 + seconds), fields()) for seconds in (1.0, 2.0, 4.0, 5.0)]
    text = "\n".join(format_comparison(make_comparison(rounds, interrupted=False), Look()))
    middle = (rounds[1][0]["per_second"] + rounds[2][0]["per_second"]) / 2
    assert f" {middle:,.1f}/s " in text


# On a terminal.

COLOUR = re.compile("\x1b\\[[0-9]*m")


@pytest.mark.parametrize("colour", [False, True])
@pytest.mark.parametrize("width", WIDTHS)
def test_every_line_fits(width: int, colour: bool) -> None:
    one = fields(cpu_s=2.0, expected=104, errors=Counter(closed=3))
    both = make_comparison([(one, fields())] * 2, interrupted=True)
    look = Look(width=width, colour=colour)
    text = "\n".join((*format_report(one, look), *format_comparison(both, look)))
    assert all(len(line) <= width for line in COLOUR.sub("", text).split("\n"))
    assert ("\x1b" in text) is colour


def test_a_narrow_terminal_has_a_line_for_each_latency() -> None:
    lines = list(format_report(fields(), Look(width=40)))
    at = lines.index("latency")
    assert [line.split()[0] for line in lines[at + 1 : at + 7]] == ["min", "p50", "p90", "p99", "p99.9", "max"]
    assert lines[at + 2] == "  p50      100 µs"
    assert lines[0].startswith("echo 127.0.0.1:1: 4 clients, 1 in flight\n")


def chat_fields(*ports: int, **values: Any) -> dict[str, Any]:
    stats = Stats(
        latencies=Histogram.of([0.0001, 0.002]),
        echoes=Histogram.of([0.00005]),
        sent=1,
        expected=2,
        answered=2,
        clients=2,
        began=10.0,
        ended=12.0,
    )
    for name, value in values.items():
        setattr(stats, name, value)
    several = plan(kind=Kind.CHAT, servers=tuple(map(where, ports)))
    return report(several, Outcome(stats, interrupted=False), cores=2)


def test_a_chat_on_several_servers_tells_what_was_checked_and_the_echo() -> None:
    lines = list(format_report(chat_fields(1, 2), Look()))
    assert lines[0].startswith("chat 127.0.0.1:1,127.0.0.1:2: 4 clients (2 got in), 1 sender")
    assert lines[4] == (
        "checked    2 members of 2 servers: all heard the same in one order, nothing lost, nothing repeated"
    )
    times = [line.split()[0] for line in lines[6:9]]
    assert times == ["latency", "100", "echo"]
    assert not any("checked" in line for line in format_report(chat_fields(1), Look())), "one server is as before"
    wrong = "\n".join(format_report(chat_fields(1, 2, errors=Counter(reordered=1), expected=4), Look()))
    assert "errors     1 reordered, 2 deliveries lost" in wrong
    assert "checked" not in wrong


@pytest.mark.parametrize("width", WIDTHS)
def test_every_line_of_a_chat_fits(width: int) -> None:
    lines = "\n".join(format_report(chat_fields(1, 2, 3), Look(width=width))).split("\n")
    assert all(len(line) <= width for line in lines), lines


def test_a_wide_terminal_has_longer_bars() -> None:
    bars = [max(line.count("█") for line in format_report(fields(), Look(width=width))) for width in WIDTHS]
    assert bars == [16, 56, 60]


def test_bars_are_cyan_for_the_quickest_and_red_for_the_slowest() -> None:
    latencies = Histogram.of([0.0001] * 900 + [0.001] * 95 + [0.1] * 5)
    text = "\n".join(format_report(fields(latencies=latencies), Look(colour=True)))
    assert re.findall("\x1b\\[([0-9]+)m█", text) == ["36", "33", "31"]
    assert "\x1b[31merrors" not in text
    assert "\x1b[31merrors" in "\n".join(format_report(fields(errors=Counter(closed=3)), Look(colour=True)))


def test_a_comparison_aligns_its_figures() -> None:
    lines = list(
        format_comparison(make_comparison([(fields(), fields(ended=14.0))], interrupted=False), Look(width=80))
    )
    assert lines[1:] == [
        "figure       127.0.0.1:1  127.0.0.1:1  ratio  lowest to highest",
        "rate              50.0/s       25.0/s   2.00       2.00 to 2.00",
        "latency p50       100 µs       100 µs   1.00       1.00 to 1.00",
        "latency p99         2 ms         2 ms   1.00       1.00 to 1.00",
        "errors                 0            0",
    ]


@pytest.mark.parametrize("colour", [True, False], ids=["colour", "plain"])
@pytest.mark.parametrize("columns", WIDTHS)
def test_golden_result(columns: int, *, colour: bool) -> None:
    name = "-".join(["bench-echo", str(columns), *(["colour"] if colour else [])])
    check_screen(name, "\n".join([*format_report(fields(), Look(columns, colour)), ""]))
