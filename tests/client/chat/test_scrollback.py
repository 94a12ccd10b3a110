import datetime
import sys

import pytest

from sockctl.client.chat.formatter import Look, Piece
from sockctl.client.chat.scrollback import Entry

NOON = datetime.datetime(2026, 1, 31, 12, 30, tzinfo=datetime.UTC)


@pytest.mark.parametrize("texts", [[f"n{number}" for number in range(5_000)], ["\N{GRINNING FACE}" * 10_000], []])
def test_the_size_of_a_message_is_what_it_takes_in_memory(texts: list[str]) -> None:
    look = Look((Piece("<ann> "),), ("hello", *texts), cells=tuple(texts))
    assert Entry(NOON, look).size > 2 * sum(sys.getsizeof(text) + 8 for text in texts)
