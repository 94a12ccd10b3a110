"""Runs a server of any kind, from its journal and its first words to its stop in order."""

import contextlib
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from sockctl.cli.exit_codes import ExitCode
from sockctl.cli.operator_terminal import OperatorTerminal
from sockctl.cli.serve_control import MakeReader, open_control
from sockctl.cli.serve_stop import StoppableServer, Watcher, stop, wait_for_stop
from sockctl.cli.server_options import LogFormat, ServerOptions
from sockctl.events.base import Level
from sockctl.events.explain import Explain
from sockctl.events.formats import FileFormat, Format, choose_live_format, encode_json
from sockctl.events.journal import Journal
from sockctl.events.sinks import DescriptorSink, FileSink
from sockctl.signals import StopSignals
from sockctl.terminal import STDERR, is_terminal, say

if TYPE_CHECKING:
    from sockctl.cli.serve_tls import ServingTls

FIRST_WORDS_S = 1.0
"""How long what the server's terminal shows waits for the first events, in case standard error is blocked."""


class StartableServer(StoppableServer, Protocol):
    """A server whose sockets are open."""

    def start(self) -> None:
        """Start to serve; return at once."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadyServer:
    """A server that is ready to start, and all that its run needs.

    Attributes:
        server: The server.
        name: Its name, for those who watch it.
        make_reader: Makes what reads its status.
        describe_place: Returns where it listens, as JSON lines where the argument is True.
        watchers: What answers those who watch it, beside the control socket.
        tls: Its certificate; None without TLS.
        note_started: Called once it serves, and its first events are written.
    """

    server: StartableServer
    name: str
    make_reader: MakeReader
    describe_place: Callable[[bool], str]
    watchers: Sequence[Watcher] = ()
    tls: "ServingTls | None" = None
    note_started: Callable[[], None] | None = None


OpenServer = Callable[[Journal, contextlib.ExitStack], ReadyServer]
"""Opens a server's sockets, emits its first events, and leaves on the stack what the end of the run closes."""


def run_server(service: str, options: ServerOptions, terminal: OperatorTerminal, open_server: OpenServer) -> ExitCode:
    """Run a server until a signal stops it. A second signal ends the process at once, without returning.

    Args:
        service: The name of the service.
        options: The options of the user.
        terminal: The operator's terminal.
        open_server: Opens the server, whose errors pass through.

    Raises:
        LogFileError: The log file can't be opened.
    """
    with contextlib.ExitStack() as end:
        signals = end.enter_context(StopSignals())
        journal = end.enter_context(contextlib.closing(_open_journal(service, options, terminal)))
        ready = open_server(journal, end)
        # The control socket opens before clients can hold the descriptors.
        control = open_control(options, ready.make_reader, journal, name=ready.name)
        ready.server.start()
        if options.log_file is not None or options.quiet:
            json = options.log_format is LogFormat.JSON and options.log_file is None
            _say_first(ready.describe_place(json), wraps=not json)
        journal.wait_until_written(FIRST_WORDS_S)
        if ready.note_started is not None:
            ready.note_started()
        wait_for_stop(signals, ready.tls, terminal)
        terminal.stop()
        watchers = [*([] if control is None else [control]), *ready.watchers]
        return stop(ready.server, watchers, options.drain_timeout, signals, journal)


def _say_first(said: str, *, wraps: bool) -> None:
    """Write the first words in another thread: while standard error is blocked, signals are waited for."""
    writer = threading.Thread(target=say, args=(said,), kwargs={"wraps": wraps}, daemon=True)
    writer.start()
    writer.join(FIRST_WORDS_S)


def _open_journal(service: str, options: ServerOptions, terminal: OperatorTerminal) -> Journal:
    json = options.log_format is LogFormat.JSON
    level = Level.WARNING if options.quiet else Level.DETAIL if options.verbose else Level.INFO

    def make_format() -> Format:
        return encode_json if json else choose_live_format(STDERR, options.explain)

    console = DescriptorSink(STDERR, make_format())
    is_screen = is_terminal(STDERR)
    if options.log_file is None:
        sink = terminal.watch(console, make_format, is_screen=is_screen)
        return Journal(sink, service=service, level=level)
    file = FileSink(options.log_file, encode_json if json else FileFormat(options.explain or Explain.ALWAYS))
    sink = terminal.watch(file, make_format, is_screen=False)
    fallback = terminal.watch(console, make_format, is_screen=is_screen, is_log=False)
    return Journal(sink, service=service, level=level, fallback=fallback)
