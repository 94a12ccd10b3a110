"""The line editor (extra `tui`): the line being typed stays whole at the bottom, everything else appears above it.

prompt_toolkit holds the main thread; the connection's relay runs in a second one, and reads the lines from a socket
pair, so that it waits for them as it waits for any input. What it shows goes through prompt_toolkit's proxy of standard
output, which puts it above the prompt.
"""

import contextlib
import importlib.util
import os
import signal
import socket
import threading
from collections.abc import Callable

from sockctl.cli.terminal import STDIN, STDOUT, is_terminal
from sockctl.net.relay import Ending
from sockctl.protocol.messages import Message
from sockctl.text import visible

__all__ = ["LineEditor", "can_edit_lines"]


def can_edit_lines() -> bool:
    """Return whether there is a terminal that can move its cursor, and prompt_toolkit."""
    dumb = os.environ.get("TERM", "dumb") in {"dumb", "unknown", ""}
    return not dumb and is_terminal(STDIN) and is_terminal(STDOUT) and bool(importlib.util.find_spec("prompt_toolkit"))


class LineEditor:
    """One session's editor. Main thread only.

    Args:
        question: Returns the question that is open, if there is one: it is the prompt, and may ask for a secret.
    """

    def __init__(self, question: Callable[[], Message | None]) -> None:
        from prompt_toolkit import PromptSession
        from prompt_toolkit.filters import Condition
        from prompt_toolkit.formatted_text import FormattedText
        from prompt_toolkit.history import InMemoryHistory
        from prompt_toolkit.layout.processors import ConditionalProcessor, PasswordProcessor

        class History(InMemoryHistory):
            """What was typed, without the secrets."""

            def append_string(self, string: str) -> None:
                if not secret():
                    super().append_string(string)

        def secret() -> bool:
            asked = question()
            return asked is not None and asked.fields.get("secret") is True

        def prompt() -> FormattedText:
            asked = question()
            return FormattedText([("", "> " if asked is None else f"{visible(asked.text)} ")])

        self._near, self._far = socket.socketpair()
        self._prompt: PromptSession[str] = PromptSession(
            prompt,
            history=History(),
            enable_suspend=True,
            input_processors=[ConditionalProcessor(PasswordProcessor(char=""), Condition(secret))],
        )
        self._over = threading.Event()
        self._outcome: Ending | BaseException | None = None

    def fileno(self) -> int:
        """Return the descriptor that the lines come from."""
        return self._far.fileno()

    def refresh(self) -> None:
        """Draw the prompt anew, since the question has changed; any thread."""
        self._prompt.app.invalidate()

    def hold(self, run: Callable[[], Ending], stop: Callable[[], None]) -> Ending:
        """Let lines be typed until `run` returns, which a second thread calls.

        Args:
            run: Runs the relay.
            stop: Makes `run` return soon; called when Ctrl-C is typed.

        Raises:
            KeyboardInterrupt: Ctrl-C was typed.
            Exception: What `run` has raised.
        """
        from prompt_toolkit.patch_stdout import patch_stdout

        relay = threading.Thread(target=self._relay, args=(run,), name="sockctl-relay")
        before = signal.signal(signal.SIGTERM, self._interrupted)
        try:
            with patch_stdout(raw=True):
                relay.start()
                try:
                    self._read_lines()
                except KeyboardInterrupt:
                    stop()
                    raise
                finally:
                    self._near.close()  # the end of the input
                    relay.join()
        finally:
            signal.signal(signal.SIGTERM, before)
            self._far.close()
        if isinstance(self._outcome, Ending):
            return self._outcome
        raise self._outcome or RuntimeError("the relay has no outcome")

    def _relay(self, run: Callable[[], Ending]) -> None:
        try:
            self._outcome = run()
        except BaseException as error:  # noqa: BLE001  raised again in the main thread
            self._outcome = error
        self._over.set()
        loop = self._prompt.app.loop
        if loop is not None:
            with contextlib.suppress(RuntimeError):  # the prompt has just ended by itself
                loop.call_soon_threadsafe(self._leave_if_over)

    def _read_lines(self) -> None:
        """Read lines until the end of the input, ``exit``, or the end of the connection."""
        while not self._over.is_set():
            try:
                line = self._prompt.prompt(pre_run=self._leave_if_over)
            except EOFError:
                return
            with contextlib.suppress(OSError):  # the relay has just ended
                self._near.sendall(line.encode(errors="replace") + b"\n")
            if line.strip() == "exit":
                return

    def _leave_if_over(self) -> None:
        if self._over.is_set() and self._prompt.app.is_running and not self._prompt.app.is_done:
            self._prompt.app.exit(exception=EOFError())

    def _interrupted(self, _number: int, _frame: object) -> None:
        if self._prompt.app.is_running and not self._prompt.app.is_done:
            self._prompt.app.exit(exception=KeyboardInterrupt())
        else:
            raise KeyboardInterrupt
