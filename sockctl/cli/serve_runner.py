"""Runs a server from its start to its stop: the journal, the port, the addresses for clients, and the signals."""

import contextlib
import os
import threading
from collections.abc import Sequence
from typing import TYPE_CHECKING

from sockctl import __version__
from sockctl.cli.exit_codes import ExitCode
from sockctl.cli.operator_terminal import OperatorTerminal
from sockctl.cli.serve_control import open_control
from sockctl.cli.serve_metrics import open_metrics, serve_metrics
from sockctl.cli.serve_place import (
    check_ports,
    describe_place,
    encode_place,
    find_port,
    load_tls,
    make_rules,
    open_place,
    tell_place,
)
from sockctl.cli.serve_stop import stop, wait_for_stop
from sockctl.cli.serve_web import Advertised, ServingWeb, open_web
from sockctl.cli.server_options import LogFormat, ServerOptions
from sockctl.cli.web_options import WebOptions
from sockctl.errors import ListenError
from sockctl.events.base import Event, Level
from sockctl.events.explain import Explain
from sockctl.events.formats import FileFormat, Format, choose_live_format, encode_json
from sockctl.events.journal import Journal
from sockctl.events.server import (
    BacklogCut,
    DescriptorsLimited,
    ServerStarted,
)
from sockctl.events.sinks import DescriptorSink, FileSink
from sockctl.net.address import parse_host
from sockctl.net.limits import READ_BYTES, Limits, Timeouts
from sockctl.net.listener import BACKLOG, Listeners
from sockctl.net.server import Server
from sockctl.net.service import Service
from sockctl.os_limits import raise_descriptor_limit
from sockctl.signals import StopSignals
from sockctl.terminal import STDERR, is_terminal, say

if TYPE_CHECKING:
    from sockctl.cli.serve_tls import ServingTls

FIRST_WORDS_S = 1.0
"""How long what the server's terminal shows waits for the first events, in case standard error is blocked."""


def serve(
    service: Service,
    options: ServerOptions,
    *,
    portion: int = 1024,
    read_size: int = READ_BYTES,
    terminal: OperatorTerminal | None = None,
    warnings: Sequence[Event] = (),
    web_options: WebOptions | None = None,
    advertised: Advertised | None = None,
) -> ExitCode:
    """Serve until a signal stops the server.

    A second signal ends the process at once, without returning.

    Args:
        service: The service.
        options: The options of the user.
        portion: Bytes in a portion, the unit of data events.
        read_size: The most bytes of one recv().
        terminal: The operator's terminal; None for none.
        warnings: Events to emit at the start.
        web_options: The options about browsers; None for a service without a web door.
        advertised: The pages of the chat's servers; None for a server that advertises none.

    Raises:
        AddressError: The host is wrong.
        RuleError: A rule of --allow or --deny is wrong.
        InputNeededError: The terminal's input ended instead of an answer.
        ListenError: The server can't listen there.
        LogFileError: The log file can't be opened.
        OptionError: Options contradict each other.
        CertificateError: The certificate can't be made or loaded.
    """
    options.refuse_contradictions()
    host = parse_host(options.host) if options.host else ""
    port = find_port(options)
    check_ports(port, web=None if web_options is None else web_options.web, metrics=options.metrics)
    limits = Limits(
        max_clients=options.max_clients,
        max_clients_per_address=options.max_clients_per_address,
        max_pending=options.max_pending,
        ipv6_prefix=options.ipv6_prefix,
        rules=make_rules(options),
        portion=portion,
        read_bytes=READ_BYTES if options.encrypted else read_size,
        event_threads=options.event_threads or 0,
    )
    terminal = terminal or OperatorTerminal()
    with contextlib.ExitStack() as end:
        signals = end.enter_context(StopSignals())
        journal = end.enter_context(contextlib.closing(open_journal(service.name, options, terminal)))
        needed, limit = raise_descriptor_limit(limits.max_clients * service.descriptors + service.further_descriptors)
        tls = load_tls(options, journal.emit, read_size)
        listeners = end.enter_context(contextlib.closing(open_place(options, port)))
        backlog = BACKLOG if options.backlog is None else options.backlog
        web = open_web(
            web_options,
            host,
            strict_port=options.strict_port,
            backlog=backlog,
            encrypted=tls is not None,
            advertised=advertised,
        )
        measured = open_metrics(options.metrics)
        timeouts = Timeouts(idle_s=options.idle_timeout)
        server = _make_server(service, listeners, journal, limits, timeouts, tls, web)
        journal.emit(ServerStarted(version=__version__, pid=os.getpid(), does=service.does))
        for warning in warnings:
            journal.emit(warning)
        if limit < needed:
            journal.emit(DescriptorsLimited(needed=needed, limit=limit, max_clients=limits.max_clients))
        if options.backlog is not None and listeners.backlog < options.backlog:
            journal.emit(BacklogCut(wanted_backlog=options.backlog, backlog=listeners.backlog))
        tell_place(journal.emit, listeners, _find_scheme(service, encrypted=tls is not None))
        if web is not None:
            web.tell_place(journal)
        if tls is not None:
            tls.tell_certificate()
        name = f"{service.name}-{listeners.port or os.getpid()}"  # at a Unix socket it has no port
        metrics = None if measured is None else serve_metrics(measured, server, service, journal, name=name)
        control = open_control(options, server, service, journal, name=name)  # while clients hold no descriptors yet
        server.start()
        if options.log_file is not None or options.quiet:
            _say_place(listeners, service, options, tls, web)
        journal.wait_until_written(FIRST_WORDS_S)
        if web is not None:
            web.open_browser()
        wait_for_stop(signals, tls, terminal)
        terminal.stop()
        return stop(
            server, [one for one in (control, metrics) if one is not None], options.drain_timeout, signals, journal
        )


