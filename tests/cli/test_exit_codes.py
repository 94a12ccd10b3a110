"""Tests for `sockctl.cli.exit_codes`."""

from sockctl.cli.exit_codes import ExitCode, explain_exit_codes, find_exit_code
from sockctl.errors import SockctlError, ThrottledError, UnreachableError


def test_an_error_leads_to_the_code_of_its_nearest_relative() -> None:
    assert find_exit_code(UnreachableError("no")) is ExitCode.UNREACHABLE
    assert find_exit_code(ThrottledError("wait")) is ExitCode.NOT_LET_IN
    assert find_exit_code(SockctlError("else")) is ExitCode.FAILED


def test_help_lists_the_codes_of_a_command_in_their_order() -> None:
    assert explain_exit_codes() == "Exit codes: 0 done, 2 wrong usage."
    assert (
        explain_exit_codes(ExitCode.INTERRUPTED, ExitCode.FAILED)
        == "Exit codes: 0 done, 1 failed, 2 wrong usage, 130 interrupted."
    )


def test_a_command_may_say_what_a_code_means_for_it() -> None:
    text = explain_exit_codes(ExitCode.FAILED, meanings={ExitCode.FAILED: "something was lost"})
    assert text == "Exit codes: 0 done, 1 something was lost, 2 wrong usage."


def test_every_code_has_a_meaning() -> None:
    assert all(code.meaning for code in ExitCode)
