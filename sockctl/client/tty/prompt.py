"""The prompt of the line editor: its keys, its history, its layout. Imported with prompt_toolkit only."""

import asyncio
import sys
from collections.abc import Callable, Mapping
from typing import Protocol

from prompt_toolkit import PromptSession
from prompt_toolkit.application import get_app, run_in_terminal
from prompt_toolkit.buffer import Buffer
from prompt_toolkit.filters import Condition, is_done, is_searching
from prompt_toolkit.formatted_text import ANSI, FormattedText, StyleAndTextTuples, to_formatted_text
from prompt_toolkit.history import History, InMemoryHistory
from prompt_toolkit.key_binding import KeyBindings, KeyPressEvent
from prompt_toolkit.keys import Keys
from prompt_toolkit.layout import BufferControl, ConditionalContainer, Dimension, FormattedTextControl, HSplit, Window
from prompt_toolkit.layout.processors import ConditionalProcessor, PasswordProcessor, TabsProcessor
from prompt_toolkit.renderer import print_formatted_text
from prompt_toolkit.styles import default_ui_style

from sockctl.client.chat.update import Update
from sockctl.client.fragments import Fragments
from sockctl.client.tty.background import Background
from sockctl.client.tty.keyboard import Keyboard
from sockctl.client.tty.placement import Placement
from sockctl.client.tty.wide_rows import count_wide_rows

STATUS_EVERY_S = 0.5
"""How often the line below the prompt may change by itself."""


class Editor(Protocol):
    """The editor on which the keys of a prompt act."""

    @property
    def fragments(self) -> Fragments:
        """The prompt."""

    @property
    def hides(self) -> bool:
        """Whether the line being typed must not be seen."""

    def complete(self, buffer: Buffer, *, columns: int, rows: int) -> None:
        """Complete the word before the cursor, or list in so many columns and rows what it may become."""

    def accept(self, buffer: Buffer) -> bool:
        """Take the entry; return whether it stays in the editor."""

    def paste(self, buffer: Buffer, text: str) -> None:
        """Insert a text of one line or several."""

    def note_text(self, buffer: Buffer) -> None:
        """Note that the text has changed."""

    def clear_or_leave(self, buffer: Buffer) -> None:
        """Process a Ctrl-C."""

    def stop_job(self) -> None:
        """Stop, until the shell goes on with this job."""

    def leave(self) -> None:
        """Let nothing more be typed."""


