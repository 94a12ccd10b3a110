"""The line editor (prompt_toolkit): the user's line stays whole at the bottom, and all output appears above it.

prompt_toolkit holds the main thread, with one prompt from the first line to the last. The session runs in a second one,
and waits for the queue of entries as for any input. Its output goes through prompt_toolkit's proxy of standard output,
which puts it above the prompt. Questions, and texts that come back into the editor, go from the session's thread to the
prompt's. A line that comes back from a room leaves the prompt without a trace.

The module is long because one class owns what both threads share: half of it would need the other half's state.
"""

import contextlib
import os
import signal
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from sockctl.client.chat.completion import find_completions
from sockctl.client.chat.unconfirmed import holds_text
from sockctl.client.confirmation import CONFIRM
from sockctl.client.entry import Secret, show_text
from sockctl.client.fragments import Fragments
from sockctl.client.recent_secret import RecentSecret
from sockctl.client.screen import MAX_PROMPT
from sockctl.client.tty.above_prompt import above_prompt
from sockctl.client.tty.background import NOT_ASKED, Background
from sockctl.client.tty.entries import Entries
from sockctl.client.tty.terminal_mode import discard_input, ending_signals
from sockctl.text import make_visible

if TYPE_CHECKING:
    from prompt_toolkit.buffer import Buffer

    from sockctl.client.chat.roster import Roster
    from sockctl.client.typed_entries import TypedEntries
    from sockctl.protocol.messages import Message

MAX_QUESTIONS = 16
"""Questions that wait for the prompt; of more, the oldest are left out: the last one becomes the prompt."""
MAX_CHARACTERS = 65_536
"""Characters of the text being typed; more would make the terminal slow."""
MAX_NEWS = 200
"""Texts that wait for the editor; of more, the oldest are left out."""
_LOOK_S = 0.2
"""How often the main thread looks for a signal while the session ends."""


