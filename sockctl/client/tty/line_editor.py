"""The line editor (prompt_toolkit): the user's line stays whole at the bottom, and all output appears above it.

prompt_toolkit holds the main thread. The session runs in a second thread, and reads the lines from a socket pair, so
that it waits for them as for any input. Its output goes through prompt_toolkit's proxy of standard output, which puts
it above the prompt. The session's thread also hands the server's questions to the prompt's thread. In a room, the
editor removes each sent line from the terminal, since it comes back from the server.
"""

import contextlib
import os
import signal
import socket
import sys
import termios
import threading
from collections import deque
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, TextIO, cast

from sockctl.client.chat.completion import completions
from sockctl.client.chat.unconfirmed import comes_back
from sockctl.client.screen import MAX_PROMPT
from sockctl.terminal import STDIN, STDOUT, is_terminal
from sockctl.text import visible

if TYPE_CHECKING:
    import asyncio

    from prompt_toolkit.buffer import Buffer

    from sockctl.client.chat.roster import Roster
    from sockctl.protocol.messages import Message

MAX_QUESTIONS = 16
"""The most questions that wait for the prompt; beyond it the oldest is dropped, since the last one stays."""
LOOK_S = 0.1
WAITING_WRITES = 64
"""The most pieces of output that wait for the terminal; beyond it the session waits, and so does the server."""
ENDING = (signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)
"""The signals that end the process; the editor restores the terminal first."""


def can_edit_lines() -> bool:
    """Return whether there is a terminal that can move its cursor."""
    dumb = os.environ.get("TERM", "dumb") in {"dumb", "unknown", ""}
    return not dumb and is_terminal(STDIN) and is_terminal(STDOUT)


@contextlib.contextmanager
def as_typed() -> Iterator[None]:
    """Have the terminal pass on keys while there is no prompt: it would show them, and swallow a Ctrl-D.

    Main thread only. A signal that ends the process raises KeyboardInterrupt.
    """
    # In this order: no signal may end the process before the terminal is restored.
    with _ending_signals(signal.default_int_handler), _passing_on():
        yield


@contextlib.contextmanager
def _ending_signals(handler: Callable[[int, Any], Any]) -> Iterator[None]:
    """Handle the signals that end the process."""
    before = {number: signal.signal(number, handler) for number in ENDING}
    try:
        yield
    finally:
        for number, earlier in before.items():
            signal.signal(number, earlier)


@contextlib.contextmanager
def _passing_on() -> Iterator[None]:
    try:
        before = termios.tcgetattr(STDIN)
        passing_on = [*before]
        passing_on[3] &= ~(termios.ICANON | termios.ECHO)
        termios.tcsetattr(STDIN, termios.TCSANOW, passing_on)
    except termios.error:  # the terminal has gone: the next read from it will fail
        yield
        return
    try:
        yield
    finally:
        with contextlib.suppress(termios.error):
            termios.tcsetattr(STDIN, termios.TCSANOW, before)


