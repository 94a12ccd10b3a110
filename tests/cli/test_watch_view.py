"""How a watched server looks, at any width, and what keys do."""

from typing import Any

import pytest
from rich.console import Console

from sockctl.cli.watch_columns import COLUMNS, find_column
from sockctl.cli.watch_picture import Picture
from sockctl.cli.watch_view import View, choose_columns, find_empty, format_once
from sockctl.net.control.client import Snapshot
from sockctl.wrapping import measure_width
from tests.support.control import CONNECTION, SERVER


def picture_of(count: int, **changes: Any) -> Picture:
    rows = [
        {**CONNECTION, "number": number, "peer": f"127.0.0.{number % 200}:50000", "bytes_in": number * 10, **changes}
        for number in range(1, count + 1)
    ]
    before = Snapshot({**SERVER, "uptime_s": 99.0}, [{**row, "bytes_in": 0} for row in rows])
    return Picture(Snapshot({**SERVER, "clients": count}, rows), before)


def view_of(count: int, sort: str = "#", *, turned: bool = False, **changes: Any) -> View:
    column = find_column(sort)
    assert column is not None
    view = View(sort=column, turned=turned)
    view.picture = picture_of(count, **changes)
    return view


def screen_of(view: View, width: int = 160, height: int = 24) -> list[str]:
    console = Console(width=width, height=height, color_system=None)
    with console.capture() as capture:
        console.print(view.render(width, height))
    lines = [line.rstrip() for line in capture.get().split("\n")]
    assert lines.pop() == ""
    return lines


def numbers_on(lines: list[str]) -> list[int]:
    return [int(line.split()[0]) for line in lines if line.split()[:1] and line.split()[0].isdigit()]


def press(view: View, *keys: str) -> None:
    for key in keys:
        view.press(key)


@pytest.mark.parametrize("width", [20, 40, 80, 120, 160, 300])
@pytest.mark.parametrize("count", [0, 1, 1_000])
def test_every_screen_fits(width: int, count: int) -> None:
    view = view_of(count, name="Zoë", room="lobby", doing="paused")
    for keys in ((), ("end",), ("e",), ("/", "1")):
        press(view, *keys)
        lines = screen_of(view, width, 24)
        assert len(lines) <= 24 or width < 40
        assert max(map(measure_width, lines)) <= width


def test_before_the_first_answer() -> None:
    assert screen_of(View(sort=COLUMNS[0])) == ["Asking the server…"]


def test_a_server_that_is_silent() -> None:
    view = View(sort=COLUMNS[0])
    view.silent_s = 5
    assert "hasn't answered for 5 s" in screen_of(view)[1]
    view.picture = picture_of(100)
    lines = screen_of(view)
    assert len(lines) == 24
    assert any("The server hasn't answered for 5 s" in line for line in lines)


def test_the_first_picture_says_which_rows_it_shows() -> None:
    lines = screen_of(view_of(100))
    assert f"rows 1-{len(numbers_on(lines))} of 100, by # ↑" in lines


def test_wide_enough_for_all_columns() -> None:
    view = view_of(3, name="somebody", room="lobby", tls="TLSv1.3", paused=True)
    titles = next(line for line in screen_of(view) if line.split()[:1] == ["#"])
    assert titles.split() == [column.title for column in COLUMNS]


def test_columns_without_text_are_left_out() -> None:
    titles = next(line for line in screen_of(view_of(3)) if line.split()[:1] == ["#"])
    assert not {"NAME", "ROOM", "TLS", "STATE"} & set(titles.split())
    assert "ROOM" in "\n".join(screen_of(view_of(3, "room"))), "the cursor is there"
    assert find_empty([]) == {at for at, column in enumerate(COLUMNS) if not column.is_number}


def test_the_cursor_passes_over_columns_that_are_left_out() -> None:
    def find_column_of(view: View) -> str:
        press(view, "e")
        text = "\n".join(screen_of(view, 500))
        press(view, "e")
        return next(column.title for column in COLUMNS if column.meaning in text)

    view = view_of(3)
    seen = []
    for _ in COLUMNS:
        seen.append(find_column_of(view))
        press(view, "right")
    assert list(dict.fromkeys(seen)) == [
        column.title for column in COLUMNS if column.title not in {"NAME", "ROOM", "TLS", "STATE"}
    ]
    assert find_column_of(view) == "RETR", "the last one"
    view = view_of(3, "room")
    press(view, "left")
    assert find_column_of(view) == "PEER"
    press(view, "home", "left", "right", "right")
    assert find_column_of(view) == "WIRE"
    press(view, "/", "x", "c-m", "left", "right")
    assert find_column_of(view) == "AGE", "no row is left, nor any text"


