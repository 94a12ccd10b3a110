"""Rates and figures, computed from two snapshots of a server."""

from typing import Any

import pytest

from sockctl.cli.watch_columns import find_column
from sockctl.cli.watch_picture import Picture, describe_places, select_rows
from sockctl.net.control.client import Snapshot
from tests.support.control import CONNECTION, SERVER


def snapshot(connections: list[dict[str, Any]] | None = None, **changes: Any) -> Snapshot:
    return Snapshot({**SERVER, **changes}, [CONNECTION] if connections is None else connections)


def figures_of(picture: Picture) -> dict[str, str]:
    return {figure.title: figure.text for figure in picture.list_figures()}


def test_one_look_has_no_rates() -> None:
    picture = Picture(snapshot(), None)
    assert picture.server["accepted_per_s"] is None
    assert picture.rows[0]["in_per_s"] is None
    figures = figures_of(picture)
    assert figures[""] == "echo-9090 at 127.0.0.1:9090"
    assert (figures["accepted"], figures["in"], figures["backlog"]) == ("10", "-", "3 of 4,097")


def test_rates_are_those_between_two_looks() -> None:
    later = {**CONNECTION, "bytes_in": 3_000, "bytes_out": 2_000}
    picture = Picture(snapshot([later], uptime_s=102.0, accepted=15, refused={"denied": 4}, bytes_in=5_096), snapshot())
    assert (picture.rows[0]["in_per_s"], picture.rows[0]["out_per_s"]) == (1_000, 0)
    assert (picture.server["accepted_per_s"], picture.server["refused_per_s"]) == (2.5, 2)
    figures = figures_of(picture)
    assert (figures["accepted"], figures["refused"], figures["in"]) == ("15 (2.5/s)", "4 (2.0/s): denied 4", "2.0K/s")


def test_a_connection_that_is_new_since_the_look_before() -> None:
    new = {**CONNECTION, "number": 8, "age_s": 1.0, "bytes_in": 500, "bytes_out": 0}
    picture = Picture(snapshot([new], uptime_s=102.0), snapshot())
    assert (picture.rows[0]["in_per_s"], picture.rows[0]["out_per_s"]) == (250, 0)


def test_two_looks_at_one_moment_have_no_rates() -> None:
    assert Picture(snapshot(), snapshot()).server["in_per_s"] is None


def test_what_deserves_a_look() -> None:
    usual = Picture(snapshot(), None)
    assert not [figure.title for figure in usual.list_figures() if figure.is_bad]
    changes: dict[str, Any] = {
        "clients": 512,
        "pending": 128,
        "events_lost": 5,
        "lag_ms": 1_000.0,
        "stuck": True,
        "refused": {"too_many_clients": 2},
        "listening": [{**SERVER["listening"][0], "waiting": 3_000}],
        "counts": {"members": 3, "hashes_waiting": 9, "hashes_running": 2, "hash_slots": 2},
        "uptime_s": 101.0,
    }
    picture = Picture(snapshot(**changes), snapshot())
    bad = {figure.title: figure.text for figure in picture.list_figures() if figure.is_bad}
    assert bad == {
        "clients": "512 of 512",
        "not logged in": "128 of 128",
        "refused": "2 (2.0/s): too_many_clients 2",
        "backlog": "3,000 of 4,097",
        "hashes": "2 of 2 run, 9 wait",
        "events lost": "5",
        "lag": "1,000.0 ms and more: an event thread is stuck",
    }
    assert figures_of(picture)["members"] == "3"


def test_an_engine_that_is_away() -> None:
    away = Picture(snapshot(counts={"members": 3, "engine_away_s": 6}), None)
    assert [figure.text for figure in away.list_figures() if figure.is_bad] == ["6s"]
    assert figures_of(away)["engine away"] == "6s"
    assert "engine away" not in figures_of(Picture(snapshot(counts={"members": 3, "engine_away_s": 0}), None))


def test_an_address_for_browsers_is_marked() -> None:
    (usual,) = SERVER["listening"]
    listening = [usual, {**usual, "port": 9098, "for_browsers": True}]
    picture = Picture(snapshot(listening=listening), None)
    assert figures_of(picture)[""] == "echo-9090 at 127.0.0.1:9090"
    assert figures_of(picture)["for browsers"] == "127.0.0.1:9098"
    assert describe_places(picture.server) == "127.0.0.1:9090, 127.0.0.1:9098 (for browsers)"


def test_a_system_that_tells_no_backlog() -> None:
    listening = [{**SERVER["listening"][0], "waiting": None, "max_waiting": None, "backlog": None}]
    assert "backlog" not in figures_of(Picture(snapshot(listening=listening), None))


@pytest.mark.parametrize(
    ("title", "reverse", "peer", "numbers"),
    [
        ("#", False, "", [1, 2, 3]),
        ("out/s", True, "", [2, 1, 3]),
        ("peer", False, "192.0.2", [3, 1]),
        ("name", False, "", [2, 1, 3]),
    ],
)
def test_rows_are_sorted_and_chosen(title: str, reverse: bool, peer: str, numbers: list[int]) -> None:
    rows = [
        {"number": 1, "peer": "192.0.2.9:1", "out_per_s": 5.0, "name": "bob"},
        {"number": 2, "peer": "[::1]:1", "out_per_s": 9.0, "name": "ann"},
        {"number": 3, "peer": "192.0.2.1:1", "out_per_s": None, "name": "cid"},
    ]
    column = find_column(title)
    assert column is not None
    assert [row["number"] for row in select_rows(rows, column=column, reverse=reverse, peer=peer)] == numbers
