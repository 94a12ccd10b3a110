"""A catalog of all events and reasons with their sentences, made from the code."""

import dataclasses
import importlib
import inspect
import pkgutil
from collections.abc import Iterator
from typing import NamedTuple

from sockctl import events, proxy, services
from sockctl.events.base import ConnectionEvent, Event
from sockctl.events.client import ENDED
from sockctl.events.reasons import DisconnectReason, ForgottenReason, Reason, RefusalReason, UnansweredReason

_CLIENT = {"client", "client_tls", "client_udp", "client_web", "reconnecting"}
"""The modules whose events a client emits; the others are a server's."""


class EventEntry(NamedTuple):
    """An event of the catalog."""

    name: str
    side: str
    """``server`` or ``client``."""
    level: str
    """``detail``, ``info``, ``warning`` or ``error``."""
    fields: tuple[str, ...]
    """The fields that JSON has beside time, event, service and text."""
    sentence: str


class ReasonEntry(NamedTuple):
    """A reason of the catalog."""

    name: str
    why: str
    """What the reason is for: ``refused``, ``disconnected``, ``unanswered``, ``forgotten``; of a client ``ended``."""
    sentence: str


def list_events() -> Iterator[EventEntry]:
    """Yield every event, module by module, in the order of the code."""
    for found in pkgutil.iter_modules(events.__path__):
        module = importlib.import_module(f"{events.__name__}.{found.name}")
        side = "client" if found.name in _CLIENT else "server"
        for kind in vars(module).values():
            if not _is_event_of(kind, module.__name__):
                continue
            sentence = " ".join((inspect.getdoc(kind) or "").partition("\n\n")[0].split()).replace("`", "")
            fields = tuple(field.name for field in dataclasses.fields(kind) if field.repr)
            yield EventEntry(kind.name, side, kind.level.name.lower(), fields, sentence)


def list_reasons() -> Iterator[ReasonEntry]:
    """Yield every reason: why a server refuses, closes, doesn't answer or forgets, and why a client's session ends."""
    for refusal in RefusalReason:
        yield ReasonEntry(str(refusal), "refused", _make_sentence(refusal.explanation))
    for unanswered in UnansweredReason:
        yield ReasonEntry(str(unanswered), "unanswered", _make_sentence(unanswered.explanation))
    for forgotten in ForgottenReason:
        yield ReasonEntry(str(forgotten), "forgotten", forgotten.explanation)
    for end in (*DisconnectReason, *_list_reasons_of_services()):
        yield ReasonEntry(str(end), "disconnected", end.explanation)
    for name, sentence in ENDED.items():
        yield ReasonEntry(name, "ended", f"{sentence}.")


def _is_event_of(kind: object, module: str) -> bool:
    return (
        isinstance(kind, type)
        and issubclass(kind, Event)
        and kind not in {Event, ConnectionEvent}
        and not kind.__name__.startswith("_")
        and kind.__module__ == module
    )


def _list_reasons_of_services() -> list[Reason]:
    """Return the reasons that services have, each once."""
    found: dict[Reason, None] = {}
    for room in (services, proxy):
        for each in pkgutil.walk_packages(room.__path__, f"{room.__name__}."):
            values = vars(importlib.import_module(each.name)).values()
            found.update((value, None) for value in values if type(value) is Reason)
    return list(found)


def _make_sentence(words: str) -> str:
    return f"{words[:1].upper()}{words[1:]}."
