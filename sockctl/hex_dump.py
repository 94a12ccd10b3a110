"""Formats bytes as a hex dump: an offset, up to 16 bytes in hex, and their ASCII characters, a line each.

    > 00000010  68 65 6c 6c 6f 0d 0a 00  01 02 03 04 05 06 07 08  |hello...........|

A dump has five times the bytes that it shows, so a step of Python for each line would cost more than all else. All
lines have the same length, so slices with a step copy a column of all lines at once. The lines begin as a copy of ones
that are kept, whose offsets count from 0. Wide columns are multiples of 8 characters: lines whose numbers differ by 8
begin 8 lines apart, which is a whole number of items of 8 characters, whatever the length of a line.
"""

from binascii import hexlify
from functools import lru_cache

ROW_BYTES = 16
"""Bytes in a line."""
_ITEM = 8
"""Characters that are copied at once, and lines in a group."""
_SHORT_OFFSETS = 1 << 32
"""From this offset on, a line shows 16 digits of the offset instead of 8."""
_COUNTED = 4_096
"""Lines that differ in three digits of the offset."""
_AT_ONCE = _COUNTED * ROW_BYTES
"""Bytes whose lines are made at once: as many as one read of a connection brings."""
_FEW = 1_024
"""Fewer bytes are formatted line by line."""
_ASCII = bytes(code if 0x20 <= code < 0x7F else 0x2E for code in range(256))  # noqa: PLR2004  printable ASCII


def format_hex(data: bytes | memoryview, offset: int = 0, *, mark: str = "") -> str:
    """As `encode_hex`, as text."""
    return encode_hex(data, offset, mark=mark).decode("ascii")


def encode_hex(data: bytes | memoryview, offset: int = 0, *, mark: str = "") -> bytes | bytearray:
    """Return `data` as lines of a mark, an offset, up to 16 bytes in hex, and their ASCII characters.

    Args:
        data: The bytes.
        offset: The offset of the first one, which the first line shows.
        mark: ASCII characters in front of each line, such as an arrow; a space follows.
    """
    data = bytes(data)
    front = f"{mark} " if mark else ""
    digits = 8 if offset + len(data) <= _SHORT_OFFSETS else 16
    parts = [
        _format_block(data[start : start + _AT_ONCE], offset + start, front, digits)
        for start in range(0, len(data), _AT_ONCE)
    ]
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _format_rows(data: bytes, offset: int, front: str, digits: int) -> bytes:
    """Return the lines of a few bytes."""
    lines = []
    for start in range(0, len(data), ROW_BYTES):
        row = data[start : start + ROW_BYTES]
        left, right = row[:8].hex(" "), row[8:].hex(" ")
        characters = row.translate(_ASCII).decode()
        lines.append(f"{front}{offset + start:0{digits}x}  {left:<23}  {right:<23}  |{characters}|\n")
    return "".join(lines).encode("ascii")


def _format_block(data: bytes, offset: int, front: str, digits: int) -> bytes | bytearray:
    """Return the lines of `_AT_ONCE` bytes at most."""
    if len(data) < _FEW:
        return _format_rows(data, offset, front, digits)
    rows = len(data) // (ROW_BYTES * _ITEM) * _ITEM
    grouped, rest = data[: rows * ROW_BYTES], data[rows * ROW_BYTES :]
    block = _begin_lines(offset, front, digits, rows)
    hex_at = len(front) + digits + 2
    hexed = memoryview(hexlify(grouped + b"\0", " "))[: len(grouped) * 3]
    with memoryview(block) as lines:
        _copy_column(hexed, 0, lines, hex_at, width=24, rows=rows)  # with the first space of two between columns
        _copy_column(hexed, 24, lines, hex_at + 25, width=24, rows=rows)
        _copy_column(memoryview(grouped.translate(_ASCII)), 0, lines, hex_at + 51, width=ROW_BYTES, rows=rows)
    if rest:
        block += _format_rows(rest, offset + len(grouped), front, digits)
    return block


def _begin_lines(offset: int, front: str, digits: int, rows: int) -> bytearray:
    """Return lines with their marks and offsets, for `_COUNTED` rows at most, and room for all else."""
    kept = _keep_lines(len(front), digits)
    length = len(kept) // (2 * _COUNTED)
    first = offset // ROW_BYTES % _COUNTED
    lines = bytearray(kept[first * length : (first + rows) * length])
    high = offset // (_COUNTED * ROW_BYTES)
    before = min(rows, _COUNTED - first)
    begin = f"{front}{high:0{digits - 4}x}"
    then = f"{front}{high + 1:0{digits - 4}x}" if before < rows else begin
    for place, (character, next_one) in enumerate(zip(begin, then, strict=True)):
        lines[place::length] = (character * before + next_one * (rows - before)).encode("ascii")
    lines[len(begin) + 3 :: length] = f"{offset % ROW_BYTES:x}".encode("ascii") * rows
    return lines


@lru_cache(4)
def _keep_lines(front: int, digits: int) -> memoryview:
    """Return empty lines in which three digits of the offset count, twice from 000 to fff: 0.6 MB.

    Args:
        front: Characters in front of the offset.
        digits: Those of the offset.
    """
    columns = f"0  {'':23}  {'':23}  |{'':{ROW_BYTES}}|\n"
    lines = "".join(f"{'':{front + digits - 4}}{line:03x}{columns}" for line in range(_COUNTED))
    return memoryview(lines.encode("ascii") * 2)


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
