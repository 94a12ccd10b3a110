"""Reads a password for a command: from standard input, from a private file or from a person, never from an argument."""

import os
import select
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, TypeVar

import typer

from sockctl.cli.prompts import may_ask
from sockctl.errors import (
    AnswerRefusedError,
    InputNeededError,
    OptionError,
    PasswordRefusedError,
    SecretFileError,
    StreamError,
    WeakPasswordError,
)
from sockctl.stores.files import find_exposure
from sockctl.terminal import STDIN, close_line, is_terminal, say
from sockctl.text import make_visible

T = TypeVar("T")

PasswordStdin = Annotated[
    bool,
    typer.Option(
        "--password-stdin",
        help="Take the password from the first line of standard input.",
        show_default=False,
        rich_help_panel="Password",
    ),
]
PasswordFile = Annotated[
    Path | None,
    typer.Option(
        "--password-file",
        help="Take the password from the first line of this file, which only you may read (mode 0600 or 0400).",
        metavar="FILE",
        show_default=False,
        rich_help_panel="Password",
    ),
]

_BAR = 20
"""Columns of the bar that shows a password's strength."""
MAX_LINE_BYTES = 16_384
"""Bytes of the longest line with a password: no accepted password is longer, in any composition."""


def read_password(
    question: str, *, check: Callable[[str], T], stdin: bool, file: Path | None, twice: bool, no_input: bool = False
) -> T:
    """Return the value of `check` for the user's password. Blocks; main thread only.

    Args:
        question: The question, such as ``Password``.
        check: Returns the value, or raises AnswerRefusedError with a sentence that explains the problem. A user at the
            terminal reads the sentence, and may type another password.
        stdin: Whether ``--password-stdin`` was given: this reads only the first line, byte by byte.
        file: The value of ``--password-file``; the password is its first line.
        twice: Whether a user at the terminal types the password twice, because it is a new one.
        no_input: Whether ``--no-input`` was given.

    Raises:
        AnswerRefusedError: `check` refused the password of standard input or the file.
        InputNeededError: The input is empty, no user can be asked, or the answer was Ctrl-D.
        OptionError: The options contradict each other.
        PasswordRefusedError: The line is not UTF-8, or is longer than any password.
        SecretFileError: The file can't be read, or other users may read or write it.
        StreamError: Standard input can't be read.
    """
    if stdin and file is not None:
        raise OptionError("--password-stdin and --password-file contradict each other: give one of them.")
    if stdin:
        return check(_read_stdin())
    if file is not None:
        return check(read_secret_file(file, "password"))
    if not may_ask(no_input=no_input):
        raise InputNeededError(
            "A password is needed, and nobody may be asked for it here: give --password-stdin or --password-file FILE."
        )
    return _ask_person(question, check, twice=twice)


def _read_stdin() -> str:
    if is_terminal(STDIN):
        raise OptionError(
            "--password-stdin is for a pipe or a file; on a terminal leave it out, and type the password when asked."
        )
    try:
        line = _read_line(STDIN)
    except OSError as error:
        raise StreamError(f"Standard input can't be read: {error.strerror}.") from error
    return _decode(line, "Standard input")


def read_secret_file(path: Path, what: str) -> str:
    """Return the first line of a private file.

    This checks the open file, since another process may replace `path` at any moment. A pipe at `path` never blocks.

    Args:
        path: The file.
        what: What the line is, for errors: ``password`` or ``login``.

    Raises:
        InputNeededError: The file is empty.
        PasswordRefusedError: The line is not UTF-8, or is longer than any password.
        SecretFileError: The file can't be read, or other users may read or write it.
    """
    return _decode(_read_secret(path, what, _read_line), _name_source(path, what), what)


