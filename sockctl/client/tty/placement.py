"""Where the prompt of the line editor stands on a screen that is resized. Imported with prompt_toolkit only.

A terminal wraps all rows anew when its width changes, without a word to the client, which hears of it later. What is
drawn meanwhile stands where no erasing looks for it: a ghost. So the prompt is drawn again when the size has stayed for
a moment, and it stands at the bottom, since a terminal that becomes narrower scrolls away what stands at the top.
"""

import asyncio
from collections.abc import Callable

from prompt_toolkit import PromptSession
from prompt_toolkit.data_structures import Size

ERASE_DOWN = "\x1b7\x1b[K\x1b[B\r\x1b[J\x1b8"
"""Keep the cursor's place; erase the rest of the row; one row down, erase all from its begin; go back.

In two steps: tmux keeps what is erased from the top left corner on, as if it had been scrolled away.
"""

LOOSE_ROWS = 3
"""Rows that may stay free below the prompt: a text of several rows leaves them when it is sent."""

SETTLED_S = 0.3
"""How long the screen has had its size when the prompt is drawn for it: tmux tells of new sizes four times a second."""


class Placement:
    """The place of a prompt.

    Args:
        prompt: The prompt, before it runs.
        is_at_bottom: Whether it is moved down to the last row now, with what stands above it.
    """

    def __init__(self, prompt: PromptSession[str], is_at_bottom: Callable[[], bool]) -> None:
        app = self._app = prompt.app
        self._output = prompt.output
        self._is_at_bottom = is_at_bottom
        self._size: Size | None = None  # when the prompt was drawn
        self._widest: dict[int, int] = {}  # the last column that was written since the last erasing, of each row
        self._ends: list[int] = []  # the same up to the cursor
        self._redraw: asyncio.TimerHandle | None = None  # for a new size
        self._draw = app._on_resize  # it has no public name
        self._note_row = app.renderer.report_absolute_cursor_row
        app.before_render.add_handler(lambda _: self._prepare())
        app.after_render.add_handler(lambda _: self._note_rows())
        app._on_resize = self._wait  # type: ignore[method-assign]
        self._output.erase_down = self._erase_down  # type: ignore[method-assign]
        app.renderer.report_absolute_cursor_row = self._process_row  # type: ignore[method-assign]

    @property
    def is_settled(self) -> bool:
        """Whether the prompt was drawn for the size that the screen has."""
        return self._size == self._output.get_size()

    def _wait(self) -> None:
        self._cancel()
        self._redraw = asyncio.get_running_loop().call_later(SETTLED_S, self._draw_if_running)

    def _draw_if_running(self) -> None:
        self._cancel()
        if self._app.is_running:
            self._draw()

    def _cancel(self) -> bool:
        """Return whether the prompt was yet to be drawn for a new size."""
        redraw, self._redraw = self._redraw, None
        if redraw is not None:
            redraw.cancel()
        return redraw is not None

    def _prepare(self) -> None:
        """Erase what was drawn for the size before, where something else, like a key, has it drawn earlier."""
        if self._cancel():
            self._app.renderer.erase(leave_alternate_screen=False)
            self._app.renderer.request_absolute_cursor_position()

    def _note_rows(self) -> None:
        self._size = self._output.get_size()
        screen = self._app.renderer.last_rendered_screen
        if screen is None:
            return
        for row in range(screen.height):
            end = max((column for column, cell in screen.data_buffer[row].items() if cell.char != " "), default=0)
            self._widest[row] = max(self._widest.get(row, 0), end)
        cursor = screen.get_cursor_position(self._app.layout.current_window)
        above = (self._widest[row] for row in range(cursor.y))
        self._ends = [*above, min(self._widest.get(cursor.y, 0), cursor.x)]

    def _erase_down(self) -> None:
        """Erase all rows of the prompt, even those that the terminal has wrapped anew since they were drawn.

        It wraps a row as wide as it ever was since it was erased: spaces that were written over a text count, too.
        """
        columns = max(1, self._output.get_size().columns)
        self._output.cursor_up(sum(end // columns for end in self._ends))
        self._ends = []
        self._widest.clear()
        self._output.write_raw(ERASE_DOWN)

    def _process_row(self, row: int) -> None:
        """Process the terminal's answer: on which row, from 1, the prompt began when it was asked."""
        self._note_row(row)
        renderer = self._app.renderer
        screen = renderer.last_rendered_screen
        if screen is None or renderer.waiting_for_cpr or not self.is_settled:
            return  # another answer comes
        free = self._output.get_size().rows - (row - 1) - screen.height
        if free > LOOSE_ROWS and self._is_at_bottom():
            self._output.write_raw(f"\x1b7\x1b[H\x1b[{free}L\x1b8\x1b[{free}B")
            self._output.flush()
            self._note_row(row + free)
