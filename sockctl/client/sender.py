"""The client's own words on their way to the server: raw, or as messages, once it is known which."""

import time
from collections import deque
from collections.abc import Callable

from sockctl.client.dialogue import Dialogue
from sockctl.client.inputs import LineInput, PipeInput
from sockctl.errors import ConnectionBrokenError, StreamError, UnsendableError
from sockctl.protocol.frames import LIMIT_BYTES
from sockctl.text import plural, visible

__all__ = ["Sender", "refuse"]

SHOWN_CHARACTERS = 500
"""How much is shown of a line that is refused."""
FIRST_LINE_HELD_S = 0.3
"""How long a person's first line waits for a greeting."""


class Sender:
    """An input for the relay.

    Args:
        source: Where the words come from.
        dialogue: The connection's wire.
        by_hand: Whether a person types them: then they wait for a greeting only so long, and what can't be sent is
            told and forgotten.
        on_raw: Takes what the server had sent when this side speaks before it has greeted.
        on_line: Called after a line was taken.
        remark: Tells a person what can't be sent.
        returning: Whether the connection is one in place of another: what is typed before the server has asked or
            welcomed was meant for that one, and is refused, lest it become an answer.
    """

    def __init__(
        self,
        source: LineInput | PipeInput,
        dialogue: Dialogue,
        *,
        by_hand: bool,
        on_raw: Callable[[bytes], None],
        on_line: Callable[[], None],
        remark: Callable[[str], None],
        returning: bool = False,
    ) -> None:
        self._source = source
        self._dialogue = dialogue
        self._by_hand = by_hand
        self._on_raw = on_raw
        self._on_line = on_line
        self._remark = remark
        self._returning = returning
        self._held_until = time.monotonic() + FIRST_LINE_HELD_S
        self._lines = 0
        self._held: deque[bytes] = deque()  # lines that were read, and may not go out yet
        self._left = False

    def take_lines_from(self, source: LineInput) -> None:
        """Take what a person types from somewhere else."""
        self._source = source

    @property
    def ended(self) -> bool:
        """Whether nothing more will come."""
        return self._source.ended and not self._held

    @property
    def held_lines(self) -> int:
        """How many lines were read and wait for their turn."""
        return len(self._held)

    @property
    def wanted(self) -> bool:
        """Whether it is to be read now; not while a greeting is awaited, or lines are held."""
        return self._returning or (not self._held and self._may_read)

    @property
    def _may_read(self) -> bool:
        return not self._dialogue.listening or (self._may_begin and time.monotonic() >= self._held_until)

    def held_s(self) -> float | None:
        """Return for how many seconds words are still held, or None."""
        if not self._may_begin or not self._dialogue.listening:
            return None
        left_s = self._held_until - time.monotonic()
        return left_s if left_s > 0 else None

    @property
    def _may_begin(self) -> bool:
        """Whether this side may speak first, should the server not greet."""
        return self._by_hand and not self._dialogue.insists

    def fileno(self) -> int:
        """Return the descriptor to wait for."""
        return self._source.fileno()

    def read(self) -> bytes:
        """Return what is to be sent.

        Raises:
            StreamError: The input can't be read.
            UnsendableError: A piped line is too long for a message, or no text.
            InsecureError: One is a password, and would go in clear.
        """
        if not isinstance(self._source, LineInput):
            return self._source.read()
        if self._returning and not self._dialogue.has_turn:
            refuse(self._source, self._remark)
            return self.release()
        if not self._dialogue.in_messages:
            data = self._source.read()
            self._on_line()
            held = self._dialogue.stay_raw() if data or self.ended else b""
            if held:
                self._on_raw(held)
            return data
        self._held += self._source.read_lines()
        said = self.release()
        if self._source.waiting_bytes > LIMIT_BYTES:
            raise UnsendableError(f"Line {self._lines + 1} of the input is longer than a message may be: split it.")
        return said

    def release(self) -> bytes:
        """Return what may be sent now of the lines that were held. Raises what `read` raises."""
        said = []
        while self._held and self._dialogue.may_say:
            said.append(self._said(self._held.popleft()))
        if self.ended and self._by_hand and self._dialogue.in_messages and not self._left:
            self._left = True
            said.append(self._dialogue.leave())
        return b"".join(said)

    def end(self) -> None:
        """Take note that the server has ended the connection.

        Raises:
            ConnectionBrokenError: Lines of a pipe were not sent.
        """
        if self._held and not self._by_hand:
            raise ConnectionBrokenError(
                f"The server ended the connection before it took everything: "
                f"{plural(len(self._held), 'line was', 'lines were')} not sent."
            )

    def _said(self, line: bytes) -> bytes:
        self._lines += 1
        try:
            return self._dialogue.say(line.removesuffix(b"\r").decode())
        except UnicodeDecodeError as error:
            problem = f"Line {self._lines} of the input is not UTF-8 at its byte {error.start}: it can't be sent."
            if not self._by_hand:
                raise StreamError(problem) from error
        except UnsendableError as error:
            problem = str(error)
            if not self._by_hand:
                raise
        finally:
            self._on_line()
        self._remark(problem)
        return b""


def refuse(source: LineInput, remark: Callable[[str], None]) -> None:
    """Read lines that nobody takes, and tell so.

    Raises:
        StreamError: They can't be read.
    """
    for line in source.read_lines():
        if line.strip():
            shown = visible(line.decode(errors="replace"))[:SHOWN_CHARACTERS]
            remark(f"sockctl: Not sent, there is no connection: {shown}")
