"""The lists of the topic pages name everything that the code has."""

import pytest

from sockctl.cli.exit_codes import ExitCode
from sockctl.cli.topic_lists import MAKERS
from sockctl.cli.topics import PAGES, read_topic
from sockctl.events.base import Event
from sockctl.events.reasons import DisconnectReason, RefusalReason


def all_events(kind: type[Event] = Event) -> set[str]:
    kinds = [each for each in kind.__subclasses__() if each.__module__.startswith("sockctl.")]  # tests make some, too
    names = {each.name for each in kinds if not each.__name__.startswith("_")}
    return names.union(*map(all_events, kinds))


def test_every_event_stands_in_the_page() -> None:
    page = read_topic("events")
    ours = {name for name in all_events() if name not in {"connection_event", "event"}}
    assert len(ours) > 50
    assert not {name for name in ours if f"- `{name}`" not in page}


def test_every_reason_stands_in_the_page() -> None:
    page = read_topic("events")
    services = {
        "kicked",
        "banned",
        "ping_timeout",
        "taken_over",
        "session_ended",
        "logged_out",
        "busy",
        "program_ended",
    }
    for reason in {*DisconnectReason, *RefusalReason, *services}:
        assert f"- `{reason}`: " in page


def test_every_exit_code_stands_in_the_page() -> None:
    page = read_topic("exit-codes")
    assert all(f"`{code.value}`" in page for code in ExitCode)


@pytest.mark.parametrize("name", MAKERS)
def test_every_list_is_used(name: str) -> None:
    assert any(f"\n{{{{{name}}}}}\n" in page.read_text() for page in PAGES.glob("*.md"))
    assert MAKERS[name]().startswith(("- `", "    redis-cli "))