class LineEditor:
    """One session's editor. Main thread only, but for `ask`.

    Args:
        roster: The names and rooms that Tab completes; None for none.
    """

    def __init__(self, roster: "Roster | None" = None) -> None:
        from prompt_toolkit import PromptSession
        from prompt_toolkit.completion import CompleteEvent, Completer, Completion
        from prompt_toolkit.document import Document
        from prompt_toolkit.filters import Condition
        from prompt_toolkit.history import InMemoryHistory
        from prompt_toolkit.layout.processors import ConditionalProcessor, PasswordProcessor
        from prompt_toolkit.shortcuts import CompleteStyle

        class History(InMemoryHistory):
            """The history of typed lines, without the secrets."""

            def append_string(self, string: str) -> None:
                if not secret():
                    super().append_string(string)

        class Words(Completer):
            """Completes names, commands and rooms, except in the answer to a question."""

            def get_completions(self, document: Document, _: CompleteEvent) -> Iterator[Completion]:
                if roster is None or asked():
                    return
                word, found = completions(document.text_before_cursor, roster)
                for text in found:
                    yield Completion(text, -len(word), display=text.strip())

        def asked() -> bool:
            return self._question is not None

        def secret() -> bool:
            return _is_secret(self._question)

        self._near, self._far = socket.socketpair()
        self._prompt: PromptSession[str] = PromptSession(
            lambda: [("", _prompt_of(self._question))],
            history=History(),
            enable_suspend=True,
            input_processors=[ConditionalProcessor(PasswordProcessor(char=""), Condition(secret))],
            completer=Words(),
            complete_style=CompleteStyle.READLINE_LIKE,
            complete_while_typing=False,
        )
        self._roster = roster
        self._accept = self._prompt.default_buffer.accept_handler
        self._prompt.default_buffer.accept_handler = self._accepted
        self._question: Message | None = None  # the prompt; only the prompt's thread changes it
        self._questions: deque[Message | None] = deque(maxlen=MAX_QUESTIONS)  # the next ones, from any thread
        self._over = threading.Event()
        self._error: BaseException | None = None

    def fileno(self) -> int:
        """Return the descriptor from which the session reads the lines."""
        return self._far.fileno()

    def ask(self, question: "Message | None") -> None:
        """Make `question` the prompt, or the next one; None for the usual prompt. Any thread may call this."""
        self._questions.append(question)
        self._wake()

    def hold(self, run: Callable[[], None], stop: Callable[[], None]) -> None:
        """Edit lines until `run` returns, in a second thread.

        Args:
            run: Runs the session.
            stop: Makes `run` return soon; called at Ctrl-C.

        Raises:
            KeyboardInterrupt: The user typed Ctrl-C, or SIGTERM or SIGHUP came.
            Exception: `run` has raised it.
        """
        thread = threading.Thread(target=self._run, args=(run,), name="sockctl-session")
        with contextlib.closing(self._far), _ending_signals(self._interrupted), _above_prompt():
            thread.start()
            try:
                self._read_lines()
                self._near.close()  # the end of the input
                thread.join()
            except BaseException:
                stop()
                raise
            finally:
                self._near.close()
                thread.join()
        if self._error is not None:
            raise self._error

    def _run(self, run: Callable[[], None]) -> None:
        try:
            run()
        except BaseException as error:  # noqa: BLE001  raised again in the main thread
            self._error = error
        self._over.set()
        self._wake()

    def _read_lines(self) -> None:
        """Read lines until the end of the input, ``exit``, or the end of the connection."""
        while not self._over.is_set():
            try:
                line = self._prompt.prompt(pre_run=self._process_news)
            except EOFError:
                return
            self._question = None  # before the session sends the answer, which may bring the next question
            with contextlib.suppress(OSError):  # the session has just ended
                self._near.sendall(line.encode(errors="replace") + b"\n")
            if line.strip() == "exit":
                return

    def _accepted(self, buffer: "Buffer") -> bool:
        """Accept a line; remove one that will come back from a room, so that it doesn't appear twice."""
        in_room = self._roster is not None and self._question is None and bool(self._roster.rooms)
        self._prompt.app.erase_when_done = in_room and bool(comes_back(buffer.text))
        return self._accept is not None and self._accept(buffer)

    def _wake(self) -> None:
        """Let the prompt, or the next one, process new questions and the end. Any thread may call this."""
        loop = self._prompt.app.loop
        if loop is not None:
            with contextlib.suppress(RuntimeError):  # the prompt has just ended by itself
                loop.call_soon_threadsafe(self._process_news)

    def _process_news(self) -> None:
        app = self._prompt.app
        while self._questions:
            before, self._question = self._question, self._questions.popleft()
            if _is_secret(before) and not _is_secret(self._question):
                app.current_buffer.reset()  # a half-typed secret must not become visible, nor answer this question
            app.invalidate()
        if self._over.is_set():
            self._leave(EOFError())

    def _leave(self, error: BaseException) -> bool:
        """End the prompt, if there is one; return whether there was."""
        app = self._prompt.app
        if not app.is_running or app.is_done:
            return False
        app.exit(exception=error)
        return True

    def _interrupted(self, _number: int, _frame: object) -> None:
        if not self._leave(KeyboardInterrupt()):
            raise KeyboardInterrupt


@contextlib.contextmanager
def _above_prompt() -> Iterator[None]:
    """Print standard output above the prompt, no faster than the terminal takes it.

    This is `prompt_toolkit.patch_stdout.patch_stdout` with a bound: its proxy keeps any amount for a stopped terminal.
    """
    from prompt_toolkit.patch_stdout import StdoutProxy

    class Proxy(StdoutProxy):
        """A proxy with a bound: its own thread writes, and waits until the prompt's loop has taken each piece."""

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
            yield
        finally:
            sys.stdout, sys.stderr = before


def _is_secret(question: "Message | None") -> bool:
    return question is not None and question.fields.get("secret") is True


def _prompt_of(question: "Message | None") -> str:
    short = question is not None and len(question.text) <= MAX_PROMPT
    return f"{visible(question.text)} " if question is not None and short else "> "
