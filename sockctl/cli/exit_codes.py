"""The exit codes, and the errors that lead to them."""

import enum

from sockctl.errors import (
    AddressError,
    CommandError,
    ConnectionBrokenError,
    ConnectTimeoutError,
    ExpectationError,
    FingerprintError,
    InputNeededError,
    InsecureError,
    LoginError,
    NameRefusedError,
    NotToldError,
    OptionError,
    PasswordRefusedError,
    ProgramError,
    ProtocolError,
    RuleError,
    ScriptError,
    SockctlError,
    UnreachableError,
    UntrustedError,
)


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


_CODES: dict[type[SockctlError], ExitCode] = {
    AddressError: ExitCode.USAGE,
    CommandError: ExitCode.USAGE,
    FingerprintError: ExitCode.USAGE,
    RuleError: ExitCode.USAGE,
    ScriptError: ExitCode.USAGE,
    InputNeededError: ExitCode.USAGE,
    NameRefusedError: ExitCode.USAGE,
    OptionError: ExitCode.USAGE,
    PasswordRefusedError: ExitCode.USAGE,
    ProgramError: ExitCode.USAGE,
    UnreachableError: ExitCode.UNREACHABLE,
    LoginError: ExitCode.NOT_LET_IN,
    UntrustedError: ExitCode.NOT_LET_IN,
    InsecureError: ExitCode.NOT_LET_IN,
    NotToldError: ExitCode.NOT_LET_IN,
    ConnectTimeoutError: ExitCode.TIMED_OUT,
    ExpectationError: ExitCode.UNEXPECTED,
    ProtocolError: ExitCode.BROKEN,
    ConnectionBrokenError: ExitCode.BROKEN,
}


def find_exit_code(error: SockctlError) -> ExitCode:
    """Return the exit code that `error` leads to."""
    return next((_CODES[kind] for kind in type(error).__mro__ if kind in _CODES), ExitCode.FAILED)
