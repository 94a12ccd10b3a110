"""The exit codes, and the errors that lead to them."""

import enum

from sockctl import errors


class ExitCode(enum.IntEnum):
    """The exit codes of commands."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    UNREACHABLE = 3
    NOT_LET_IN = 4
    TIMED_OUT = 5
    UNEXPECTED = 6
    BROKEN = 7
    INTERRUPTED = 130


_CODES: dict[type[errors.SockctlError], ExitCode] = {
    errors.AddressError: ExitCode.USAGE,
    errors.CommandError: ExitCode.USAGE,
    errors.FingerprintError: ExitCode.USAGE,
    errors.RuleError: ExitCode.USAGE,
    errors.ScriptError: ExitCode.USAGE,
    errors.InputNeededError: ExitCode.USAGE,
    errors.NameRefusedError: ExitCode.USAGE,
    errors.OptionError: ExitCode.USAGE,
    errors.PasswordRefusedError: ExitCode.USAGE,
    errors.ProgramError: ExitCode.USAGE,
    errors.UnreachableError: ExitCode.UNREACHABLE,
    errors.LoginError: ExitCode.NOT_LET_IN,
    errors.UntrustedError: ExitCode.NOT_LET_IN,
    errors.InsecureError: ExitCode.NOT_LET_IN,
    errors.NotToldError: ExitCode.NOT_LET_IN,
    errors.ConnectTimeoutError: ExitCode.TIMED_OUT,
    errors.ExpectationError: ExitCode.UNEXPECTED,
    errors.ProtocolError: ExitCode.BROKEN,
    errors.ConnectionBrokenError: ExitCode.BROKEN,
}


def find_exit_code(error: errors.SockctlError) -> ExitCode:
    """Return the exit code that `error` leads to."""
    return next((_CODES[kind] for kind in type(error).__mro__ if kind in _CODES), ExitCode.FAILED)
