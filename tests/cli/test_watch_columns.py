"""The columns of a watched server."""

import pytest

from sockctl.cli.watch_columns import COLUMNS, describe_state, find_column, format_size, format_time
from tests.support.control import CONNECTION


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0"),
        (1023, "1023"),
        (1024, "1.0K"),
        (10_000, "9.8K"),
        (10_240, "10K"),
        (1 << 20, "1.0M"),
        (5 << 30, "5.0G"),
        (12 << 40, "12T"),
    ],
)
def test_sizes(count: int, text: str) -> None:
    assert format_size(count) == text


@pytest.mark.parametrize(("seconds", "text"), [(0.4, "0s"), (59.9, "59s"), (60, "1m"), (7_300, "2h"), (200_000, "2d")])
def test_times(seconds: float, text: str) -> None:
    assert format_time(seconds) == text


def test_what_the_server_does_with_a_connection() -> None:
    assert describe_state(CONNECTION) == ""
    assert describe_state({**CONNECTION, "paused": True, "muted": True}) == "paused muted"
    assert describe_state({**CONNECTION, "state": "conversing", "held": True}) == "talking held"
    assert describe_state({**CONNECTION, "state": "lingering"}) == "closing"


def test_each_column_explains_itself() -> None:
    assert len({column.title for column in COLUMNS}) == len(COLUMNS) == 17
    for column in COLUMNS:
        assert column.meaning.endswith("."), column
        assert find_column(column.title.lower()) is column
    assert find_column("nothing") is None


def test_cells() -> None:
    row = {**CONNECTION, "in_per_s": None, "out_per_s": 2_048.0, "doing": "", "rtt_ms": 23.456}
    cells = {column.title: column.make_cell(row) for column in COLUMNS}
    assert (cells["#"], cells["IN/S"], cells["OUT/S"], cells["RTT"], cells["AGE"]) == ("7", "-", "2.0K", "23", "50s")
    assert COLUMNS[0].make_key({"number": None}) < COLUMNS[0].make_key({"number": 0})