@pytest.mark.parametrize(("width", "height"), [(40, 24), (40, 12), (30, 10), (80, 24)])
@pytest.mark.parametrize("count", [0, 100])
def test_how_to_quit_is_always_shown(width: int, height: int, count: int) -> None:
    lines = screen_of(view_of(count), width, height)
    assert len(lines) <= height
    assert any(line.startswith("q quit") for line in lines)


def test_the_column_of_the_cursor_is_always_shown() -> None:
    view = view_of(3, name="somebody", room="lobby", tls="TLSv1.3", paused=True)
    for column in COLUMNS[1:]:
        press(view, "right", "e")
        text = "\n".join(screen_of(view, 80))
        assert f"{column.title}: " in text
        assert column.title in [word for line in text.split("\n") if line.split()[:1] == ["#"] for word in line.split()]
        press(view, "e")
    press(view, "right", "left", "home", "e")
    assert "#: The number of the connection" in "\n".join(screen_of(view, 80))


def test_sorting_and_turning_round() -> None:
    view = view_of(5)
    assert numbers_on(screen_of(view)) == [1, 2, 3, 4, 5]
    press(view, *["right"] * 6, "s")
    assert numbers_on(screen_of(view)) == [5, 4, 3, 2, 1]
    assert "by IN/S ↓" in "\n".join(screen_of(view))
    press(view, "s")
    assert numbers_on(screen_of(view)) == [1, 2, 3, 4, 5]
    assert numbers_on(screen_of(view_of(3, "#", turned=True))) == [3, 2, 1]


def test_rows_and_pages() -> None:
    view = view_of(100)
    first = numbers_on(screen_of(view))
    assert first == list(range(1, len(first) + 1))
    press(view, "down", "down", "up")
    assert numbers_on(screen_of(view))[0] == 2
    press(view, "pagedown")
    assert numbers_on(screen_of(view))[0] == 2 + len(first)
    press(view, *["pagedown"] * 20)
    assert numbers_on(screen_of(view))[-1] == 100
    press(view, *["pageup"] * 20)
    assert numbers_on(screen_of(view))[0] == 1
    press(view, *["pagedown"] * 20)
    screen_of(view)
    view.picture = picture_of(3)
    assert numbers_on(screen_of(view)) == [1, 2, 3], "fewer rows than before"


def test_a_filter_is_typed_and_removed() -> None:
    view = view_of(40)
    press(view, "/", "0", ".", "1", ":", "x", "c-h")
    text = "\n".join(screen_of(view))
    assert "peers with: 0.1:▏" in text
    assert numbers_on(screen_of(view)) == [1]
    press(view, "c-m", "q")
    assert view.is_over
    assert "peers with '0.1:' (Esc shows all)" in "\n".join(screen_of(view))
    press(view, "escape")
    assert "1-" in "\n".join(screen_of(view))
    press(view, "/", "q", "escape")
    assert "of 40" in "\n".join(screen_of(view))


def test_a_filter_that_nothing_fits() -> None:
    view = view_of(3)
    press(view, "/", "x", "c-m")
    assert "no rows, by # ↑, peers with 'x'" in "\n".join(screen_of(view))


def test_text_from_a_client_steers_no_terminal() -> None:
    view = view_of(1, name="a\x1b[31mb", room="\u202e")
    assert "\x1b" not in "\n".join(screen_of(view))
    assert "\u202e" not in "\n".join(screen_of(view))


@pytest.mark.parametrize("cursor", range(8))
def test_the_columns_that_fit(cursor: int) -> None:
    chosen = choose_columns([4, 10, *[6] * 6], 40, cursor, {2})
    assert cursor in chosen
    assert chosen[:2] == [0, 1]
    assert sum([4, 10, *[6] * 6][at] + 2 for at in chosen) - 2 <= 40
    assert (2 in chosen) == (cursor == 2)


def test_one_look_for_a_terminal() -> None:
    picture = picture_of(2)
    text = format_once(picture, picture.rows, width=80, colour=False)
    assert "\x1b" not in text
    assert numbers_on(text.split("\n")) == [1, 2]
    assert "\x1b[" in format_once(picture, picture.rows, width=80, colour=True)
