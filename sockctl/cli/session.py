"""One session of the client: what is typed or piped in goes to the server, what comes back is shown."""

import contextlib
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass

from sockctl.cli.exit_codes import ExitCode
from sockctl.cli.inputs import LineInput, PipeInput
from sockctl.cli.outputs import Output, open_output
from sockctl.cli.terminal import STDERR, is_terminal, say, wants_colour
from sockctl.errors import ConnectionBrokenError, SinkError
from sockctl.events.base import Event, Level
from sockctl.events.client import Disconnected, InputEnded, PeerDataReceived, PeerDataSent
from sockctl.events.token_bucket import TokenBucket
from sockctl.net.address import Endpoint
from sockctl.net.client import connect
from sockctl.net.relay import Relay

__all__ = ["Style", "run_session"]

TERMINAL_QUIT_AFTER_S = 2.0
"""How long a terminal session waits for the server's end after ``exit``."""
CALM_PER_SECOND = 10
SUM_SECONDS = 1.0

Tell = Callable[[Event], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    """How a session behaves.

    Attributes:
        terminal: Whether lines are typed, rather than bytes piped.
        verbose: Tell events even in a pipe, and details.
        hex_dump: Show a hex dump instead of the bytes.
        crlf: Send CR LF for a line feed.
        quit_after_s: Seconds to wait for the server's end after the input's; None for the default.
    """

    terminal: bool
    verbose: bool
    hex_dump: bool
    crlf: bool
    quit_after_s: float | None


def run_session(
    endpoint: Endpoint, style: Style, *, timeout_s: float, retries: int, family: socket.AddressFamily
) -> ExitCode:
    """Connect to `endpoint` and hold the session.

    Raises:
        SockctlError: It can't be connected to, the connection broke, or a standard stream did.
    """
    output = open_output(hex_dump=style.hex_dump)
    tell = _teller(style, output)
    with connect(endpoint, tell=tell, timeout_s=timeout_s, retries=retries, family=family) as sock:
        return _Session(sock, style, output, tell).run()


def _teller(style: Style, output: Output) -> Tell:
    """Return what shows events: on standard error, at once, so that they stand where they happened."""
    if not style.terminal and not style.verbose:
        return _keep_quiet
    from sockctl.events.journal import Record
    from sockctl.events.sinks import DescriptorSink, as_plain_text, as_terminal_text

    sink = DescriptorSink(STDERR, as_terminal_text if wants_colour() else as_plain_text)
    lowest = Level.DETAIL if style.verbose else Level.INFO

    def tell(event: Event) -> None:
        if event.level < lowest:
            return
        if output.in_line and is_terminal(STDERR):
            say("")
            output.in_line = False
        with contextlib.suppress(SinkError):  # standard error is closed: the session goes on without words
            sink.write([Record(time.time(), "connect", event)])

    return tell


def _keep_quiet(_: Event) -> None:
    """Tell nothing: in a pipe, only the data counts."""


class _Session:
    """A connection that stands, until it ends."""

    def __init__(self, sock: socket.socket, style: Style, output: Output, tell: Tell) -> None:
        self._style = style
        self._output = output
        self._tell = tell
        self._source = LineInput(crlf=style.crlf) if style.terminal else PipeInput(crlf=style.crlf)
        default_s = TERMINAL_QUIT_AFTER_S if style.terminal else None
        self._relay = Relay(
            sock,
            self._source,
            on_received=self._received,
            on_sent=self._sent,
            on_input_ended=lambda: tell(InputEnded()),
            on_pause=self._tell_sums,
            quit_after_s=default_s if style.quit_after_s is None else style.quit_after_s,
        )
        self._started = time.monotonic()
        self._calm = TokenBucket(rate=CALM_PER_SECOND, burst=CALM_PER_SECOND)
        self._bytes_in = self._bytes_out = 0
        self._told_in = self._told_out = 0
        self._waits_since: float | None = None

    def run(self) -> ExitCode:
        """Hold the session to its end."""
        if self._style.terminal:
            say("Type lines, Enter sends each. 'exit' or Ctrl-D ends the connection.")
        try:
            ending = str(self._relay.run())
        except BrokenPipeError:
            self._end("output_closed")  # as with `| head -1`: who reads has enough
            return ExitCode.DONE
        except ConnectionBrokenError:
            self._end("reset")
            raise
        except KeyboardInterrupt:
            self._end("interrupted")
            return ExitCode.INTERRUPTED
        self._end("client_exit" if self._style.terminal and self._source.ended else ending)
        return ExitCode.DONE

    def _received(self, data: bytes) -> None:
        self._bytes_in += len(data)
        self._moved()
        self._output.received(data)

    def _sent(self, data: bytes) -> None:
        self._bytes_out += len(data)
        self._moved()
        self._output.sent(data)

    def _moved(self) -> None:
        """Tell what was moved at once while it is calm, else wait for the sum."""
        now = time.monotonic()
        if self._waits_since is not None:
            return
        if self._calm.take(now):
            self._tell_moved(None)
        else:
            self._waits_since = now

    def _tell_sums(self) -> float | None:
        """Tell the sum when its time has come; return for how long it may still grow."""
        if self._waits_since is None:
            return None
        waited_s = time.monotonic() - self._waits_since
        if waited_s < SUM_SECONDS:
            return SUM_SECONDS - waited_s
        self._tell_moved(waited_s)
        return None

    def _tell_moved(self, seconds: float | None) -> None:
        self._waits_since = None
        received, sent = self._bytes_in - self._told_in, self._bytes_out - self._told_out
        self._told_in, self._told_out = self._bytes_in, self._bytes_out
        if sent:
            self._tell(PeerDataSent(bytes=sent, seconds=seconds))
        if received:
            self._tell(PeerDataReceived(bytes=received, seconds=seconds))

    def _end(self, reason: str) -> None:
        now = time.monotonic()
        if self._waits_since is not None:
            self._tell_moved(now - self._waits_since)
        self._tell(
            Disconnected(
                reason=reason,
                bytes_in=self._bytes_in,
                bytes_out=self._bytes_out,
                seconds=round(now - self._started, 3),
            )
        )
