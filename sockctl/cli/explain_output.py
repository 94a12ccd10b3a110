"""Draws the blocks of a topic: tables, ladders of packets, and lines; with colours and frames on a terminal."""

from collections.abc import Iterator

from sockctl.cli.look import Look
from sockctl.cli.tables import find_encoding, format_table
from sockctl.explain.packets import Fate, Packet
from sockctl.explain.tcp_states import GONE, NAMES
from sockctl.explain.topic import Block, Call, Ladder, Table, Text, list_steps
from sockctl.palette import Style
from sockctl.wrapping import measure_width

_GAP = "  "
_LONGEST_BAR = 24
_WIDEST_LANE = 60
_TIME_COLUMNS = 10
"""Columns in front of a ladder: the time, and its gap."""
_LEAST_SHAFT = 4
"""The shortest shaft of an arrow whose label has the numbers of the bytes."""
_PLAIN = str.maketrans({"→": ">", "←": "<", "├": "|", "┤": "|", "─": "-", "▶": ">", "◀": "<", "✗": "x", "█": "#"})
"""What stands for the signs where the output's encoding lacks them."""
_MS = 1000
_WAITING = {"SYN_SENT", "SYN_RECV", "FIN_WAIT1", "FIN_WAIT2", "TIME_WAIT", "CLOSE_WAIT", "LAST_ACK", "CLOSING"}
WORDS = {name: "yellow" if name in _WAITING else "cyan" for name in NAMES} | {GONE: "dim"}
"""The style of a state in a cell."""


def format_block(block: Block, look: Look) -> Iterator[str]:
    """Yield the lines of a block."""
    lines: Iterator[str]
    match block:
        case Table():
            lines = _format_table(block, look)
        case Ladder():
            lines = _format_ladder(block, look)
        case Text():
            lines = map(look.fold, block.lines)
    if find_encoding().lower().startswith("utf"):
        yield from lines
    else:
        yield from (line.translate(_PLAIN) for line in lines)


def _format_table(table: Table, look: Look) -> Iterator[str]:
    if table.caption:
        yield look.fold(table.caption)
    titles, rows = table.titles, [list(row) for row in table.rows]
    if table.sizes:
        titles = (*titles, "")
        most = max(table.sizes) or 1
        for row, size in zip(rows, table.sizes, strict=True):
            row.append("█" * (round(size / most * _LONGEST_BAR) or bool(size)))
    cells = [list(titles), *rows]
    widths = [max(measure_width(row[at]) for row in cells) for at in range(len(titles))]
    for row in cells:
        for at in table.right:
            row[at] = " " * (widths[at] - measure_width(row[at])) + row[at]
    if look.width is not None:
        text = format_table(cells[0], cells[1:], width=look.width, colour=look.colour, styles=WORDS)
        yield from text.split("\n")
        return
    for row in cells:
        padded = (cell + " " * (width - measure_width(cell)) for cell, width in zip(row, widths, strict=True))
        yield _GAP + _GAP.join(padded).rstrip()


def _format_ladder(ladder: Ladder, look: Look) -> Iterator[str]:
    yield look.fold(ladder.caption)
    lane = _WIDEST_LANE if look.width is None else min(_WIDEST_LANE, look.width - _TIME_COLUMNS)
    steps = list(list_steps(ladder))
    yield f"{'ms':>{_TIME_COLUMNS - len(_GAP)}}{_GAP}client{'server':>{lane - len('client')}}"
    for step in steps:
        if isinstance(step, Call):
            drawn = f"{step.text:>{lane}}" if step.by_server else step.text
        else:
            drawn = look.paint(_draw_arrow(step, lane, to_server=step.goes_to(ladder.server_port)), _find_style(step))
        time = f"{(step.at_s - steps[0].at_s) * _MS:.2f}"
        yield f"{time:>{_TIME_COLUMNS - len(_GAP)}}{_GAP}{drawn}"


def _draw_arrow(packet: Packet, lane: int, *, to_server: bool) -> str:
    """Return an arrow from one side to the other; that of a dropped packet ends in the middle."""
    label = _label(packet)
    if len(label) + _LEAST_SHAFT + 4 > lane:
        label = packet.describe()
    dropped = packet.fate is Fate.DROPPED
    head = "✗" if dropped else "▶" if to_server else "◀"
    shaft = "─" * (max(_LEAST_SHAFT, (lane // 2 if dropped else lane) - len(label) - 4))
    arrow = f"├ {label} {shaft}{head}" if to_server else f"{head}{shaft} {label} ┤"
    return arrow if to_server else f"{arrow:>{lane}}"


def _label(packet: Packet) -> str:
    """Return the flags, numbers and fate of a packet: ``PSH+ACK(5) seq 1 ack 1``."""
    parts = [packet.describe()]
    if packet.flags:
        parts.append(f"seq {packet.sequence:,}")
        if packet.has("ACK"):
            parts.append(f"ack {packet.acknowledgment:,}")
    if packet.fate is not Fate.ARRIVED:
        parts.append(packet.fate.value)
    return " ".join(parts)


def _find_style(packet: Packet) -> Style:
    if packet.fate is Fate.DROPPED or packet.has("RST"):
        return Style.ERROR
    if packet.has("FIN") or packet.fate is Fate.OVERTAKEN:
        return Style.WARNING
    return Style.FAINT if packet.flags == "ACK" else Style.NORMAL
