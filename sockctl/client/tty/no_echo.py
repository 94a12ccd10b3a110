"""Turns the terminal's echo off while the user types a secret."""

import contextlib
import os
import signal
import termios
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from sockctl.terminal import discard_typed

if TYPE_CHECKING:
    from sockctl.protocol.messages import Message


class NoEcho:
    """Turns a terminal's echo off and on again; a signal that ends or stops the process turns it on first.

    Main thread only.

    Args:
        descriptor: The terminal.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._before: list[Any] | None = None
        self._handlers: dict[signal.Signals, Any] = {}

    def ask(self, question: "Message | None") -> None:
        """Hide the answer if the question asks for that; call this before showing the question.

        Discard a half-typed secret if another question comes, or none: it doesn't answer that.
        """
        if question is not None and question.asks_secret:
            self._begin()
        elif self._before is not None:
            discard_typed(self._descriptor)
            self.end()

    @contextlib.contextmanager
    def hidden(self) -> Iterator[None]:
        """Hide typed lines inside the block."""
        try:
            self._begin()
            yield
        finally:
            self.end()

    def _begin(self) -> None:
        """Turn the echo off; keep the lines that the user has typed ahead."""
        if self._before is not None:
            return
        with contextlib.suppress(termios.error):
            attributes = termios.tcgetattr(self._descriptor)
            self._before = list(attributes)
            attributes[3] &= ~termios.ECHO
            ends, stops = self._end_process, self._stop_process
            handlers = {signal.SIGTERM: ends, signal.SIGHUP: ends, signal.SIGQUIT: ends, signal.SIGTSTP: stops}
            for number, handler in handlers.items():
                if signal.getsignal(number) is not signal.SIG_IGN:  # as this process has inherited it
                    self._handlers[number] = signal.signal(number, handler)
            termios.tcsetattr(self._descriptor, termios.TCSANOW, attributes)

    def end(self) -> bool:
        """Turn the echo on again; return whether it was off."""
        if self._before is None:
            return False
        with contextlib.suppress(termios.error):
            termios.tcsetattr(self._descriptor, termios.TCSANOW, self._before)
        self._before = None
        for number, handler in self._handlers.items():
            signal.signal(number, handler)
        return True

    def _stop_process(self, number: int, _: object) -> None:
        """Give the terminal to the shell as it was; hide what is typed again when the shell goes on with this job."""
        self.end()
        signal.raise_signal(number)  # with the handler that was there before; in this thread, so that it stops here
        self._begin()

    def _end_process(self, number: int, _: object) -> None:
        discard_typed(self._descriptor)  # a half-typed line, which the shell would show, and take as its own
        self.end()
        os.kill(os.getpid(), number)  # with the handler that was there before
