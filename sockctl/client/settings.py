"""How a session of the client behaves, and the parts that follow from it; what is seldom needed is loaded here."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from sockctl.client.dialogue import Dialogue
from sockctl.client.inputs import LineInput, PipeInput
from sockctl.client.outputs import HexOutput, JsonOutput, Output, PlainOutput
from sockctl.client.screen import Screen
from sockctl.net.address import Endpoint
from sockctl.net.transport import Transport

if TYPE_CHECKING:
    from sockctl.client.chat.view import ChatView
    from sockctl.client.script import Script
    from sockctl.client.script_steps import Step
    from sockctl.client.tty.user import TerminalUser

__all__ = ["ClientSettings"]

QUIT_AFTER_S = 2.0
"""How long a session that a person or a script has ended waits for the server's end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientSettings:
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
        session: Use the token of an earlier login, and keep the one of this.
        insecure: Send passwords and tokens in clear.
        state_dir: The folder where tokens are kept, as it was chosen.
        reconnect: Come back after a lost connection, where that can be.
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
    session: bool
    insecure: bool
    state_dir: Path | None
    reconnect: bool = True

    @property
    def returns(self) -> bool:
        """Whether a session comes back after a lost connection: only where a person sits."""
        return self.reconnect and self.terminal and not self.json and not self.hex_dump and self.count is None

    def dialogue(
        self,
        endpoint: Endpoint,
        sock: Transport,
        remark: Callable[[str], None],
        view: "ChatView | None",
        *,
        returning: bool,
    ) -> Dialogue:
        """Return what speaks with the server.

        Args:
            endpoint: The server, as the user has named it.
            sock: The connection to it.
            remark: Tells the user something.
            view: What the session remembers.
            returning: Whether the connection is one in place of another.
        """
        line_end = b"\r\n" if self.crlf else b"\n"
        if self.messages is False:
            return Dialogue(line_end=line_end)
        from sockctl.client.plaintext_guard import PlaintextGuard, is_in_clear
        from sockctl.client.protocol import MessageDialogue
        from sockctl.client.token_login import TokenLogin, place_behind

        clear = not self.insecure and is_in_clear(sock)
        resuming = TokenLogin(
            *place_behind(sock, endpoint),
            keeps=self.session and not self.hex_dump and not clear,  # a hex dump would show the token
            state_dir=self.state_dir,
            timeout_s=self.timeout_s,
            remark=remark,
            logs_in_itself=self._logs_in_itself,
            piped=not self.terminal and not self.steps,
            held=None if view is None else view.held,
        )
        return MessageDialogue(
            insist=returning or self.messages is True,
            line_end=line_end,
            resuming=resuming,
            discretion=PlaintextGuard(endpoint) if clear else None,
            view=view,
        )

    def source(self) -> LineInput | PipeInput:
        """Return where words come from without a script."""
        if self.terminal or self.messages:
            return LineInput(crlf=self.crlf, by_hand=self.terminal)
        return PipeInput(crlf=self.crlf)

    def view(self, screen: Screen) -> "ChatView | None":
        """Return what remembers what a person is told in messages."""
        if not self.terminal or self.json or self.hex_dump or self.messages is False:
            return None
        from sockctl.client.chat.view import ChatView

        return ChatView(own_lines_stay=screen.person, remark=screen.remark)

    def output(self, screen: Screen, view: "ChatView | None") -> Output:
        """Return what shows the server's words."""
        if self.hex_dump:
            return HexOutput(screen)
        if self.json:
            return JsonOutput(screen)
        if not screen.person:
            return PlainOutput(screen, None)
        from sockctl.client.chat.formatter import MessageFormatter
        from sockctl.client.chat.roster import Roster

        return PlainOutput(screen, MessageFormatter(Roster() if view is None else view.roster, colours=screen.colours))

    def person(self, screen: Screen, view: "ChatView | None") -> "TerminalUser | None":
        """Return whoever sits at the terminal."""
        if not self.terminal:
            return None
        from sockctl.client.tty.user import TerminalUser

        return TerminalUser(screen, view, may_edit=not self.plain and not self.hex_dump)

    def script(
        self, *, say: Callable[[str], None], may_say: Callable[[], bool], leave: Callable[[], None]
    ) -> "Script | None":
        """Return what carries out the steps, if there are any."""
        if not self.steps:
            return None
        from sockctl.client.script import Script

        return Script(self.steps, say=say, may_say=may_say, leave=leave, timeout_s=self.timeout_s)

    def patience_s(self, script: "Script | None") -> float | None:
        """Return how many seconds to wait for the server's end after the input's; None for as long as it takes."""
        if self.quit_after_s is not None:
            return self.quit_after_s
        ends_itself = script is not None and not script.waits_for_answers
        return QUIT_AFTER_S if self.terminal or ends_itself else None

    def _logs_in_itself(self, user: str) -> bool:
        """Return whether the steps answer a server's questions: they begin with waiting for one, or with the name."""
        from sockctl.client.script_steps import Expect, Send
        from sockctl.protocol.names import same_name_key

        match self.steps[:1]:
            case [Expect()]:
                return True
            case [Send(text)]:
                return bool(user) and same_name_key(text.strip()) == same_name_key(user)
        return False
