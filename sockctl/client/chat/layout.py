"""Text laid out in columns of a terminal: wrapped with a hanging indent, cut, in a rule, in sorted columns.

The widths are those of `rich.cells`, which knows East Asian letters and sequences of emoji. Texts have no colours
here: the formatter paints each row afterwards.
"""

import re
from collections.abc import Iterator, Sequence

TAB_COLUMNS = 4
_PIECES = re.compile(r" +|[^ ]+")
_WORTH_CUTTING = 8
"""Columns from which on a word that is wider than a row begins in the row of the word before."""
_WORTH_A_COLUMN = 16
"""Columns from which on a text is wrapped beside another one."""
_GAP = 2
"""Columns between two columns of names."""


def measure_width(text: str) -> int:
    """Return how many columns `text` takes on a terminal."""
    if text.isascii():
        return len(text)
    from rich.cells import cell_len

    return cell_len(text)


def wrap_text(text: str, *, first: int, rest: int) -> list[str]:
    """Return the rows of `text`, one or more, wrapped at spaces; a word that is wider than a row is cut.

    Spaces stay as they are, but for those at which the text is wrapped.

    Args:
        text: The text, without line breaks.
        first: Columns of the first row.
        rest: Columns of each other row.
    """
    if "\t" in text:
        text = text.expandtabs(TAB_COLUMNS)
    if measure_width(text) <= first:
        return [text]
    return list(_wrap(text, max(1, first), max(1, rest))) or [""]


def wrap_entry(text: str, second: int, columns: int) -> list[str]:
    """Return the rows of a text in two columns, wrapped in the second one; below the first one if too little is left.

    Args:
        text: The text, without line breaks.
        second: Where the second column begins.
        columns: Columns of each row.
    """
    if columns - second >= _WORTH_A_COLUMN:
        first, *more = wrap_text(text, first=columns, rest=columns - second)
        return [first, *(" " * second + row for row in more)]
    name = text[:second].rstrip()
    indent = min(len(name) - len(name.lstrip()) + TAB_COLUMNS, columns // 4)
    rest = columns - indent
    below = wrap_text(text[second:], first=rest, rest=rest)
    return [*wrap_text(name, first=columns, rest=columns), *(" " * indent + row for row in below)]


def _wrap(text: str, first: int, rest: int) -> Iterator[str]:
    row, left, gap = "", first, ""  # a row, the columns left in it, and the spaces that may follow
    for piece in _PIECES.findall(text):
        if piece[0] == " ":
            gap = piece
            continue
        width = measure_width(piece)
        if len(gap) + width <= left:
            row, left, gap = f"{row}{gap}{piece}", left - len(gap) - width, ""
            continue
        if width > rest and left - len(gap) >= _WORTH_CUTTING:  # it has to be cut anyway
            begun, piece = _cut_off(piece, left - len(gap))  # noqa: PLW2901  the rest of it
            row += gap + begun
        if row or left < rest:
            yield row
        *whole, row = _cut_word(piece, rest)
        yield from whole
        left, gap = rest - measure_width(row), ""
    if row:
        yield row


def _cut_off(word: str, columns: int) -> tuple[str, str]:
    """Return the part of a word that fits, and the rest."""
    begun = _cut_word(word, columns)[0]
    return begun, word[len(begun) :]


def _cut_word(word: str, columns: int) -> list[str]:
    """Return the parts of a word, each as wide as fits."""
    if word.isascii():
        return [word[start : start + columns] for start in range(0, len(word), columns)]
    from rich.cells import chop_cells

    return [part for part in chop_cells(word, columns) if part]


def shorten(text: str, columns: int) -> str:
    """Return `text` cut to `columns`, with … at its end if something was cut off."""
    if measure_width(text) <= columns:
        return text
    if columns < 1:
        return ""
    parts = _cut_word(text, columns - 1) if columns > 1 else [""]
    return f"{parts[0]}…"


def draw_rule(title: str, columns: int) -> str:
    """Return a line that separates the rows above from those below, with a title in it."""
    return f"── {shorten(title, max(1, columns - 6))} ──"


def arrange_columns(cells: Sequence[str], columns: int) -> list[str]:
    """Return rows of `cells` in columns of one width, in order from top to bottom, as ``ls`` does."""
    if not cells:
        return []
    widest = min(columns, max(map(measure_width, cells)))
    across = max(1, (columns + _GAP) // (widest + _GAP))
    down = -(-len(cells) // across)
    rows = []
    for number in range(down):
        shown = [shorten(cell, columns) for cell in cells[number::down]]
        padded = [cell + " " * (widest - measure_width(cell)) for cell in shown]
        rows.append((" " * _GAP).join(padded).rstrip())
    return rows
