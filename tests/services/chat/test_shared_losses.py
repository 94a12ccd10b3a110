"""Tests for `shared_losses`: what a server learns from others of a loss."""

from collections.abc import Mapping
from typing import Any

import pytest

from sockctl.cluster.entry import Lost, Missed
from sockctl.errors import EngineAwayError
from sockctl.services.chat.shared_losses import REMEMBERED, Losses

LOSS = {"previous": 100, "upto": 120}


class Stage:
    def __init__(self) -> None:
        self.codes: list[str] = []
        self.asked: list[Mapping[str, Any]] = []
        self.is_away = False
        self.loaded = 0
        self.forgotten: list[int] = []
        self.losses = Losses(
            tell=lambda _, code: self.codes.append(code),
            ask=self.asked.append,
            load_state=self.load,
            forget=self.forgotten.append,
        )

    def load(self) -> None:
        if self.is_away:
            raise EngineAwayError("It is away.")
        self.loaded += 1


@pytest.fixture
def stage() -> Stage:
    return Stage()


@pytest.mark.parametrize("read_id", [90, 100])
def test_a_server_that_had_read_nothing_of_a_loss_is_told_once(stage: Stage, read_id: int) -> None:
    stage.losses.note_epoch(100, read_id=read_id)
    stage.losses.hear(LOSS)
    stage.losses.hear({"previous": 100, "upto": 130})
    assert stage.codes == ["lost"]


def test_a_server_that_had_read_some_of_it_tells_the_others(stage: Stage) -> None:
    stage.losses.take(Lost(100, 110))
    stage.losses.note_epoch(100, read_id=110)
    assert stage.asked == [{"previous": 100, "upto": 110}]
    stage.losses.hear(stage.asked[0])
    stage.losses.hear(LOSS)
    assert stage.codes == ["lost"]


def test_a_server_that_came_later_has_lost_nothing(stage: Stage) -> None:
    stage.losses.hear(LOSS)
    stage.losses.hear({})
    assert not stage.codes


def test_only_the_last_losses_are_remembered(stage: Stage) -> None:
    for number in range(REMEMBERED + 1):
        stage.losses.note_epoch(number, read_id=number)
    stage.losses.hear({"previous": 0, "upto": 500})
    assert not stage.codes
    stage.losses.hear({"previous": 1, "upto": 500})
    assert stage.codes == ["lost"]


def test_the_state_is_loaded_after_something_was_missed(stage: Stage) -> None:
    stage.losses.take(Missed(100, 120))
    assert (stage.codes, stage.asked, stage.forgotten, stage.loaded) == (["missed"], [{}], [119], 1)
    stage.losses.hear({})
    assert stage.loaded == 1


def test_the_state_is_loaded_as_soon_as_the_engine_answers(stage: Stage) -> None:
    stage.is_away = True
    stage.losses.take(Missed(100, 120))
    stage.is_away = False
    stage.losses.hear({})
    stage.losses.hear({})
    assert stage.loaded == 1
