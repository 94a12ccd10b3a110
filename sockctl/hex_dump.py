"""Formats bytes as a hex dump: an offset, up to 16 bytes in hex, and their ASCII characters, a line each.

    > 00000010  68 65 6c 6c 6f 0d 0a 00  01 02 03 04 05 06 07 08  |hello...........|

A dump has five times the bytes that it shows, so a step of Python for each line would cost more than all else. All
lines have the same length, and each column of a line is a multiple of 8 characters. So slices with a step copy a
column of all lines at once, 8 characters an item. Lines whose numbers differ by 8 begin 8 lines apart, which is a whole
number of items, whatever the length of a line.
"""

from array import array
from binascii import hexlify
from sys import byteorder

ROW_BYTES = 16
"""Bytes in a line."""
_ITEM = 8
"""Characters that are copied at once, and lines in a group."""
_SHORT_OFFSETS = 1 << 32
"""From this offset on, a line shows 16 digits of the offset instead of 8."""
_AT_ONCE = 32_768
"""Bytes whose lines are made at once: those of more would not stay in the processor's cache."""
_ASCII = bytes(code if 0x20 <= code < 0x7F else 0x2E for code in range(256))  # noqa: PLR2004  printable ASCII


def format_hex(data: bytes | memoryview, offset: int = 0, *, mark: str = "") -> str:
    """As `encode_hex`, as text."""
    return encode_hex(data, offset, mark=mark).decode("ascii")


def encode_hex(data: bytes | memoryview, offset: int = 0, *, mark: str = "") -> bytes:
    """Return `data` as lines of a mark, an offset, up to 16 bytes in hex, and their ASCII characters.

    Args:
        data: The bytes.
        offset: The offset of the first one, which the first line shows.
        mark: ASCII characters in front of each line, such as an arrow; a space follows.
    """
    data = bytes(data)
    front = f"{mark} " if mark else ""
    digits = 8 if offset + len(data) <= _SHORT_OFFSETS else 16
    grouped = len(data) - len(data) % (ROW_BYTES * _ITEM)
    parts: list[bytes | memoryview] = [
        _format_groups(data[start : min(start + _AT_ONCE, grouped)], offset + start, front, digits)
        for start in range(0, grouped, _AT_ONCE)
    ]
    parts.append(_format_rows(data[grouped:], offset + grouped, front, digits))
    return b"".join(parts)


def _format_rows(data: bytes, offset: int, front: str, digits: int) -> bytes:
    """Return the lines of a few bytes."""
    lines = []
    for start in range(0, len(data), ROW_BYTES):
        row = data[start : start + ROW_BYTES]
        left, right = row[:8].hex(" "), row[8:].hex(" ")
        characters = row.translate(_ASCII).decode()
        lines.append(f"{front}{offset + start:0{digits}x}  {left:<23}  {right:<23}  |{characters}|\n")
    return "".join(lines).encode("ascii")


def _format_groups(data: bytes, offset: int, front: str, digits: int) -> memoryview:
    """Return the lines of bytes that fill groups of lines."""
    rows = len(data) // ROW_BYTES
    line = f"{front}{'':{digits}}  {'':23}  {'':23}  |{'':{ROW_BYTES}}|\n".encode()
    lines = memoryview(bytearray(line) * rows)
    offsets = array("Q", range(offset, offset + len(data), ROW_BYTES))
    if byteorder == "little":
        offsets.byteswap()
    digits_at = len(front)
    hex_at = digits_at + digits + 2
    hexed = memoryview(hexlify(data + b"\0", " "))[: len(data) * 3]
    _copy_column(memoryview(hexlify(offsets)), 16 - digits, lines, digits_at, width=digits, rows=rows)
    _copy_column(hexed, 0, lines, hex_at, width=24, rows=rows)  # the space behind it is one of two between columns
    _copy_column(hexed, 24, lines, hex_at + 25, width=24, rows=rows)
    _copy_column(memoryview(data.translate(_ASCII)), 0, lines, hex_at + 51, width=ROW_BYTES, rows=rows)
    return lines


def _copy_column(source: memoryview, source_at: int, lines: memoryview, at: int, *, width: int, rows: int) -> None:
    """Copy a column from each row of `source` to each of the lines.

    Args:
        source: Rows of the same length, a multiple of 8.
        source_at: Where the column begins in a row, a multiple of 8.
        lines: Lines of the same length.
        at: Where the column begins in a line.
        width: Characters of the column, a multiple of 8.
        rows: How many rows and lines there are, a multiple of 8.
    """
    source_items = source.cast("Q")
    source_row, line_length = len(source) // rows // _ITEM, len(lines) // rows
    for nth in range(_ITEM):
        first = nth * source_row + source_at // _ITEM
        begin = nth * line_length + at
        items = lines[begin : begin + (len(lines) - begin) // _ITEM * _ITEM].cast("Q")
        for item in range(width // _ITEM):
            items[item::line_length] = source_items[first + item :: source_row * _ITEM]
