"""Tests for `sockctl.client.session_parts`."""

from typing import Any

import pytest

from sockctl.client.inputs import LineInput, PipeInput
from sockctl.client.script_steps import Send
from sockctl.client.session_parts import make_script, make_source, make_view
from sockctl.client.settings import ClientSettings


@pytest.mark.parametrize(
    ("settings", "kind"),
    [
        ({}, PipeInput),
        ({"messages": None}, PipeInput),
        ({"messages": True}, LineInput),
        ({"terminal": True}, LineInput),
        ({"terminal": True, "messages": True}, LineInput),
    ],
)
def test_only_a_pipe_of_raw_bytes_is_not_cut_into_lines(settings: dict[str, Any], kind: type) -> None:
    assert type(make_source(ClientSettings(**settings))) is kind


@pytest.mark.parametrize(
    ("settings", "remembers", "stays"),
    [
        ({"messages": True}, False, False),
        ({"messages": True, "reconnect": True}, True, False),
        ({"messages": None, "terminal": True}, True, True),
        ({"messages": None, "terminal": True, "json": True}, False, False),
        ({"messages": None, "terminal": True, "hex_dump": True}, False, False),
    ],
)
def test_who_remembers_a_chat(settings: dict[str, Any], remembers: bool, stays: bool) -> None:
    view = make_view(ClientSettings(**settings), own_lines_stay=True, remark=lambda _: None)
    assert (view is not None) is remembers
    assert (view is not None and view.own_lines_stay) is stays


def test_without_steps_there_is_no_script() -> None:
    assert make_script(ClientSettings(), "server") is None
    script = make_script(ClientSettings(steps=[Send("x")], timeout_s=2.0), "server")
    assert script is not None
    assert script.run_to_line(100.0, can_send=True) == "x"
    assert script.deadline == 102.0