class LineEditor:
    """The editor of one terminal, for as long as a session lasts. Main thread only, but for `ask` and `return_text`.

    Args:
        roster: Whose names and rooms are completed; None for nothing.
        prompt: Returns the prompt where nothing is asked, as pairs of style and text; None for the usual one.
        echo: Returns what stays of a command that was entered; None for the prompt and the command.
        status: Returns the line below the prompt for a width in columns; None for no such line.
        keys: Actions of further keys, by prompt_toolkit's names, as in "escape 1".
        background: The terminal's answer on its background, and the keys typed meanwhile.
        typed: Keeps the typed lines for the next time; None for nowhere.
        may_keep: Whether a line is no answer that was typed ahead of its question; such a line may be a secret, and is
            hidden.

    Attributes:
        entries: The queue of entries: lines, and texts of several lines.
    """

    def __init__(
        self,
        roster: "Roster | None" = None,
        *,
        prompt: Callable[[], Fragments] | None = None,
        echo: Callable[[str], Fragments] | None = None,
        status: Callable[[int], Fragments] | None = None,
        keys: "Mapping[str, Callable[[], None]] | None" = None,
        background: Background = NOT_ASKED,
        typed: "TypedEntries | None" = None,
        may_keep: Callable[[], bool] = lambda: True,
    ) -> None:
        from sockctl.client.tty.prompt import make_prompt
        from sockctl.client.tty.typed_history import TypedHistory

        self.entries = Entries()
        self._roster = roster
        self._usual_prompt = prompt or (lambda: [("", "> ")])
        self._echo = echo or (lambda text: [*self._usual_prompt(), ("", text)])
        self._question: Message | None = None  # the prompt; the main thread alone changes it
        self._questions: deque[Message | None] = deque(maxlen=MAX_QUESTIONS)  # the next ones, from any thread
        self._news: deque[Callable[[], None]] = deque(maxlen=MAX_NEWS)  # for the texts in the editor, from any thread
        self._aside: str | None = None  # what was half typed for a room when a login began; None outside of logins
        self._recent = RecentSecret()
        self._may_keep = may_keep
        self._may_leave = False  # whether the key before was a Ctrl-C on an empty line
        self._ends = self._over = self._is_interrupted = self._is_past_prompt = self._is_stopping = False
        self._stop: Callable[[], None] = lambda: None
        self._error: BaseException | None = None
        history = None if typed is None else TypedHistory(typed, lambda text: self._print([], text))
        self._prompt, self._keyboard = make_prompt(self, background, status=status, keys=keys or {}, history=history)

    # For the prompt.

    @property
    def fragments(self) -> Fragments:
        """The prompt, as pairs of style and text."""
        return self._usual_prompt() if self._question is None else [("", _format_prompt(self._question))]

    @property
    def is_asked(self) -> bool:
        """Whether the next line is an answer."""
        return self._question is not None

    @property
    def hides(self) -> bool:
        """Whether the line being typed must not be seen: it answers a secret question, or one that has yet to come.

        In a room it is seen, also while the client comes back: there it is hardly an answer.
        """
        if self._question is None:
            return not (self._in_room or self._may_keep())
        return self._question.asks_secret

    def find_words(self, before: str) -> tuple[str, list[str]]:
        """Return the word before the cursor, and the words that it may become; an answer has none."""
        return (before, []) if self._roster is None or self.is_asked else find_completions(before, self._roster)

    def complete(self, buffer: "Buffer", *, columns: int, rows: int) -> None:
        """Complete the word before the cursor, or list in so many columns and rows what it may become."""
        from sockctl.client.tty.word_completion import complete_word

        word, found = self.find_words(buffer.document.text_before_cursor)
        if found and (listed := complete_word(buffer, word, found, columns=columns, rows=rows)):
            self._print([], "\n".join(listed))

    def accept(self, buffer: "Buffer") -> bool:
        """Take the entry; return whether it stays in the editor, since the queue has no place for it."""
        text = buffer.text.encode(errors="replace").decode()
        self._may_leave = False
        if self.entries.is_full:
            return True
        asked, hides, now = self._question, self.hides, time.monotonic()
        secret = asked is not None and hides
        if asked is None and not text.strip() and self._in_room:
            return False  # there is nothing to say
        if secret:
            self._recent.note(text, now)
        elif (
            asked is None and self._may_keep() and not any(self._recent.matches(line, now) for line in text.split("\n"))
        ):
            buffer.append_to_history()
        if asked is not None:
            self._print(self.fragments, "" if secret else make_visible(text))  # before the answer to it comes
        elif not hides and not self._comes_back(text):
            self._print(self._echo(make_visible(text)), "")
        self._question = None  # it is answered; before the answer goes out, so that the next one comes after this
        self._keyboard.is_asked = self.hides
        self.entries.put(Secret(text) if secret else text)
        return False

    def go(self, room: str | None) -> None:
        """Go to a room, in order with what is entered before and after; not in the middle of an answer."""
        if room is not None and not self.is_asked:
            self.entries.put(f"/join {room}")

    def paste(self, buffer: "Buffer", text: str) -> None:
        """Insert a text of one line or several."""
        if len(buffer.text) + len(text) > MAX_CHARACTERS:
            self._print([], f"sockctl: Not pasted: {len(text):,} characters. The line has {MAX_CHARACTERS:,} at most.")
        else:
            buffer.insert_text(text)

    def note_text(self, buffer: "Buffer") -> None:
        """Note that the text has changed."""
        self._may_leave = False
        text = buffer.text
        if text.strip() and not self.is_asked and not text.lstrip().startswith("/"):
            self.entries.note_typing()

    def clear_or_leave(self, buffer: "Buffer") -> None:
        """Clear the line being typed, deny the client's question, or leave at the second press on an empty line."""
        if _is_own(self._question):
            buffer.reset()
            self.accept(buffer)
        elif buffer.text:
            buffer.reset()
            self._may_leave = False
        elif self._may_leave:
            self._end_prompt(KeyboardInterrupt())
        else:
            self._may_leave = True
            self._print([], "Ctrl-C again, or Ctrl-D, leaves.")

    def stop_job(self) -> None:
        """Stop, until the shell goes on with this job."""
        os.kill(0, signal.SIGTSTP)

    def leave(self) -> None:
        """Let nothing more be typed."""
        self._end_prompt(EOFError())

    # For the session.

    def fileno(self) -> int:
        """Return the descriptor that is readable when something was entered."""
        return self.entries.fileno()

    def ask(self, question: "Message | None") -> None:
        """Make `question` the prompt; any thread."""
        self._questions.append(question)
        self._wake()

    def return_text(self, text: str, *, told: bool = False) -> None:
        """Put a text back into the editor, or above it where something is being typed; any thread.

        Args:
            text: The text.
            told: Whether it stands above it already.
        """
        self._news.append(lambda: self._put_in(text, told=told))
        self._wake()

    def take_out(self, text: str) -> None:
        """Clear the editor where it still has a text that came back, and nothing else; any thread."""
        self._news.append(lambda: self._clear(text))
        self._wake()

    def end_input(self) -> None:
        """Let nothing more be typed; any thread."""
        self._ends = True
        self._wake()

    def hold(self, run: "Callable[[], None]", stop: "Callable[[], None]") -> None:
        """Let lines be typed until `run` returns, which a second thread calls.

        Args:
            run: Runs the session.
            stop: Makes `run` return soon; called at Ctrl-C.

        Raises:
            KeyboardInterrupt: Ctrl-C was typed twice, or SIGTERM or SIGHUP came.
            Exception: `run` has raised it.
        """
        self._stop = stop
        catches = ending_signals(self._interrupt, signal.SIGINT)
        with contextlib.closing(self.entries), catches, above_prompt() as write_all:
            thread = threading.Thread(target=self._run, args=(run, write_all), name="sockctl-session")
            thread.start()
            try:
                with contextlib.suppress(EOFError):
                    self._prompt.prompt(pre_run=self._process_news, handle_sigint=False)
                self.entries.end()
            except BaseException:
                self._stop_once()
                raise
            finally:
                self._is_past_prompt = True
                if self._is_interrupted:
                    self._stop_once()
                self._discard_rest()
                while thread.is_alive():  # a signal that the system gives to another thread ends no join()
                    thread.join(_LOOK_S)
        if self._is_interrupted:
            raise KeyboardInterrupt
        if self._error is not None:
            raise self._error

    def _run(self, run: "Callable[[], None]", write_all: "Callable[[], None]") -> None:
        try:
            run()
        except BaseException as error:  # noqa: BLE001  raised again in the main thread
            self._error = error
        if self._prompt.app.is_running:
            write_all()  # above the half-typed line, which stays when the prompt ends
        self._over = True
        self._wake()

    def _comes_back(self, text: str) -> bool:
        """Return whether a text comes back from a room, or into the editor; the editor doesn't print it as well."""
        return "\n" in text.strip() or (self._in_room and holds_text(text))

    @property
    def _in_room(self) -> bool:
        return self._roster is not None and bool(self._roster.rooms)

    def _print(self, fragments: Fragments, text: str) -> None:
        """Write a line above the prompt, ahead of all output that waits."""
        from prompt_toolkit.application import run_in_terminal

        from sockctl.client.tty.prompt import print_line

        run_in_terminal(lambda: print_line(self._prompt, [*fragments, ("", text)]))

    def _wake(self) -> None:
        """Let the prompt process questions and news, now or when it begins. Any thread."""
        loop = self._prompt.app.loop
        if loop is not None:
            with contextlib.suppress(RuntimeError):  # the prompt has just ended by itself
                loop.call_soon_threadsafe(self._process_news)

    def _process_news(self) -> None:
        app = self._prompt.app
        buffer = self._prompt.default_buffer
        while self._questions:
            before, self._question = self._question, self._questions.popleft()
            if before is not None and before.asks_secret and not self.hides:
                buffer.reset()  # a half typed secret must not be seen, and is no answer to this
            if self._question is not None and app.layout.is_searching:
                from prompt_toolkit.search import stop_search

                stop_search()  # it would show the answer
            self._set_aside(buffer)
            app.invalidate()
        self._keyboard.is_asked = self.hides if self._question is None else not _is_own(self._question)
        while self._news:
            self._news.popleft()()
        if self._is_interrupted:
            self._end_prompt(KeyboardInterrupt())
        elif self._over or self._ends:
            self._end_prompt(EOFError())

    def _set_aside(self, buffer: "Buffer") -> None:
        """Keep what is half typed for a room out of the answers of a login, and put it back behind that."""
        if self._question is None:
            text, self._aside = self._aside, None
            if text:
                self._put_in(text, told=False)
        elif self._aside is None and self._in_room and not _is_own(self._question):
            self._aside = buffer.text
            buffer.reset()

    def _put_in(self, text: str, *, told: bool) -> None:
        buffer = self._prompt.default_buffer
        if not buffer.text and not self.is_asked:
            buffer.insert_text(text)
        elif not told:
            self._print([], f"sockctl: Not sent: {show_text(text)}")

    def _clear(self, text: str) -> None:
        buffer = self._prompt.default_buffer
        if buffer.text == text and not self.is_asked:
            buffer.reset()

    def _end_prompt(self, error: BaseException) -> None:
        """End the prompt, unless it ends already."""
        app = self._prompt.app
        if app.is_running and app.future is not None and not app.is_done:
            app.erase_when_done = not self._prompt.default_buffer.text
            app.exit(exception=error)

    def _discard_rest(self) -> None:
        """Discard the rest of a paste, and of a secret: the shell would take it."""
        if self._keyboard.is_busy or self.hides:
            discard_input(self._keyboard.fileno())

    def _stop_once(self) -> None:
        """Make `run` return soon. A signal may come in the middle of this."""
        if not self._is_stopping:
            self._is_stopping = True
            self._stop()

    def _interrupt(self, _number: int, _frame: object) -> None:
        """Process a signal. It raises nothing: join() that is interrupted may leave a lock as it should not be."""
        self._is_interrupted = True
        if self._is_past_prompt:
            self._stop_once()
        else:
            self._wake()


def _is_own(question: "Message | None") -> bool:
    """Return whether the client itself asks."""
    return question is not None and question.get("field") == CONFIRM


def _format_prompt(question: "Message | None") -> str:
    short = question is not None and len(question.text) <= MAX_PROMPT
    return f"{make_visible(question.text)} " if question is not None and short else "> "
