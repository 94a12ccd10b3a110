from sockctl.cli.event_catalog import list_events, list_reasons
from sockctl.events.reasons import DisconnectReason, RefusalReason


def test_every_event_has_a_sentence() -> None:
    entries = list(list_events())
    assert len({(entry.side, entry.name) for entry in entries}) == len(entries)
    names = {entry.name for entry in entries}
    assert {"server_started", "client_connected", "connected", "events_lost", "events_summed"} <= names
    for entry in entries:
        assert entry.sentence.endswith("."), entry
        assert "`" not in entry.sentence
        assert entry.level in {"detail", "info", "warning", "error"}


def test_the_fields_are_those_of_json() -> None:
    received = next(entry for entry in list_events() if (entry.side, entry.name) == ("server", "data_received"))
    assert received.fields == (
        "connection",
        "peer",
        "bytes",
        "portions",
        "portion_bytes",
        "seconds",
        "encrypted",
        "reads",
    )


def test_every_reason_has_a_sentence() -> None:
    entries = list(list_reasons())
    by_why = {
        why: [entry.name for entry in entries if entry.why == why] for why in ("refused", "disconnected", "ended")
    }
    assert by_why["refused"] == [str(reason) for reason in RefusalReason]
    assert {*map(str, DisconnectReason), "kicked", "logged_out", "program_ended"} <= set(by_why["disconnected"])
    assert "quit_after" in by_why["ended"]
    for names in by_why.values():
        assert len(set(names)) == len(names)
    assert all(entry.sentence.endswith(".") for entry in entries)
