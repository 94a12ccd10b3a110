"""Tests for `sockctl.client.tty.word_completion`."""

import pytest
from prompt_toolkit.buffer import Buffer
from prompt_toolkit.document import Document

from sockctl.client.tty.word_completion import complete_word


@pytest.mark.parametrize(
    ("before", "word", "found", "becomes", "rows"),
    [
        ("CAR", "CAR", ["carol: "], "carol: ", []),
        ("hi ro", "ro", ["robert ", "robin "], "hi rob", []),
        ("hi rob", "rob", ["robert ", "robin "], "hi rob", ["robert  robin"]),
        ("/kick ", "", ["ann ", "carl "], "/kick ", ["ann   carl"]),
        ("/x ", "", ["a\u202eb ", "c "], "/x ", ["a\N{REPLACEMENT CHARACTER}b  c"]),
    ],
)
def test_a_word_grows_or_is_listed(before: str, word: str, found: list[str], becomes: str, rows: list[str]) -> None:
    buffer = Buffer(document=Document(before))
    shown = complete_word(buffer, word, found, columns=40, rows=12)
    assert buffer.text == becomes
    assert shown == rows


@pytest.mark.parametrize("count", [1, 2, 7, 100, 1_000])
@pytest.mark.parametrize(("columns", "rows"), [(20, 2), (80, 12), (3, 5)])
def test_a_list_takes_no_more_rows_than_there_are(count: int, columns: int, rows: int) -> None:
    found = [f"{chr(97 + number % 26)}{number} " for number in range(count + 1)]
    shown = complete_word(Buffer(), "", found, columns=columns, rows=rows)
    assert len(shown) <= rows
    told = shown[-1].startswith("…")
    names = " ".join(shown[:-1] if told else shown).split()
    more = int(shown[-1].split()[2].replace(",", "")) if told else 0
    assert len(names) + more == count + 1
