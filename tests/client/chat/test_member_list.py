"""Tests for `sockctl.client.chat.member_list`."""

from typing import Any

import pytest

from sockctl.client.chat.member_list import AWAY_CHARACTERS, list_cells
from sockctl.protocol.messages import make_message


def cells(members: Any, details: Any) -> tuple[str, ...]:
    return list_cells(make_message("members", "In lobby: some.", members=members, details=details))[1]


def test_the_text_up_to_the_colon_stands_above_the_cells() -> None:
    one = make_message("members", "In lobby: ann, bob", members=["ann", "bob"], details=[{}, {}])
    assert list_cells(one) == ("In lobby:", ("ann", "bob"))


def test_names_are_in_order_whatever_their_case() -> None:
    assert cells(["carol", "Bob", "ann"], [{}, {"operator": True}, {}]) == ("ann", "@Bob", "carol")


@pytest.mark.parametrize(
    ("detail", "cell"),
    [
        ({}, "ann"),
        ({"operator": True}, "@ann"),
        ({"operator": 1}, "ann"),
        ({"idle_s": 59}, "ann"),
        ({"idle_s": 60}, "ann (idle 1m)"),
        ({"idle_s": 3_599}, "ann (idle 59m)"),
        ({"idle_s": 3_600}, "ann (idle 1h)"),
        ({"idle_s": 86_399}, "ann (idle 23h)"),
        ({"idle_s": 86_400, "operator": True}, "@ann (idle 1d)"),
        ({"idle_s": -1}, "ann"),
        ({"idle_s": True}, "ann"),
        ({"idle_s": 90.0}, "ann"),
        ({"idle_s": 1 << 41}, "ann"),
        ({"away": "lunch", "idle_s": 3_600}, "ann (away: lunch)"),
        ({"away": "", "operator": True}, "@ann (away)"),
        ({"away": None, "idle_s": 120}, "ann (idle 2m)"),
        ({"away": "x" * AWAY_CHARACTERS}, f"ann (away: {'x' * AWAY_CHARACTERS})"),
        ({"away": "x" * (AWAY_CHARACTERS + 1)}, f"ann (away: {'x' * AWAY_CHARACTERS}…)"),
        ("junk", "ann"),
        (None, "ann"),
    ],
)
def test_marks_of_a_member(detail: Any, cell: str) -> None:
    assert cells(["ann"], [detail]) == (cell,)


def test_strange_names_and_reasons_reach_no_terminal() -> None:
    (cell,) = cells(["a\x1b[2Jnn"], [{"away": "\x1b]0;title\x07"}])
    assert cell.isprintable()


@pytest.mark.parametrize(
    ("members", "details"),
    [(None, [{}]), (["ann"], None), (["ann"], []), ("ann", [{}, {}, {}]), (["ann"], {"ann": {}})],
)
def test_a_list_without_details_is_its_text(members: Any, details: Any) -> None:
    one = make_message("members", "In lobby: ann", members=members, details=details)
    assert list_cells(one) == ("In lobby: ann", ())


def test_what_is_no_name_is_left_out() -> None:
    assert cells([7, "ann", None], [{}, {"operator": True}, {}]) == ("@ann",)
