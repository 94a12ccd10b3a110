"""How a session of the client behaves, and the parts that follow from it; what is seldom needed is loaded here."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sockctl.cli.dialogue import Dialogue
from sockctl.cli.inputs import LineInput, PipeInput
from sockctl.cli.outputs import HexOutput, JsonOutput, Output, PlainOutput
from sockctl.cli.screen import Screen

if TYPE_CHECKING:
    from sockctl.cli.person import Person
    from sockctl.cli.script import Script
    from sockctl.cli.steps import Step

__all__ = ["Style"]

QUIT_AFTER_S = 2.0
"""How long a session that a person or a script has ended waits for the server's end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    """How a session behaves.

    Attributes:
        terminal: Whether lines are typed, rather than bytes piped.
        messages: Whether the server must speak in messages (True) or must not (False); None where it may.
        verbose: Tell events even in a pipe, and details.
        hex_dump: Show a hex dump instead of the bytes.
        json: Show JSON lines.
        plain: Never use the line editor.
        crlf: Send CR LF for a line feed.
        steps: What to do, in place of an input.
        count: End after so many messages; None for no end.
        timeout_s: Seconds for the greeting, each expectation, and the server's end in a script.
        quit_after_s: Seconds to wait for the server's end after the input's; None for the default.
    """

    terminal: bool
    messages: bool | None
    verbose: bool
    hex_dump: bool
    json: bool
    plain: bool
    crlf: bool
    steps: "Sequence[Step]"
    count: int | None
    timeout_s: float
    quit_after_s: float | None

    def dialogue(self) -> Dialogue:
        """Return what speaks with the server."""
        line_end = b"\r\n" if self.crlf else b"\n"
        if self.messages is False:
            return Dialogue(line_end=line_end)
        from sockctl.cli.message_dialogue import MessageDialogue

        return MessageDialogue(insist=self.messages is True, line_end=line_end)

    def source(self) -> LineInput | PipeInput:
        """Return where words come from without a script."""
        if self.terminal or self.messages:
            return LineInput(crlf=self.crlf, by_hand=self.terminal)
        return PipeInput(crlf=self.crlf)

    def output(self, screen: Screen) -> Output:
        """Return what shows the server's words."""
        if self.hex_dump:
            return HexOutput(screen)
        return JsonOutput(screen) if self.json else PlainOutput(screen)

    def person(self, screen: Screen) -> "Person | None":
        """Return whoever sits at the terminal."""
        if not self.terminal:
            return None
        from sockctl.cli.person import Person

        return Person(screen, may_edit=not self.plain and not self.hex_dump)

    def script(self, *, say: Callable[[str], None], leave: Callable[[], None]) -> "Script | None":
        """Return what carries out the steps, if there are any."""
        if not self.steps:
            return None
        from sockctl.cli.script import Script

        return Script(self.steps, say=say, leave=leave, timeout_s=self.timeout_s)

    def patience_s(self, script: "Script | None") -> float | None:
        """Return how many seconds to wait for the server's end after the input's; None for as long as it takes."""
        if self.quit_after_s is not None:
            return self.quit_after_s
        ends_itself = script is not None and not script.waits_for_answers
        return QUIT_AFTER_S if self.terminal or ends_itself else None
