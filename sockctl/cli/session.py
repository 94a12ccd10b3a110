"""One session of the client: what is typed, piped in or scripted goes to the server, what comes back is shown.

On a terminal, and where messages are insisted on, it listens before it speaks. When it is known whether the server
speaks in messages, whoever sits in front gets the line editor, or plain lines.
"""

import contextlib
import socket
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sockctl.cli.dialogue import Dialogue
from sockctl.cli.exit_codes import ExitCode
from sockctl.cli.hidden_typing import HiddenTyping
from sockctl.cli.inputs import LineInput, PipeInput
from sockctl.cli.meter import Meter
from sockctl.cli.outputs import HexOutput, JsonOutput, Output, PlainOutput
from sockctl.cli.screen import Screen
from sockctl.cli.script import LineHearing, Script
from sockctl.cli.speaking import Speaking
from sockctl.cli.steps import Step
from sockctl.cli.terminal import STDIN, say, wants_colour
from sockctl.errors import (
    ConnectionBrokenError,
    ConnectTimeoutError,
    ExpectationError,
    ProtocolError,
    SockctlError,
)
from sockctl.events.base import Event, Level
from sockctl.events.client import Disconnected, Greeted, InputEnded
from sockctl.net.address import Endpoint
from sockctl.net.client import connect
from sockctl.net.relay import Ending, Relay
from sockctl.protocol.client_wire import ClientWire
from sockctl.protocol.messages import Message

if TYPE_CHECKING:
    from sockctl.cli.line_editor import LineEditor

__all__ = ["Style", "run_session"]

QUIT_AFTER_S = 2.0
"""How long a session that a person or a script has ended waits for the server's end."""

Tell = Callable[[Event], None]


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
    steps: Sequence[Step]
    count: int | None
    timeout_s: float
    quit_after_s: float | None


def run_session(endpoint: Endpoint, style: Style, *, retries: int, family: socket.AddressFamily) -> ExitCode:
    """Connect to `endpoint` and hold the session.

    Raises:
        SockctlError: It can't be connected to, the connection broke, the server did something else than expected, or a
            standard stream broke.
    """
    screen = Screen()
    tell = _teller(style, screen)
    with connect(endpoint, tell=tell, timeout_s=style.timeout_s, retries=retries, family=family) as sock:
        return _Session(sock, style, screen, tell).run()


def _teller(style: Style, screen: Screen) -> Tell:
    """Return what shows events: on standard error, at once, so that they stand where they happened."""
    if not style.terminal and not style.verbose:
        return _keep_quiet
    from sockctl.events.journal import Record
    from sockctl.events.sinks import as_plain_text, as_terminal_text

    show = as_terminal_text if wants_colour() else as_plain_text
    lowest = Level.DETAIL if style.verbose else Level.INFO

    def tell(event: Event) -> None:
        if event.level >= lowest:
            screen.remark(show(Record(time.time(), "connect", event)))

    return tell


def _keep_quiet(_: Event) -> None:
    """Tell nothing: in a pipe, only the data counts."""