def read_secret_lines(path: Path, what: str) -> list[str]:
    """Return all lines of a private file that aren't empty, of `MAX_LINE_BYTES` at most. As `read_secret_file`."""
    data = _read_secret(path, what, lambda descriptor: os.read(descriptor, MAX_LINE_BYTES + 1))
    source = _name_source(path, what)
    if len(data) > MAX_LINE_BYTES:
        raise SecretFileError(f"{source} is too large: {MAX_LINE_BYTES:,} bytes are allowed.")
    try:
        lines = [line.strip() for line in data.decode().splitlines() if line.strip()]
    except UnicodeDecodeError:
        lines = None  # this error holds the secret, so it must not become the context of the next one
    if lines is None:
        raise SecretFileError(f"{source} is not UTF-8: write it in UTF-8.")
    if not lines:
        raise InputNeededError(f"{source} is empty: each line of it is a {what}.")
    return lines


def _name_source(path: Path, what: str) -> str:
    return f"The {what} file {make_visible(str(path))}"


def _read_secret(path: Path, what: str, read: Callable[[int], bytes]) -> bytes:
    source = _name_source(path, what)
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
        try:
            _judge(os.fstat(descriptor), source, what)
            return read(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise SecretFileError(f"{source} can't be read: {error.strerror}.") from error


def _judge(status: os.stat_result, source: str, what: str) -> None:
    if not stat.S_ISREG(status.st_mode):
        instead = ": for a pipe there is --password-stdin" if what == "password" else ""
        raise SecretFileError(f"{source} is not a regular file{instead}.")
    if problem := find_exposure(status):
        raise SecretFileError(
            f"{source} is not used: {problem}. Take one of your own, with mode 0600, and change the "
            f"password if somebody may have read it."
        )


def _ask_person(question: str, check: Callable[[str], T], *, twice: bool) -> T:
    from hmac import compare_digest  # takes 3 ms, and most commands need no password

    while True:
        try:
            typed = _ask_once(question)
            value = check(typed)
            if not twice or compare_digest(typed.encode(), _ask_once("Again").encode()):
                return value
            say("The two are different: type it again, twice.")
        except WeakPasswordError as error:
            say(f"{error}\n{format_strength(error.guesses, error.needed)}")
        except AnswerRefusedError as error:
            say(str(error))


def format_strength(guesses: float, needed: float) -> str:
    """Return a bar, on a scale of powers of ten, and the number of guesses: only the first digit is sure."""
    from math import log10

    done = min(_BAR - 1, round(_BAR * log10(max(1, guesses)) / log10(needed)))
    roughly = float(f"{guesses:.0e}")
    return f"Strength [{'#' * done:.<{_BAR}}]: some {roughly:,.0f} guesses find it, and {needed:,.0f} must not."


def _ask_once(question: str) -> str:
    """Ask once, and return the answer, which the terminal hides."""
    from sockctl.client.tty.no_echo import NoEcho

    with NoEcho(STDIN).hidden():
        try:
            with close_line():
                say(f"{question}: ", end="")
                line = _read_line(STDIN)
        except OSError as error:  # the terminal has gone
            raise StreamError(f"The terminal can't be read: {error.strerror}.") from error
        say("")  # the terminal has not shown Enter either
    if not line:
        raise InputNeededError(f"No answer was given to: {question}.")
    return _decode(line, "What was typed")


def _read_line(descriptor: int) -> bytes:
    """Read a line with its end, and nothing behind it; the end of the input ends the line, too.

    Of a line that is longer than `MAX_LINE_BYTES`, return one byte more than these.
    """
    line = b""
    while len(line) <= MAX_LINE_BYTES and not line.endswith(b"\n"):
        try:
            byte = os.read(descriptor, 1)
        except BlockingIOError:  # another process made the shared stream non-blocking
            select.select([descriptor], [], [])
            continue
        if not byte:
            break
        line += byte
    return line


def _decode(line: bytes, source: str, what: str = "password") -> str:
    """Return the text of a line without its end."""
    if not line:
        raise InputNeededError(f"{source} is empty: the {what} is expected in its first line.")
    if len(line) > MAX_LINE_BYTES:
        raise PasswordRefusedError(f"{source} has no {what} in its first line: that is too long for one.")
    try:
        return line.removesuffix(b"\n").removesuffix(b"\r").decode()
    except UnicodeDecodeError:
        pass  # this error holds the password, so it must not become the context of the next one
    raise PasswordRefusedError(f"{source} is not UTF-8 in its first line: write the {what} in UTF-8.")
