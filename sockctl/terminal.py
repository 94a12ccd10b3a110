"""The streams of the process: who sits at them, and how lines and bytes are read and written.

Everything goes through descriptors, past Python's buffers: a line typed ahead of a prompt stays in the kernel until
the session reads it, and the prompts, the session and a relay can share one standard input.
"""

import os
import select

STDIN, STDOUT, STDERR = 0, 1, 2
LINE_BYTES = 4096
"""What a terminal gives at most per line: Linux's N_TTY_BUF_SIZE."""


def is_terminal(descriptor: int) -> bool:
    """Return whether a person's terminal is behind `descriptor`."""
    return os.isatty(descriptor)


def wants_colour() -> bool:
    """Return whether standard error shows colours: it is a terminal, and NO_COLOR (no-color.org) isn't set."""
    return is_terminal(STDERR) and not os.environ.get("NO_COLOR")


def open_missing_streams() -> None:
    """Put the null device where a standard stream was closed, so that no socket can land on its number.

    A closed standard output stays one that can't be written, so that nobody takes lost data for a success.
    """
    for descriptor, mode in ((STDIN, os.O_RDONLY), (STDOUT, os.O_RDONLY), (STDERR, os.O_WRONLY)):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, mode)  # takes the lowest free number, which is this one


def read_line() -> str | None:
    """Wait for a line from the terminal and return it without its end; None at the end of the input (Ctrl-D)."""
    line = b""
    while not line.endswith(b"\n"):
        piece = os.read(STDIN, LINE_BYTES)
        if not piece:
            break
        line += piece
    return line.decode(errors="replace").rstrip("\r\n") if line else None


def say(text: str, *, end: str = "\n") -> None:
    """Write to standard error, for a person; what can't be written there is lost."""
    try:
        write_all(STDERR, (text + end).encode(errors="replace"))
    except OSError:
        return  # closed, or a full disk behind it: there is nowhere left to say so


def write_all(descriptor: int, data: bytes) -> None:
    """Write all of `data`, waiting for as long as it takes.

    Raises:
        OSError: It can't be written; BrokenPipeError where nobody reads any more.
    """
    view = memoryview(data)
    while view:
        try:
            view = view[os.write(descriptor, view) :]
        except BlockingIOError:  # another process made the shared stream non-blocking
            select.select([], [descriptor], [])
