"""The exit codes, and the error classes that lead to them."""

import enum
from collections.abc import Mapping

from sockctl import errors


class ExitCode(enum.IntEnum):
    """The exit codes of commands.

    Attributes:
        meaning: The meaning of the code, for the help.
    """

    meaning: str

    def __new__(cls, value: int, meaning: str) -> "ExitCode":
        """Return a code with its meaning."""
        code = int.__new__(cls, value)
        code._value_ = value
        code.meaning = meaning
        return code

    DONE = 0, "done"
    FAILED = 1, "failed"
    USAGE = 2, "wrong usage"
    UNREACHABLE = 3, "unreachable or refused"
    NOT_LET_IN = 4, "not let in"
    TIMED_OUT = 5, "timed out"
    UNEXPECTED = 6, "an expectation is not met"
    BROKEN = 7, "the server reset the connection or broke the protocol"
    INTERRUPTED = 130, "interrupted"


_CODES: dict[type[errors.SockctlError], ExitCode] = {
    errors.AddressError: ExitCode.USAGE,
    errors.CommandError: ExitCode.USAGE,
    errors.ConfigError: ExitCode.USAGE,
    errors.FingerprintError: ExitCode.USAGE,
    errors.RuleError: ExitCode.USAGE,
    errors.ScriptError: ExitCode.USAGE,
    errors.InputNeededError: ExitCode.USAGE,
    errors.NameRefusedError: ExitCode.USAGE,
    errors.OptionError: ExitCode.USAGE,
    errors.PasswordRefusedError: ExitCode.USAGE,
    errors.ProgramError: ExitCode.USAGE,
    errors.TargetIsProxyError: ExitCode.USAGE,
    errors.UnreachableError: ExitCode.UNREACHABLE,
    errors.NoServerError: ExitCode.UNREACHABLE,
    errors.ControlError: ExitCode.UNREACHABLE,
    errors.ServerGoneError: ExitCode.BROKEN,
    errors.LoginError: ExitCode.NOT_LET_IN,
    errors.NotLetInError: ExitCode.NOT_LET_IN,
    errors.UntrustedError: ExitCode.NOT_LET_IN,
    errors.InsecureError: ExitCode.NOT_LET_IN,
    errors.NotToldError: ExitCode.NOT_LET_IN,
    errors.EngineAwayError: ExitCode.UNREACHABLE,
    errors.EngineLoginError: ExitCode.NOT_LET_IN,
    errors.ConnectTimeoutError: ExitCode.TIMED_OUT,
    errors.EngineTimeoutError: ExitCode.TIMED_OUT,
    errors.IdleTimeoutError: ExitCode.TIMED_OUT,
    errors.ExpectationError: ExitCode.UNEXPECTED,
    errors.ProtocolError: ExitCode.BROKEN,
    errors.ConnectionBrokenError: ExitCode.BROKEN,
    errors.NotAnEngineError: ExitCode.BROKEN,
}


def explain_exit_codes(*codes: ExitCode, meanings: Mapping[ExitCode, str] | None = None) -> str:
    """Return the paragraph of a command's help that lists its exit codes.

    Args:
        codes: The codes that the command has beside `DONE` and `USAGE`, which every command has.
        meanings: The meaning of codes for this command, where the enum's own words are too general.
    """
    own = meanings or {}
    listed = sorted({ExitCode.DONE, ExitCode.USAGE, *codes, *own})
    return "Exit codes: " + ", ".join(f"{code.value} {own.get(code, code.meaning)}" for code in listed) + "."


def find_exit_code(error: errors.SockctlError) -> ExitCode:
    """Return the exit code that `error` leads to."""
    return next((_CODES[kind] for kind in type(error).__mro__ if kind in _CODES), ExitCode.FAILED)
