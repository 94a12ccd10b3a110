"""Lists and results of commands, for people and for programs."""

import json

import pytest

from sockctl.cli.tables import print_list, print_result

ENTRIES = [{"name": "ann", "age": 7}, {"name": "Zoë", "age": 1_000}]
ROWS = [(str(one["name"]), str(one["age"])) for one in ENTRIES]


def test_a_list_is_a_table(capsys: pytest.CaptureFixture[str]) -> None:
    print_list(ENTRIES, ("NAME", "AGE"), ROWS, empty="Nobody.", json=False)
    assert capsys.readouterr().out == "NAME  AGE\nann   7\nZoë   1000\n"


def test_a_list_without_entries_is_a_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    print_list([], ("NAME", "AGE"), [], empty="Nobody.", json=False)
    assert capsys.readouterr().out == "Nobody.\n"


@pytest.mark.parametrize("entries", [ENTRIES, []])
def test_a_list_for_programs(capsys: pytest.CaptureFixture[str], entries: list[dict[str, object]]) -> None:
    print_list(entries, ("NAME", "AGE"), ROWS[: len(entries)], empty="Nobody.", json=True)
    out = capsys.readouterr().out
    assert json.loads(out) == entries
    assert "\\u" not in out


def test_a_result(capsys: pytest.CaptureFixture[str]) -> None:
    print_result(ENTRIES[0], "ann is 7.", json=False)
    print_result(ENTRIES[0], "ann is 7.", json=True)
    out = capsys.readouterr().out
    assert out.startswith("ann is 7.\n{")
    assert json.loads(out.partition("\n")[2]) == ENTRIES[0]
