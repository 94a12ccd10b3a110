"""Where a session writes: its data to standard output, remarks and events to standard error, as they happen."""

import sys
import time
from typing import TYPE_CHECKING

from sockctl.errors import StreamError
from sockctl.events.base import Event, Level
from sockctl.terminal import STDERR, STDOUT, format_error, is_terminal, measure_columns, say, wants_colour, write_all

if TYPE_CHECKING:
    from sockctl.events.explain import Explain
    from sockctl.events.formats import Format

MAX_PROMPT = 200
"""Characters in a question that may stand in front of the line being typed; a longer one is written above it."""


class Screen:
    """The standard streams of a session. While a line is being edited, everything appears above it.

    Args:
        lowest: The level from which on events are shown; None for none: in a pipe, only the data counts.
        explain: Which events are explained; None for the usual ones.
        json: Whether events are JSON lines.
        service: What emits them.

    Attributes:
        person: Whether a person reads standard output.
        colours: Whether it may be coloured.
        above_prompt: Whether a line is being typed that must not be broken: then everything is written above it.
    """

    def __init__(
        self,
        lowest: Level | None = None,
        explain: "Explain | None" = None,
        *,
        json: bool = False,
        service: str = "connect",
    ) -> None:
        self.person = is_terminal(STDOUT)
        self.colours = self.person and wants_colour(STDOUT)
        self.above_prompt = False
        self._lowest = lowest
        self._explain = explain
        self._json = json
        self._service = service
        self._format: Format | None = None  # made with the first event
        self._above: list[str] = []  # what is to be written above the prompt, all at once
        self._in_line = False  # whether the cursor stands in the middle of a line
        self._holds = False
        self._held: list[Event] = []  # of a try that may fail

    def write(self, data: bytes) -> None:
        """Write data to standard output.

        Raises:
            BrokenPipeError: The reader of the output has gone.
            StreamError: It can't be written.
        """
        if self.above_prompt:
            self._above.append(data.decode())
            return
        self._in_line = True  # in doubt: Ctrl-C may interrupt this
        try:
            write_all(STDOUT, data)
        except BrokenPipeError:
            raise
        except OSError as error:
            raise StreamError.of_output(error) from error
        self._in_line = not data.endswith(b"\n")

    def fold(self, line: str) -> str:
        """Return a line wrapped at words for a person's terminal; a word longer than a line stays whole."""
        if not self.person:
            return line
        from sockctl.wrapping import wrap_lines

        return wrap_lines(line, measure_columns(STDOUT), cuts=False)

    def flush(self) -> None:
        """Write above the prompt what waits for that: each piece costs the prompt a drawing."""
        if self._above:
            text = "".join(self._above)
            self._above.clear()
            sys.stdout.write(text)
            if not text.endswith("\n"):
                sys.stdout.flush()  # a bell, or a screen that is cleared

    def begin_line(self) -> None:
        """Note that the cursor stands at the beginning of a line: Enter was typed."""
        self._in_line = False

    def end_line(self) -> None:
        """Begin a line of its own for a person, where the cursor stands behind a question."""
        if self._in_line and self.person and not self.above_prompt:
            self.write(b"\n")

    def remark(self, line: str) -> None:
        """Write a line about the session to standard error, on a line of its own."""
        if self.above_prompt and is_terminal(STDERR):
            self._above.append(f"{self.fold(line)}\n")
            return
        if self._in_line and self.person and is_terminal(STDERR):
            say("")
            self._in_line = False
        say(line)

    def remark_error(self, text: str) -> None:
        """Write an error that doesn't end the session, as `remark` writes a line."""
        self.remark(format_error(text))

    def shows(self, level: Level) -> bool:
        """Return whether events of a level are shown."""
        return self._lowest is not None and level >= self._lowest

    def emit(self, event: Event) -> None:
        """Show an event, if such events are shown."""
        if self._lowest is None or not self.shows(event.own_level):
            return
        if self._holds and event.own_level < Level.WARNING and self._lowest > Level.DETAIL:
            self._held.append(event)
            return
        if self._format is None:
            from sockctl.events.formats import choose_live_format, encode_json

            self._format = encode_json if self._json else choose_live_format(STDERR, self._explain)
        from sockctl.events.base import Record

        if text := self._format(Record(time.time(), self._service, event)):
            self.remark(text)

    def hold_events(self, *, hold: bool) -> None:
        """Keep the steps of a try back, unless the user wants every detail; without `hold`, show those kept back."""
        self._holds = hold
        if not hold and self._held:
            held, self._held = self._held, []
            for event in held:
                self.emit(event)

    def forget_events(self) -> None:
        """Forget the steps that were kept back: the try has failed."""
        self._held.clear()
