"""Tests for `shared_losses`: what a server learns from others of a loss."""

from sockctl.services.chat.shared_losses import REMEMBERED, Losses


def test_a_server_that_had_read_nothing_of_it_learns_of_a_loss_once() -> None:
    losses = Losses()
    losses.note_epoch(100, read_id=100)
    assert losses.is_news(100, 120)
    assert not losses.is_news(100, 130)


def test_a_server_that_lags_learns_of_it_too() -> None:
    losses = Losses()
    losses.note_epoch(100, read_id=90)
    assert losses.is_news(100, 120)


def test_a_server_that_had_read_some_of_it_knows_already() -> None:
    losses = Losses()
    losses.note_epoch(100, read_id=110)
    assert not losses.is_news(100, 120)


def test_a_server_that_came_later_has_lost_nothing() -> None:
    assert not Losses().is_news(100, 120)


def test_only_the_last_losses_are_remembered() -> None:
    losses = Losses()
    for number in range(REMEMBERED + 1):
        losses.note_epoch(number, read_id=number)
    assert not losses.is_news(0, 100)
    assert losses.is_news(1, 100)
