"""Draws the blocks of a topic: tables, ladders of packets, and lines; with colours and frames on a terminal."""

from collections.abc import Iterator

from sockctl.cli.look import Look
from sockctl.cli.tables import find_encoding, format_table
from sockctl.explain.packets import Fate, Packet
from sockctl.explain.tcp_states import GONE, NAMES
from sockctl.explain.topic import Block, Call, Ladder, Table, Text, list_steps
from sockctl.palette import Style
from sockctl.wrapping import measure_width, wrap_lines

_GAP = "  "
_LONGEST_BAR = 24
_NARROWEST_LANE, _WIDEST_LANE = 16, 60
_TIME_COLUMNS = 10
"""Columns in front of a ladder: the time, and its gap."""
_LEAST_SHAFT, _ENDS = 4, 4
"""Columns of the shortest shaft of an arrow, and of its ends with the spaces beside its label."""
_PLAIN = str.maketrans({"→": ">", "←": "<", "├": "|", "┤": "|", "─": "-", "▶": ">", "◀": "<", "✗": "x", "█": "#"})
"""What stands for the signs where the output's encoding lacks them."""
_MS = 1000
_WAITING = {"SYN_SENT", "SYN_RECV", "FIN_WAIT1", "FIN_WAIT2", "TIME_WAIT", "CLOSE_WAIT", "LAST_ACK", "CLOSING"}


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
        text = format_table(cells[0], cells[1:], width=look.width, colour=look.colour, find_style=find_style)
        yield from text.split("\n")
        return
    for row in cells:
        padded = (cell + " " * (width - measure_width(cell)) for cell, width in zip(row, widths, strict=True))
        yield _GAP + _GAP.join(padded).rstrip()


def find_style(word: str) -> str:
    """Return Rich's style for a word of a cell: the state of a connection, a packet's flags, a bar."""
    if "RST" in word or word.endswith("Error"):
        return "red"
    if word in _WAITING or "FIN+" in word:
        return "yellow"
    if word == GONE:
        return "dim"
    return "cyan" if word in NAMES or word.startswith("█") else ""


def _format_ladder(ladder: Ladder, look: Look) -> Iterator[str]:
    yield look.fold(ladder.caption)
    room = _WIDEST_LANE if look.width is None else look.width - _TIME_COLUMNS
    lane = max(_NARROWEST_LANE, min(room, _WIDEST_LANE))
    steps = list(list_steps(ladder))
    yield f"{'ms':>{_TIME_COLUMNS - len(_GAP)}}{_GAP}client{'server':>{lane - len('client')}}"
    for step in steps:
        time = f"{(step.at_s - steps[0].at_s) * _MS:.2f}"
        for line in _draw_call(step, lane) if isinstance(step, Call) else _draw_packet(step, lane, ladder, look):
            yield f"{time:>{_TIME_COLUMNS - len(_GAP)}}{_GAP}{line}"
            time = ""


def _draw_call(call: Call, lane: int) -> Iterator[str]:
    for line in wrap_lines(call.text, lane).split("\n"):
        yield f"{line:>{lane}}" if call.by_server else line


def _draw_packet(packet: Packet, lane: int, ladder: Ladder, look: Look) -> Iterator[str]:
    """Yield an arrow from one side to the other, and a second line for the numbers where the lane is narrow."""
    to_server = packet.goes_to(ladder.server_port)
    label, rest = packet.describe(), _list_numbers(packet)
    if len(f"{label} {rest}") + _LEAST_SHAFT + _ENDS <= lane:
        label, rest = f"{label} {rest}".rstrip(), ""
    dropped = packet.fate is Fate.DROPPED
    head = "✗" if dropped else "▶" if to_server else "◀"
    shaft = "─" * max(_LEAST_SHAFT, (lane // 2 if dropped else lane) - len(label) - _ENDS)
    lines = [f"├ {label} {shaft}{head}" if to_server else f"{head}{shaft} {label} ┤"]
    if rest:
        lines.append(f"  {rest}  ")
    for line in lines:
        yield look.paint(line.rstrip() if to_server else f"{line:>{lane}}".rstrip(), _choose_style(packet))


def _list_numbers(packet: Packet) -> str:
    """Return the numbers and the fate of a packet: ``seq 1 ack 1 dropped``."""
    parts = []
    if packet.flags:
        parts.append(f"seq {packet.sequence:,}")
        if packet.has("ACK"):
            parts.append(f"ack {packet.acknowledgment:,}")
    if packet.fate is not Fate.ARRIVED:
        parts.append(packet.fate.value)
    return " ".join(parts)


def _choose_style(packet: Packet) -> Style:
    if packet.fate is Fate.DROPPED or packet.has("RST"):
        return Style.ERROR
    if packet.has("FIN") or packet.fate is Fate.OVERTAKEN:
        return Style.WARNING
    return Style.FAINT if packet.flags == "ACK" else Style.NORMAL
