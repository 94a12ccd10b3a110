"""Tests for `sockctl.client.chat.update`."""

from sockctl.client.chat.update import Update


def test_rows_stand_at_the_bottom_of_a_cleared_screen() -> None:
    assert Update(["row"]).render() == "row\n"
    assert Update(["row"], rings=True).render() == "\arow\n"
    assert Update([], rings=True).render() == "\a"