def _say_place(
    listeners: Listeners,
    service: Service,
    options: ServerOptions,
    tls: "ServingTls | None",
    web: ServingWeb | None,
) -> None:
    """Write where the server listens."""
    json = options.log_format is LogFormat.JSON and options.log_file is None
    certificate = "" if tls is None else f" Its certificate has SHA256 {tls.fingerprint}."
    page = "" if web is None else web.description
    said = (
        encode_place(listeners, service.name, () if web is None else web.list_events())
        if json
        else describe_place(listeners, options.log_file, certificate + page)
    )
    say_first(said, wraps=not json)


def say_first(said: str, *, wraps: bool) -> None:
    """Write the first words in another thread: while standard error is blocked, signals are waited for."""
    teller = threading.Thread(target=say, args=(said,), kwargs={"wraps": wraps}, daemon=True)
    teller.start()
    teller.join(FIRST_WORDS_S)


def open_journal(service: str, options: ServerOptions, terminal: OperatorTerminal) -> Journal:
    """Open the journal."""
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


def _find_scheme(service: Service, *, encrypted: bool) -> str:
    """Return the scheme that `connect` needs in front of HOST:PORT; empty if it can do without."""
    if not encrypted:
        return ""
    return "sockctls://" if service.speaks_messages else "tls://"


def _make_server(
    service: Service,
    listeners: Listeners,
    journal: Journal,
    limits: Limits,
    timeouts: Timeouts,
    tls: "ServingTls | None",
    web: ServingWeb | None,
) -> Server:
    doors = [] if web is None else [web.make_door(service, journal, timeouts)]
    secure = None if tls is None else tls.secure
    try:
        return Server(service, listeners, journal, limits, timeouts, secure=secure, doors=doors)
    except OSError as error:
        for door in (listeners, *(each.listeners for each in doors)):
            door.close()
        raise ListenError(
            f"The server can't start: {error.strerror}. Raise the limit of open files (ulimit -n)."
        ) from error
