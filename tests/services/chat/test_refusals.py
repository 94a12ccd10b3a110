"""Clients are told which of their messages was refused."""

from sockctl.errors import CommandError, MutedError
from sockctl.protocol.messages import make_message
from sockctl.services.chat.refusals import refuse, refuse_for
from tests.support.chat_room import Played


def test_each_message_with_a_number_and_all_others_at_once() -> None:
    ann = Played("ann")
    lines = [
        make_message("line", "a"),
        make_message("line", "b", n=2),
        make_message("line", "c"),
        make_message("line", "d", n=4),
    ]
    refuse(ann, lines, "None of 4.", code="not_said", each="Not this one.")
    assert ann.messages == [
        {"kind": "error", "text": "Not this one.", "code": "not_said", "n": 2},
        {"kind": "error", "text": "Not this one.", "code": "not_said", "n": 4},
        {"kind": "error", "text": "None of 4.", "code": "not_said"},
    ]


def test_an_error_says_until_when() -> None:
    ann = Played("ann")
    refuse_for(ann, [make_message("line", "a", n=0)], MutedError("Muted.", until="2026-01-31T12:00:00Z"))
    refuse_for(ann, [make_message("line", "a")], CommandError("No."))
    assert ann.messages == [
        {"kind": "error", "text": "Muted.", "code": "muted", "until": "2026-01-31T12:00:00Z", "n": 0},
        {"kind": "error", "text": "No.", "code": "bad_command"},
    ]