def make_prompt(
    editor: Editor,
    background: Background,
    *,
    status: Callable[[int], Fragments] | None,
    keys: Mapping[str, Callable[[], None]],
    history: History | None,
) -> tuple[PromptSession[str], Keyboard]:
    """Return the prompt of `editor`, and the keyboard that it reads.

    Args:
        editor: The editor on which the prompt's keys act.
        background: The terminal's answer on its background, and the keys typed meanwhile.
        status: Returns the line below the prompt for a width in columns; None for no such line.
        keys: Actions of further keys.
        history: What was typed earlier; None to keep it in memory only.
    """
    keyboard = Keyboard(sys.stdin, background)
    hides = Condition(lambda: editor.hides)
    prompt: PromptSession[str] = PromptSession(
        lambda: _styled(editor.fragments),
        history=InMemoryHistory() if history is None else history,
        input=keyboard,
        input_processors=[
            ConditionalProcessor(PasswordProcessor(char=""), hides),
            ConditionalProcessor(TabsProcessor(char1=" ", char2=" "), ~hides),
        ],
        key_bindings=_bind(editor, keyboard, keys),
    )
    buffer = prompt.default_buffer
    buffer.accept_handler = editor.accept
    buffer.on_text_changed += editor.note_text
    control = prompt.layout.current_control
    if isinstance(control, BufferControl):
        count_wide_rows(control)
    prompt.layout.current_window.height = lambda: Dimension(max=max(1, prompt.output.get_size().rows // 2))
    placement = Placement(prompt, lambda: status is not None and bool(status(prompt.output.get_size().columns)))
    if status is not None:
        _add_status(prompt, status, placement)
    return prompt, keyboard


def _bind(editor: Editor, keyboard: Keyboard, keys: Mapping[str, Callable[[], None]]) -> KeyBindings:
    bindings = KeyBindings()

    @bindings.add("enter", filter=~is_searching)
    def _accept(event: KeyPressEvent) -> None:
        buffer = event.current_buffer
        if not editor.accept(buffer):
            buffer.reset()

    @bindings.add("tab", filter=~is_searching)
    def _complete(event: KeyPressEvent) -> None:
        size = event.app.output.get_size()
        editor.complete(event.current_buffer, columns=size.columns, rows=max(2, size.rows // 2))

    @bindings.add("escape", "enter", filter=~is_searching)
    def _break_line(event: KeyPressEvent) -> None:
        event.current_buffer.insert_text("\n")

    @bindings.add(Keys.BracketedPaste)
    def _paste(event: KeyPressEvent) -> None:
        editor.paste(event.current_buffer, event.data.replace("\r\n", "\n").replace("\r", "\n"))

    @bindings.add("c-c", filter=~is_searching)
    def _clear_or_leave(event: KeyPressEvent) -> None:
        editor.clear_or_leave(event.current_buffer)

    @bindings.add("c-d", filter=~is_searching & Condition(lambda: not get_app().current_buffer.text))
    def _leave(_: KeyPressEvent) -> None:
        editor.leave()

    for search in ("c-r", "c-s"):  # it would show what is typed
        bindings.add(search, filter=Condition(lambda: editor.hides))(_calling(lambda: None))
    _bind_screen_keys(bindings, editor, keyboard)
    for names, action in keys.items():
        bindings.add(*names.split())(_calling(action))
    return bindings


def _bind_screen_keys(bindings: KeyBindings, editor: Editor, keyboard: Keyboard) -> None:
    """Bind the keys that clear the screen, or give it to the shell."""

    @bindings.add("c-l")
    def _clear_screen(event: KeyPressEvent) -> None:
        run_in_terminal(lambda: event.app.output.write_raw(Update([], clears=True).render()))

    @bindings.add("c-z")
    async def _suspend(_: KeyPressEvent) -> None:
        keyboard.hands_over = True
        try:
            await run_in_terminal(editor.stop_job)
        finally:
            keyboard.hands_over = False


def from_ansi(text: str) -> Fragments:
    """Return coloured text as pieces."""
    return [(style, piece) for style, piece, *_ in to_formatted_text(ANSI(text))]


def print_line(prompt: PromptSession[str], fragments: Fragments) -> None:
    """Write a line where the cursor stands."""
    output = prompt.output
    print_formatted_text(output, _styled([*fragments, ("", "\n")]), prompt.style or default_ui_style())
    output.flush()


def _calling(action: Callable[[], None]) -> Callable[[KeyPressEvent], None]:
    return lambda _: action()


def _add_status(prompt: PromptSession[str], status: Callable[[int], Fragments], placement: Placement) -> None:
    """Put a line below the prompt, where it has a text."""

    def fragments() -> StyleAndTextTuples:
        return _styled(status(get_app().output.get_size().columns))

    async def watch() -> None:
        """Draw the line again when it has changed: by the time, or by a message that wasn't printed."""
        shown = fragments()
        while True:
            await asyncio.sleep(STATUS_EVERY_S)
            if placement.is_settled and fragments() != shown:
                shown = fragments()
                prompt.app.invalidate()

    def begin() -> None:
        prompt.app.create_background_task(watch())

    prompt.app.pre_run_callables.append(begin)
    window = Window(FormattedTextControl(fragments), height=1, dont_extend_height=True, style="class:status")
    shown = ConditionalContainer(window, ~is_done & Condition(lambda: bool(fragments())))
    container = prompt.layout.container
    if isinstance(container, HSplit):
        container.children.append(shown)


def _styled(fragments: Fragments) -> StyleAndTextTuples:
    return FormattedText(fragments)