class _Session:
    """A connection that stands, until it ends."""

    def __init__(self, sock: socket.socket, style: Style, screen: Screen, tell: Tell) -> None:
        self._sock = sock
        self._style = style
        self._screen = screen
        self._tell = tell
        wire = ClientWire.raw() if style.messages is False else ClientWire(insist=style.messages is True)
        self._dialogue = Dialogue(wire, line_end=b"\r\n" if style.crlf else b"\n")
        self._output = _output(style, screen)
        self._script = Script(style.steps, say=self._say, timeout_s=style.timeout_s) if style.steps else None
        self._speaking = self._made_speaking()
        self._missing = style.count  # how many messages are still to come, with --count
        self._lines = LineHearing() if self._script is not None or style.count is not None else None
        self._hidden = HiddenTyping(STDIN)
        self._refresh: Callable[[], None] = _nothing
        self._said_goodbye = False
        self._meter = Meter(self._tell_moved)
        self._started = time.monotonic()
        self._relay = Relay(
            sock,
            self._script or self._speaking,
            on_received=self._received,
            on_sent=self._sent,
            on_input_ended=lambda: tell(InputEnded()),
            on_pause=self._pause,
            quit_after_s=self._quit_after_s(),
        )

    def run(self) -> ExitCode:
        """Hold the session to its end."""
        try:
            ending = self._hold()
            self._settle(ending)
        except BrokenPipeError:
            self._end("output_closed")  # as with `| head -1`: who reads has enough
            return ExitCode.DONE
        except KeyboardInterrupt:
            self._end("interrupted")
            return ExitCode.INTERRUPTED
        except SockctlError as error:
            broken, protocol = isinstance(error, ConnectionBrokenError), isinstance(error, ProtocolError)
            self._end("reset" if broken else "protocol_error" if protocol else "failed")
            raise
        by_hand = self._style.terminal and self._speaking.ended
        self._end("client_exit" if by_hand else str(ending))
        return ExitCode.DONE

    def _hold(self) -> Ending:
        """Run the relay to its end, under the line editor where that is wanted."""
        if not self._style.terminal:
            return self._relay.run()
        ending = None
        while self._dialogue.listening and not self._speaking.wanted and ending is None:
            ending = self._relay.step()
        if ending is not None:
            return ending
        if self._dialogue.in_messages and not self._style.plain and not self._style.hex_dump:
            from sockctl.cli.line_editor import LineEditor, can_edit_lines

            if can_edit_lines():
                return self._edit(LineEditor(lambda: self._dialogue.question))
        say("Type lines, Enter sends each. 'exit' or Ctrl-D ends the connection.")
        return self._relay.run()

    def _edit(self, editor: "LineEditor") -> Ending:
        say("Type lines, Enter sends each. 'exit' or Ctrl-D ends the connection.")
        self._speaking.source = LineInput(crlf=False, descriptor=editor.fileno())
        self._hidden.end()
        self._screen.above_prompt = True
        self._refresh = editor.refresh
        try:
            return editor.hold(self._relay.run, self._break_off)
        finally:
            self._screen.above_prompt = False
            self._refresh = _nothing

    def _break_off(self) -> None:
        with contextlib.suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)

    # What the relay calls.

    def _received(self, data: bytes) -> None:
        self._output.received(data)
        raw, reply = self._dialogue.hear(data)
        self._meter.moved(received=len(data))
        if reply:
            self._relay.send(reply)
            self._tell(Greeted(service=self._dialogue.service))
        if raw:
            self._heard(raw)
        while self._dialogue.in_messages:
            messages, reply = self._dialogue.take()
            self._relay.send(reply)
            for one in messages:
                self._message(one)
            if not messages and not reply:
                break

    def _heard(self, data: bytes) -> None:
        """Take bytes that are no messages; no bytes mean the end."""
        if self._lines is None:
            self._output.heard(data)
            return
        if self._missing is not None:
            data = _up_to_line(data, self._missing)
        lines = self._lines.feed(data)
        self._output.heard(data)
        if self._script is not None:
            self._script.hear(lines, self._lines.open)
        self._count(len(lines))

    def _message(self, one: Message) -> None:
        if self._missing == 0:
            return  # what came with the last one that was wanted
        if one.kind != "ask" or not self._screen.above_prompt:  # there the question is the prompt
            self._output.message(one)
        if self._script is not None:
            self._script.hear([one.text])
        if self._style.terminal and not self._screen.above_prompt and one.kind == "ask":
            if one.fields.get("secret") is True:
                self._hidden.begin()
            else:
                self._hidden.end()
        self._refresh()
        self._count(1)

    def _count(self, messages: int) -> None:
        if self._missing is not None:
            self._missing = max(0, self._missing - messages)

    def _sent(self, data: bytes) -> None:
        self._meter.moved(sent=len(data))
        self._output.sent(data)

    def _say(self, line: str) -> None:
        self._relay.send(self._dialogue.say(line))

    def _line_taken(self) -> None:
        """Go on after a person has typed a line."""
        if self._hidden.end():
            say("")  # Enter was not shown either
        self._screen.begin_line()
        self._refresh()

    def _pause(self) -> float | None:
        """Do what is due, and return for how many seconds to wait at most."""
        waits_s = [self._meter.tell_sum(), self._await_greeting()]
        if self._script is not None and not (self._dialogue.listening and self._style.messages):
            waits_s.append(self._script.advance())
            if self._script.ended and not self._script.waits_for_answers and not self._said_goodbye:
                self._said_goodbye = True
                self._relay.send(self._dialogue.leave())
        if self._missing == 0 and (self._script is None or self._script.ended):
            self._relay.stop()
        return min((wait_s for wait_s in waits_s if wait_s is not None), default=None)

    def _await_greeting(self) -> float | None:
        if not self._dialogue.listening:
            return None
        if self._style.messages is None:
            return self._speaking.held_s()
        left_s = self._started + self._style.timeout_s - time.monotonic()
        if left_s <= 0:
            raise ConnectTimeoutError(
                f"The server has said nothing within {self._style.timeout_s:g} s (--timeout): is it a message service? "
                f"tcp://HOST:PORT talks with it all the same."
            )
        return left_s

    # The end.

    def _settle(self, ending: Ending) -> None:
        """See whether everything that was to come has come."""
        if ending is Ending.SERVER_CLOSED:
            rest = self._dialogue.end()
            if rest:
                self._heard(rest)
            self._heard(b"")
            if self._script is not None:
                self._script.end()
        if self._missing and self._style.count and ending is not Ending.STOPPED:
            raise ExpectationError(
                f"The connection ended {self._missing:,} short of the {self._style.count:,} messages of --count."
            )

    def _end(self, reason: str) -> None:
        self._hidden.end()
        self._meter.tell_sum(ending=True)
        self._tell(
            Disconnected(
                reason=reason,
                bytes_in=self._meter.bytes_in,
                bytes_out=self._meter.bytes_out,
                seconds=round(time.monotonic() - self._started, 3),
            )
        )

    # How it is made.

    def _made_speaking(self) -> Speaking:
        style = self._style
        source: LineInput | PipeInput
        if style.terminal or style.messages:
            source = LineInput(crlf=style.crlf, by_hand=style.terminal)
        else:
            source = PipeInput(crlf=style.crlf)
        return Speaking(
            source,
            self._dialogue,
            by_hand=style.terminal,
            on_raw=self._heard,
            on_line=self._line_taken,
            remark=self._screen.remark,
        )

    def _quit_after_s(self) -> float | None:
        if self._style.quit_after_s is not None:
            return self._style.quit_after_s
        ends_itself = self._script is not None and not self._script.waits_for_answers
        return QUIT_AFTER_S if self._style.terminal or ends_itself else None

    def _tell_moved(self, event: Event) -> None:
        """Tell what was moved; on a terminal it would drown what is said in messages."""
        if self._style.verbose or not self._dialogue.in_messages:
            self._tell(event)


def _output(style: Style, screen: Screen) -> Output:
    if style.hex_dump:
        return HexOutput(screen)
    return JsonOutput(screen) if style.json else PlainOutput(screen)


def _nothing() -> None:
    """Do nothing: there is no prompt to be drawn anew."""


def _up_to_line(data: bytes, count: int) -> bytes:
    """Return `data` up to the end of its line `count`, or all of it."""
    end = 0
    for _ in range(count):
        end = data.find(b"\n", end) + 1
        if not end:
            return data
    return data[:end]
