"""Tests for `sockctl.events.base`."""

from dataclasses import dataclass
from typing import ClassVar

import pytest

from sockctl.events.base import HELD_BYTES, Event, Level


@dataclass(frozen=True, slots=True, kw_only=True)
class PortHeard(Event):
    level: ClassVar[Level] = Level.ERROR

    port: int
    why: str | None = None

    @property
    def happened(self) -> str:
        return f"Port {self.port} heard it."

    @property
    def explanation(self) -> str:
        return self.why or ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _TookANap(Event):
    pass


def test_the_name_is_made_of_the_classs_own() -> None:
    assert _TookANap.name == "took_a_nap"
    assert _TookANap().name == "took_a_nap"
    assert PortHeard.name == "port_heard"
    assert Event.name == "event"


def test_the_text_is_what_happened_with_its_explanation() -> None:
    assert PortHeard(port=80).text == "Port 80 heard it."
    assert PortHeard(port=80, why="It listens.").text == "Port 80 heard it. It listens."


def test_fields_are_those_that_have_a_value() -> None:
    assert PortHeard(port=0).fields == {"port": 0}
    assert PortHeard(port=80, why="").fields == {"port": 80, "why": ""}


def test_an_event_is_usual_unless_it_says_otherwise() -> None:
    usual = _TookANap()
    assert (usual.level, usual.explained, usual.held_bytes, usual.shown_once) == (Level.INFO, 3, HELD_BYTES, None)
    assert PortHeard(port=80).level is Level.ERROR


def test_event_itself_has_no_text() -> None:
    with pytest.raises(NotImplementedError):
        _ = Event().text
