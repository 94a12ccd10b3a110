import pytest
from hypothesis import given
from hypothesis import strategies as st

from sockctl.client.chat.layout import measure_width
from sockctl.client.chat.status_line import Status, Unread, status_row

UNREAD = (Unread(2, "#games", 3, 1), Unread(3, "#dev", 12, 0), Unread(0, "#tea", 1, 0))
FULL = Status("#lobby", 5, UNREAD, None, ("bob",), "13:51")


@pytest.mark.parametrize(
    ("columns", "row"),
    [
        (100, "#lobby 5 members │ 2:#games 3 !1  3:#dev 12  #tea 1 │ connected │ bob types… 13:51"),
        (80, "#lobby 5 │ 2:#games 3 !1  3:#dev 12  #tea 1 │ bob types… 13:51"),
        (66, "#lobby 5 │ 2:#games 3 !1  3:#dev 12  #tea 1 │ bob types… 13:51"),
        (65, "#lobby 5 │ 2:#games 3 !1  3:#dev 12  #tea 1 │ 1 typing 13:51"),
        (60, "#lobby 5 │ 2:#games 3 !1  +2 rooms 13 │ 1 typing 13:51"),
        (50, "#lobby 5 │ 2:#games 3 !1  +2 rooms 13 13:51"),
        (40, "#lobby 5 │ 3 rooms 16 !1 13:51"),
        (32, "#lobby │ 3 rooms 16 !1 13:51"),
        (24, "#lobby │ 3 rooms 16 !1"),
        (12, "#lobby │ 3…"),
    ],
)
def test_the_longest_form_that_fits_is_shown(columns: int, row: str) -> None:
    shown = status_row(FULL, columns)
    assert " ".join(shown.split()) == " ".join(row.split())
    assert len(shown) == columns or columns < 20


@pytest.mark.parametrize(
    ("away_s", "wide", "narrow"),
    [
        (None, "connected", ""),
        (0, "away, connecting", "away"),
        (0.2, "away, coming back in 1 s", "away 1 s"),
        (29.6, "away, coming back in 30 s", "away 30 s"),
    ],
)
def test_a_lost_connection_is_told_at_any_width(away_s: float | None, wide: str, narrow: str) -> None:
    status = Status("#lobby", 5, (), away_s, (), "13:51")
    assert f"│ {wide}" in status_row(status, 80)
    assert narrow in status_row(status, 30)


def test_many_who_type_are_counted() -> None:
    assert "bob, cem type…" in status_row(Status("#a", None, typing=("bob", "cem")), 80)
    assert "4 typing" in status_row(Status("#a", None, typing=("b", "c", "d", "e")), 80)


def test_one_unread_room_has_its_name_at_any_width() -> None:
    status = Status("#lobby", 10, (Unread(2, "#games", 1, 0),), None, ("bob", "cem"), "13:51")
    assert " ".join(status_row(status, 40).split()) == "#lobby 10 │ 2:#games 1 13:51"
    assert "2:#a-room-w… 1 " in status_row(status._replace(unread=(Unread(2, "#a-room-with-a-long-name", 1, 0),)), 40)


def test_a_long_room_is_cut_last() -> None:
    room = "#" + "r" * 32
    row = status_row(Status(room, 5, UNREAD, 3.0, ("bob",), "13:51"), 50)
    assert row.startswith(" #rrrrrrrr… 5 │ 3 rooms 16 !1 │ away 3 s ")
    assert room in status_row(Status(room, 5, clock="13:51"), 48)


@given(
    st.text("ab小", max_size=40),
    st.integers(0, 10**6),
    st.lists(
        st.builds(Unread, st.integers(0, 9), st.text("#c", max_size=33), st.integers(1, 10**5), st.integers(0, 9))
    ),
    st.integers(1, 200),
)
def test_it_never_wraps(room: str, members: int, unread: list[Unread], columns: int) -> None:
    row = status_row(Status(room, members, tuple(unread), 2.0, ("bob", "cem"), "13:51"), columns)
    assert measure_width(row) <= columns
