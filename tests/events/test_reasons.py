"""Reasons: stable words of the core and of services, alike in JSON and in text."""

import json

from sockctl.events.reasons import DisconnectReason, Reason, RefusalReason

OWN = Reason("bored", "The service was bored.", "I am bored. Goodbye!", puts_out=True)


def test_a_service_has_reasons_of_its_own() -> None:
    assert OWN == "bored"
    assert (OWN.explanation, OWN.farewell, OWN.puts_out) == ("The service was bored.", "I am bored. Goodbye!", True)


def test_reasons_of_the_core_and_of_services_look_alike() -> None:
    for reason, word in ((OWN, "bored"), (DisconnectReason.FLOODING, "flooding"), (RefusalReason.DENIED, "denied")):
        assert (str(reason), f"{reason}", json.dumps(reason)) == (word, word, f'"{word}"')
        assert isinstance(reason, Reason)


def test_most_reasons_put_nobody_out() -> None:
    assert {one for one in DisconnectReason if one.puts_out} == {
        DisconnectReason.FLOODING,
        DisconnectReason.LOGIN_TIMEOUT,
    }
    assert not Reason("word").puts_out


def test_every_reason_is_explained() -> None:
    for reason in (*DisconnectReason, *RefusalReason):
        assert reason == reason.value
        assert len(reason.explanation) > 10
