import json
from typing import Any

import pytest

from sockctl.cli.explain_runner import Wanted, show_topics
from sockctl.explain.catalogue import load_topic
from sockctl.explain.topic import Topic

pytestmark = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
"""A command has no threads when it starts the child; a test worker has some."""


def load(*names: str) -> dict[str, Topic[Any]]:
    return {name: load_topic(name) for name in names}


def wanted(*, as_json: bool = False) -> Wanted:
    return Wanted(guess=False, slow=False, json=as_json)


def test_several_topics_follow_each_other(capsys: pytest.CaptureFixture[str]) -> None:
    show_topics(load("text", "stream"), wanted(), as_list=True)
    shown = capsys.readouterr().out
    assert shown.startswith("text: ")
    assert "\n\nstream: " in shown
    assert shown.count("Try it: ") == 2


def test_the_json_of_several_topics_is_a_list(capsys: pytest.CaptureFixture[str]) -> None:
    show_topics(load("text"), wanted(as_json=True), as_list=True)
    assert [fields["topic"] for fields in json.loads(capsys.readouterr().out)] == ["text"]
    show_topics(load("text"), wanted(as_json=True), as_list=False)
    assert json.loads(capsys.readouterr().out)["topic"] == "text"
