"""A hex dump has the same lines however many of them are made at once."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sockctl.hex_dump import ROW_BYTES, format_hex

ARROWS = st.sampled_from(["", "<", "#12 ->"])


def format_slowly(data: bytes, offset: int, mark: str) -> str:
    """Return the dump, made line by line."""
    front = f"{mark} " if mark else ""
    digits = 8 if offset + len(data) <= 1 << 32 else 16
    rows = [(start, data[start : start + ROW_BYTES]) for start in range(0, len(data), ROW_BYTES)]
    return "".join(
        f"{front}{offset + start:0{digits}x}  {row[:8].hex(' '):<23}  {row[8:].hex(' '):<23}  "
        f"|{''.join(chr(byte) if 0x20 <= byte < 0x7F else '.' for byte in row)}|\n"
        for start, row in rows
    )


@given(st.binary(max_size=2_000), st.integers(0, 1 << 34), ARROWS)
def test_every_line_is_the_same_as_one_made_alone(data: bytes, offset: int, mark: str) -> None:
    assert format_hex(data, offset, mark=mark) == format_slowly(data, offset, mark)


@pytest.mark.parametrize("offset", [3, 0xFFF0_FFF5, (1 << 32) - 100_000, (1 << 32) - 5, (1 << 36) - 50_000])
def test_much_at_once_has_the_same_lines(offset: int) -> None:
    data = random.Random(23).randbytes(100_000)
    assert format_hex(memoryview(data), offset, mark=">") == format_slowly(data, offset, ">")


def test_an_offset_beyond_32_bits_has_16_digits() -> None:
    offset = (1 << 32) - 8
    assert format_hex(b"abc", offset).startswith("fffffff8  ")
    assert format_hex(b"123456789", offset).startswith("00000000fffffff8  ")


def test_nothing_has_no_lines() -> None:
    assert format_hex(b"") == ""
