"""The keys of a terminal, in which several lines that come at once are a paste. Imported with prompt_toolkit only."""

import asyncio
import contextlib
import select
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TextIO

from prompt_toolkit.input.vt100 import Vt100Input
from prompt_toolkit.key_binding.key_processor import KeyPress
from prompt_toolkit.keys import Keys

from sockctl.client.tty.background import Background
from sockctl.client.tty.stdin_reader import StdinReader

MAX_KEYS = 65_536
"""Keys that are read at once."""
_ENDS = (Keys.ControlM, Keys.ControlJ)


@dataclass(frozen=True, slots=True)
class BurstTimes:
    """How long keys that come at once belong together.

    Attributes:
        follows_s: Behind a line that came at once with its end, the keyboard waits so long for another one.
        goes_on_s: A burst goes on with keys that come no later than this.
        quiet_s: After so long a paste is over.
    """

    follows_s: float = 0.03
    goes_on_s: float = 0.05
    quiet_s: float = 0.3


USUAL_TIMES = BurstTimes()


class Keyboard(Vt100Input):
    """A terminal's input. The keys of a burst, which nobody types by hand, become one bracketed paste.

    Output above the prompt leaves the terminal's mode alone: else the terminal would show, and obey, the keys that come
    meanwhile.

    Args:
        stdin: The terminal.
        background: The terminal's answer on its background, and the keys typed meanwhile.
        times: How long keys belong together.

    Attributes:
        is_asked: Whether the next line answers a question: then it is no part of a paste.
        hands_over: Whether another program gets the terminal for a while.
    """

    is_asked = False
    hands_over = False
    _burst_at = _pasted_at = float("-inf")
    _is_in_paste = False  # whether the last keys were part of a paste

    def __init__(self, stdin: TextIO, background: Background, *, times: BurstTimes = USUAL_TIMES) -> None:
        super().__init__(stdin)
        self._reader = StdinReader(stdin.fileno(), encoding=stdin.encoding, background=background)
        self.stdin_reader = self._reader
        self._times = times

    def attach(self, input_ready_callback: Callable[[], None]) -> AbstractContextManager[None]:
        """Call back when keys can be read, and soon where keys were typed before."""
        if self._reader.is_ahead:
            asyncio.get_running_loop().call_soon(input_ready_callback)
        return super().attach(input_ready_callback)

    @property
    def is_busy(self) -> bool:
        """Whether a paste may still be going on: on a busy machine its rest may wait for long."""
        return time.monotonic() < self._pasted_at + self._times.quiet_s or (self._is_in_paste and self._follows(0))

    def read_keys(self) -> list[KeyPress]:
        """Return the keys that wait, with a burst as one key."""
        keys = super().read_keys()
        while 1 < len(keys) < MAX_KEYS and self._follows(self._times.follows_s if keys[-1].key in _ENDS else 0):
            more = super().read_keys()
            if not more:
                break
            keys += more
        goes_on = time.monotonic() < self._burst_at + self._times.goes_on_s
        taken = self._answer_in(keys) if self.is_asked and not goes_on else 0
        return keys[:taken] + self._with_pastes(keys[taken:], goes_on=goes_on)

    def cooked_mode(self) -> AbstractContextManager[None]:
        """Return a context for output above the prompt."""
        return super().cooked_mode() if self.hands_over else contextlib.nullcontext()

    def _follows(self, seconds: float) -> bool:
        return bool(select.select([self.fileno()], [], [], seconds)[0])

    def _answer_in(self, keys: list[KeyPress]) -> int:
        """Return how many keys the answer to a question has, its end included; 0 where it hasn't come as a whole."""
        return next((at + 1 for at, press in enumerate(keys) if press.key in _ENDS), 0)

    def _with_pastes(self, keys: list[KeyPress], *, goes_on: bool) -> list[KeyPress]:
        """Return `keys` with a paste in place of a burst: lines that came at once, and more than one.

        Args:
            keys: The keys.
            goes_on: Whether they follow a burst at once, and so belong to it.
        """
        texts = [press for press in keys if _is_text(press)]
        ends = [at for at, press in enumerate(texts) if press.key in _ENDS]
        is_one = len(texts) > len(ends) and (len(ends) > 1 or (bool(ends) and ends[0] < len(texts) - 1))
        self._is_in_paste = len(keys) != 1 or goes_on  # none: in the middle of a bracketed paste
        if self._is_in_paste:
            self._pasted_at = time.monotonic()
        if not is_one and not (goes_on and ends):
            return keys
        self._burst_at = self._pasted_at
        return list(_joined(keys))


def _is_text(press: KeyPress) -> bool:
    return not isinstance(press.key, Keys) or press.key in {*_ENDS, Keys.ControlI}


def _joined(keys: list[KeyPress]) -> Iterator[KeyPress]:
    """Yield each run of texts as one paste, the other keys as they are."""
    run = ""
    for press in keys:
        if _is_text(press):
            run += press.data
            continue
        if run:
            yield KeyPress(Keys.BracketedPaste, run)
            run = ""
        yield press
    if run:
        yield KeyPress(Keys.BracketedPaste, run)
