"""The line editor of an operator: its completion, Ctrl-C, and Ctrl-Z."""

import os
import signal
import sys
from collections.abc import Iterator

import pytest
from prompt_toolkit.application import create_app_session
from prompt_toolkit.buffer import Buffer
from prompt_toolkit.document import Document
from prompt_toolkit.output import DummyOutput

from sockctl.cli.operator_editor import OperatorEditor
from sockctl.client.chat.roster import Roster
from sockctl.protocol.messages import make_message
from sockctl.terminal import STDIN


@pytest.fixture
def stops() -> list[str]:
    return []


@pytest.fixture
def editor(stops: list[str], keyboard: int, monkeypatch: pytest.MonkeyPatch) -> Iterator[OperatorEditor]:
    assert keyboard
    with open(STDIN, closefd=False) as stdin, create_app_session(output=DummyOutput()):
        monkeypatch.setattr(sys, "stdin", stdin)
        roster = Roster()
        roster.update(make_message("welcome", name="server", operator=True))
        one = OperatorEditor(stop_job=lambda: stops.append("stopped"), roster=roster)
        yield one
        one.entries.close()


@pytest.mark.parametrize(
    ("before", "word", "offers", "not_offered"),
    [
        ("/ev", "/ev", {"/events "}, {"/kick "}),
        ("/", "/", {"/events "}, set()),
        ("/events o", "o", {"on", "off"}, set()),
        ("/events of", "of", {"off"}, {"on"}),
        ("/kick o", "o", set(), {"on", "off"}),
        ("ev", "ev", set(), {"/events "}),
        ("", "", set(), {"/events "}),
    ],
)
def test_the_consoles_command_is_completed_as_well(
    editor: OperatorEditor, before: str, word: str, offers: set[str], not_offered: set[str]
) -> None:
    given, found = editor.find_words(before)
    assert given == word
    assert offers <= set(found)
    assert not not_offered & set(found)
    assert found == sorted(found) or before.startswith("/events ")


def test_ctrl_c_clears_a_line_and_stops_the_server_on_an_empty_one(editor: OperatorEditor) -> None:
    got: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _: got.append(number))
    try:
        buffer = Buffer(document=Document("half a line"))
        editor.clear_or_leave(buffer)
        assert (buffer.text, got) == ("", [])
        editor.clear_or_leave(buffer)
        os.getpid()  # a signal handler runs between two steps
        assert got == [signal.SIGINT]
    finally:
        signal.signal(signal.SIGINT, before)


def test_ctrl_z_stops_the_job(editor: OperatorEditor, stops: list[str]) -> None:
    editor.stop_job()
    assert stops == ["stopped"]
