"""Standard output above the line being typed."""

import contextlib
import sys
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, TextIO, cast

if TYPE_CHECKING:
    import asyncio

LOOK_S = 0.1
WAITING_WRITES = 64
"""Pieces of output that wait for the terminal; then the session waits, and so does the server."""


@contextlib.contextmanager
def above_prompt() -> Iterator[Callable[[], None]]:
    """Have standard output appear above the prompt, no faster than the terminal takes it.

    As `prompt_toolkit.patch_stdout.patch_stdout`, whose proxy keeps any amount for a terminal that was stopped.

    Yields:
        Writes all that waits, and returns when it is written. Nothing may be written behind that.
    """
    from prompt_toolkit.patch_stdout import StdoutProxy

    class Proxy(StdoutProxy):
        """A proxy with a bound. Its own thread writes, and waits until the prompt's loop has taken that."""

        def __init__(self) -> None:
            super().__init__(raw=True)
            self._flush_queue.maxsize = WAITING_WRITES

        def _write_and_flush(self, loop: "asyncio.AbstractEventLoop | None", text: str) -> None:
            super()._write_and_flush(loop, text)
            if loop is None:
                return
            taken = threading.Event()
            loop.call_soon_threadsafe(taken.set)
            while not taken.wait(LOOK_S) and loop.is_running():
                pass

    with Proxy() as proxy:
        before = sys.stdout, sys.stderr
        sys.stdout = sys.stderr = cast("TextIO", proxy)
        try:
            yield proxy.close
        finally:
            sys.stdout, sys.stderr = before
