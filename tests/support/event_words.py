"""How an event reads: the words that programs and people rely on."""

import inspect
import json
from collections.abc import Sequence
from types import ModuleType
from typing import NamedTuple

from sockctl.events.base import Event, Level


class Reading(NamedTuple):
    """An event, and how it is meant to read."""

    event: Event
    name: str
    level: Level
    happened: str
    explanation: str = ""


def read(event: Event) -> Reading:
    """Return how an event reads; its fields must be the same behind JSON, and its text whole."""
    assert json.loads(json.dumps(event.fields)) == event.fields
    assert not {"{", "}"} & set(event.text), f"a placeholder that nobody has filled: {event.text}"
    assert "  " not in event.text, event.text
    assert "None" not in event.text, event.text
    return Reading(event, event.name, event.own_level, event.happened, event.explanation)


def check_complete(module: ModuleType, readings: Sequence[Reading]) -> None:
    """Check that there is a reading of each event that a module defines."""
    defined = {
        kind
        for _, kind in inspect.getmembers(module, inspect.isclass)
        if issubclass(kind, Event) and kind.__module__ == module.__name__ and not kind.__name__.startswith("_")
    }
    read_ones = {type(reading.event) for reading in readings}
    assert read_ones == defined, f"{read_ones ^ defined}"
