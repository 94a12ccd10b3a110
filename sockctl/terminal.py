"""The standard streams of the process, the terminal behind them, and its colours and width.

All reading and writing uses descriptors, without Python's buffers: a line typed ahead of a prompt stays in the kernel
until the session reads it, so that the prompts and the session can share one standard input.
"""

import contextlib
import enum
import os
import select
from collections.abc import Iterator

STDIN, STDOUT, STDERR = 0, 1, 2
USUAL_COLUMNS, USUAL_LINES = 80, 24
LINE_BYTES = 4096
"""The longest line that a terminal gives: Linux's N_TTY_BUF_SIZE."""


def is_null_device(descriptor: int) -> bool:
    """Return whether a descriptor of this process is the null device, as a shell gives it to what runs behind ``&``."""
    try:
        return os.fstat(descriptor).st_rdev == os.stat(os.devnull).st_rdev  # noqa: PTH116  without pathlib
    except OSError:
        return False


def is_terminal(descriptor: int) -> bool:
    """Return whether a person's terminal is behind `descriptor`."""
    return os.isatty(descriptor)


class ColourChoice(enum.StrEnum):
    """Whether the output is coloured."""

    AUTO = "auto"
    ALWAYS = "always"
    NEVER = "never"


def wants_colour(descriptor: int = STDERR) -> bool:
    """Return whether output to `descriptor` is coloured.

    The first of these decides: NO_COLOR (no-color.org), FORCE_COLOR (force-color.org) or CLICOLOR_FORCE, CLICOLOR=0
    (bixense.com/clicolors), TERM=dumb, and whether a terminal is behind `descriptor`.
    """
    environment = os.environ
    if environment.get("NO_COLOR"):
        return False
    if environment.get("FORCE_COLOR") or environment.get("CLICOLOR_FORCE", "0") not in {"", "0"}:
        return True
    if environment.get("CLICOLOR") == "0" or environment.get("TERM") == "dumb":
        return False
    return is_terminal(descriptor)


def choose_colour(choice: ColourChoice) -> None:
    """Set the colours of the whole process, and of Rich, through the environment; AUTO changes nothing."""
    if choice is ColourChoice.ALWAYS:
        os.environ.pop("NO_COLOR", None)
        os.environ["FORCE_COLOR"] = "1"
    elif choice is ColourChoice.NEVER:
        os.environ["NO_COLOR"] = "1"


def measure_columns(descriptor: int = STDERR) -> int:
    """Return the width of the terminal behind `descriptor`; 80 if the system can't tell it."""
    return measure_terminal(descriptor)[0]


def measure_terminal(descriptor: int) -> tuple[int, int]:
    """Return columns and lines of the terminal behind `descriptor`; 80 and 24 if the system can't tell them."""
    try:
        columns, lines = os.get_terminal_size(descriptor)
    except OSError:  # it has gone, or is none
        columns = lines = 0
    return columns or USUAL_COLUMNS, lines or USUAL_LINES


def open_missing_streams() -> None:
    """Open the null device in place of each closed standard stream, so that no socket can get its number.

    A closed standard output stays unwritable, so that a command fails instead of losing its output.
    """
    for descriptor, mode in ((STDIN, os.O_RDONLY), (STDOUT, os.O_RDONLY), (STDERR, os.O_WRONLY)):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, mode)  # takes the lowest free number, which is this one


def read_line() -> str | None:
    """Wait for a line from the terminal and return it without its end; None at the end of the input (Ctrl-D)."""
    line = read_typed()
    return line.rstrip("\r\n") if line else None


def read_typed() -> str:
    """Wait for a line from the terminal and return it with its end; Ctrl-D gives what stands before it, without one."""
    line = b""
    while not line.endswith(b"\n"):
        piece = os.read(STDIN, LINE_BYTES)
        if not piece:
            break
        line += piece
    return line.decode(errors="replace")


def discard_typed(descriptor: int = STDIN) -> None:
    """Discard what was typed at a terminal, and not read yet."""
    import termios  # noqa: PLC0415  few commands need it

    with contextlib.suppress(termios.error):  # it has gone
        termios.tcflush(descriptor, termios.TCIFLUSH)


def say(text: str, *, end: str = "\n", wraps: bool = True) -> None:
    """Write to standard error, for a person, wrapped at words on a terminal; ignore a stream that can't be written."""
    if wraps and end == "\n" and is_terminal(STDERR):
        from sockctl.wrapping import wrap_lines  # noqa: PLC0415  nothing in a pipe needs it

        text = wrap_lines(text, measure_columns())
    try:
        write_all(STDERR, (text + end).encode(errors="replace"))
    except OSError:
        return  # it is closed, or its disk is full: there is no other place to say so


def format_error(text: str) -> str:
    """Return an error in the form of all errors: behind the program's name, which is red where colour is wanted."""
    if not wants_colour(STDERR):
        return f"sockctl: {text}"
    from sockctl.palette import Style, paint  # noqa: PLC0415  only errors in colour need it

    return f"{paint('sockctl:', Style.ERROR)} {text}"


def say_error(text: str) -> None:
    """Write an error to standard error, as `say` writes a text."""
    say(format_error(text))


def begin_line() -> None:
    """End the terminal's line in which Ctrl-C has left ``^C``; never waits for a stopped terminal."""
    if is_terminal(STDIN) and is_terminal(STDERR) and select.select([], [STDERR], [], 0)[1]:
        say("")


@contextlib.contextmanager
def close_line() -> Iterator[None]:
    """End the terminal's line if Ctrl-C interrupts the block: what comes next begins on a line of its own."""
    try:
        yield
    except KeyboardInterrupt:
        begin_line()
        raise


def is_in_background() -> bool:
    """Return whether this process is a shell's background job, which the system stops if it reads from the terminal."""
    try:
        return os.tcgetpgrp(STDIN) != os.getpgrp()
    except OSError:  # no terminal, or not the one that controls this session
        return False


def write_all(descriptor: int, data: bytes) -> None:
    """Write all of `data`. Blocks for as long as the reader does.

    Raises:
        OSError: It can't be written; BrokenPipeError if the reader has closed.
    """
    view = memoryview(data)
    while view:
        try:
            view = view[os.write(descriptor, view) :]
        except BlockingIOError:  # another process made the shared stream non-blocking
            select.select([], [descriptor], [])
