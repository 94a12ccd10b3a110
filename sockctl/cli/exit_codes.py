"""The exit codes, and which error leads to which."""

import enum

from sockctl.errors import (
    AddressError,
    ConnectionBrokenError,
    ConnectTimeoutError,
    InputNeededError,
    NameRefusedError,
    ProgramError,
    RuleError,
    SockctlError,
    UnreachableError,
)

__all__ = ["ExitCode", "exit_code_of"]


class ExitCode(enum.IntEnum):
    """What a command's end tells a script."""

    DONE = 0
    FAILED = 1
    USAGE = 2
    UNREACHABLE = 3
    TIMED_OUT = 5
    BROKEN = 7
    INTERRUPTED = 130


_CODES: dict[type[SockctlError], ExitCode] = {
    AddressError: ExitCode.USAGE,
    RuleError: ExitCode.USAGE,
    InputNeededError: ExitCode.USAGE,
    NameRefusedError: ExitCode.USAGE,
    ProgramError: ExitCode.USAGE,
    UnreachableError: ExitCode.UNREACHABLE,
    ConnectTimeoutError: ExitCode.TIMED_OUT,
    ConnectionBrokenError: ExitCode.BROKEN,
}


def exit_code_of(error: SockctlError) -> ExitCode:
    """Return the exit code that `error` leads to."""
    return _CODES.get(type(error), ExitCode.FAILED)
