"""Tests for `sockctl.errors`: what programs rely on of each error."""

import ast
import inspect
from pathlib import Path
from typing import Any

import pytest

import sockctl
from sockctl import errors
from sockctl.cli.exit_codes import ExitCode, find_exit_code
from sockctl.errors import SockctlError

ERRORS = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if issubclass(kind, SockctlError)]
PARENTS = {kind for kind in ERRORS if any(other is not kind and issubclass(other, kind) for other in ERRORS)}
FURTHER: dict[str, dict[str, Any]] = {
    "SinkError": {"written": 3},
    "WeakPasswordError": {"guesses": 10.0, "needed": 1e6},
    "MutedError": {"until": "2099-01-31T12:00:00Z"},
    "LoginFailedError": {"user": "ann"},
    "TokenReusedError": {"user": "ann", "session": "a1b2"},
    "ThrottledError": {"retry_after_s": 7},
    "ServerGoneError": {"in_order": True},
}
"""What the errors have beside their text."""
CODES = {
    "AnswerRefusedError": "bad_answer",
    "NameRefusedError": "bad_name",
    "NameTakenError": "name_taken",
    "TooManyNewError": "too_many_new",
    "PasswordRefusedError": "bad_password",
    "WeakPasswordError": "bad_password",
    "CommandError": "bad_command",
    "MutedError": "muted",
    "TextTooLongError": "too_long",
    "UnknownCommandError": "unknown_command",
    "RoomRefusedError": "bad_room",
    "ProtocolError": "protocol_error",
    "MessageTooLargeError": "too_large",
    "BadTextError": "bad_utf8",
    "BadMessageError": "bad_message",
    "TruncatedMessageError": "truncated",
    "MessageTimeoutError": "timeout",
    "LateHelloError": "late_hello",
    "HttpRefusedError": "http",
    "WebSocketError": "websocket",
    "BinaryRefusedError": "binary",
    "TooManyLargeError": "busy",
    "NotWebSocketError": "not_websocket",
    "NotGreetedError": "not_greeted",
    "TlsReceivedError": "tls",
    "TlsError": "tls",
    "LoginError": "login_failed",
    "LoginFailedError": "login_failed",
    "TokenRefusedError": "bad_token",
    "TokenReusedError": "bad_token",
    "ThrottledError": "throttled",
    "BusyError": "busy",
}
"""The words that go over the wire: a client of an earlier version knows them."""
EXIT_CODES = {
    ExitCode.USAGE: (
        "AddressError CommandError ConfigError FingerprintError InputNeededError MutedError NameRefusedError "
        "OptionError PasswordRefusedError ProgramError RoomRefusedError RuleError ScriptError TargetIsProxyError "
        "TextTooLongError UnknownCommandError WeakPasswordError"
    ),
    ExitCode.UNREACHABLE: "ControlError EngineAwayError NoServerError UnreachableError",
    ExitCode.NOT_LET_IN: (
        "BusyError EngineLoginError EngineUntrustedError InsecureError LoginError LoginFailedError NotLetInError "
        "NotToldError ThrottledError "
        "TokenRefusedError TokenReusedError TurnedAwayError UnknownCertificateError UntrustedError"
    ),
    ExitCode.TIMED_OUT: "ConnectTimeoutError EngineTimeoutError IdleTimeoutError",
    ExitCode.UNEXPECTED: "ExpectationError",
    ExitCode.BROKEN: (
        "BinaryRefusedError NotWebSocketError WebSocketClosedError WebSocketError "
        "BadMessageError BadTextError ConnectionBrokenError HttpRefusedError LateHelloError MessageTimeoutError "
        "ServerGoneError "
        "MessageTooLargeError NotAnEngineError NotGreetedError ProtocolError TlsError TlsReceivedError "
        "TooManyLargeError TruncatedMessageError"
    ),
}
"""The errors that lead to another exit code than the one of failures."""


def make(kind: type[SockctlError]) -> SockctlError:
    if kind is errors.HttpError:
        return errors.HttpError(404, "It failed.")
    return kind("It failed.", **FURTHER.get(kind.__name__, {}))


@pytest.mark.parametrize("kind", ERRORS, ids=lambda kind: kind.__name__)
def test_each_error_has_its_text_its_values_and_its_code(kind: type[SockctlError]) -> None:
    error = make(kind)
    assert str(error) == "It failed."
    for name, value in FURTHER.get(kind.__name__, {}).items():
        assert getattr(error, name) == value
    assert getattr(kind, "code", None) == CODES.get(kind.__name__)


@pytest.mark.parametrize("kind", ERRORS, ids=lambda kind: kind.__name__)
def test_each_error_leads_to_its_exit_code(kind: type[SockctlError]) -> None:
    meant = next((code for code, names in EXIT_CODES.items() if kind.__name__ in names.split()), ExitCode.FAILED)
    assert find_exit_code(make(kind)) is meant


def test_each_error_is_raised_somewhere_or_is_a_family() -> None:
    used: set[str] = set()
    for path in Path(sockctl.__file__).parent.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                used.add(node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", ""))
    assert not {kind.__name__ for kind in ERRORS if kind not in PARENTS} - used


def test_an_output_that_is_closed_is_told_in_our_words() -> None:
    for error, why in ((OSError(9, "Bad file descriptor"), "it is closed"), (OSError(28, "No space left"), "No space")):
        text = str(errors.StreamError.of_output(error))
        assert text.startswith(f"Standard output can't be written: {why}")
        assert text.endswith(". The rest is lost.")


def test_what_does_not_end_by_itself_has_no_end() -> None:
    assert errors.CommandError("No.").until is None
    assert errors.MutedError("No.", until=None).until is None
    assert errors.SinkError("No.").written == 0
    assert errors.BusyError("No.").retry_after_s is None
    assert errors.LoginFailedError("No.").retry_after_s is None
