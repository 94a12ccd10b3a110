import dataclasses
import inspect
import json

import pytest

from sockctl.events import (
    acceptance,
    accounts,
    chat,
    client,
    client_tls,
    connection,
    journal,
    reconnecting,
    server,
    services,
    sums,
    web,
)
from sockctl.events.base import ConnectionEvent, Event
from sockctl.events.reasons import DisconnectReason, RefusalReason

EVENTS = [
    kind
    for module in (
        acceptance,
        accounts,
        chat,
        connection,
        server,
        services,
        client,
        client_tls,
        journal,
        reconnecting,
        sums,
        web,
    )
    for _, kind in inspect.getmembers(module, inspect.isclass)
    if issubclass(kind, Event) and kind not in (Event, ConnectionEvent) and not kind.__name__.startswith("_")
]
SAMPLES: dict[str, object] = {
    "reason": DisconnectReason.CLIENT_CLOSED,
    "amounts": {"bytes": 2_048, "portions": 2},
    "reasons": {RefusalReason.DENIED: 2, RefusalReason.TOO_MANY_CLIENTS: 1},
    "code": "busy",
    "by": "token",
    "did": "An operator put somebody out.",
    "scope": "unix",
    "seconds": 1.5,
    "host": "::1",
    "peer": "[::1]:50000",
    "drain_timeout_s": 5.0,
}


def sample(kind: type[Event]) -> Event:
    values: dict[str, object] = {}
    for field in dataclasses.fields(kind):
        values[field.name] = SAMPLES.get(field.name, "word" if field.type is str else 1)
    if kind is acceptance.ClientRefused:
        values["reason"] = RefusalReason.DENIED
    if kind is client.Disconnected:
        values["reason"] = "quit_after"
    return kind(**values)


@pytest.mark.parametrize("kind", EVENTS, ids=lambda kind: f"{kind.__module__.rpartition('.')[2]}.{kind.__name__}")
def test_every_event_is_frozen_named_and_explained(kind: type[Event]) -> None:
    event = sample(kind)
    assert event.name not in ("", "event")
    assert event.text.strip().endswith((".", "9090", "1", "word")) or kind is server.Reachable
    assert len(event.text) > 15
    assert event.text == " ".join(filter(None, (event.happened, event.explanation)))
    for field in dataclasses.fields(kind):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(event, field.name, None)
    assert json.loads(json.dumps(event.fields)).keys() == event.fields.keys()


def test_names_are_unique_per_side() -> None:
    for side in ((acceptance, accounts, chat, connection, server, services, web), (client,)):
        names = [kind.name for kind in EVENTS if kind.__module__ in {module.__name__ for module in side}]
        assert len(names) == len(set(names))
