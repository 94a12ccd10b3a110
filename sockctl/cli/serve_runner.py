"""Opens a server of connections as its options want it: limits, TLS, ports, pages and metrics."""

import contextlib
import functools
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from sockctl import __version__
from sockctl.cli.exit_codes import ExitCode
from sockctl.cli.operator_terminal import OperatorTerminal
from sockctl.cli.serve_control import ReadStatus
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
from sockctl.cli.serve_web import Advertised, ServingWeb, open_web
from sockctl.cli.server_options import ServerOptions
from sockctl.cli.server_run import ReadyServer, run_server
from sockctl.cli.web_options import WebOptions
from sockctl.errors import RAISE_DESCRIPTORS, ListenError
from sockctl.events.base import Event
from sockctl.events.journal import Journal
from sockctl.events.server import BacklogCut, DescriptorsLimited, ServerStarted
from sockctl.net.address import parse_host
from sockctl.net.limits import READ_BYTES, Limits, Timeouts
from sockctl.net.listener import BACKLOG, Listeners
from sockctl.net.server import Server
from sockctl.net.service import Service
from sockctl.os_limits import raise_descriptor_limit

if TYPE_CHECKING:
    from sockctl.cli.serve_tls import ServingTls


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
    opening = _Opening(
        service=service,
        options=options,
        host=host,
        port=port,
        limits=_make_limits(options, portion, read_size),
        read_size=read_size,
        warnings=warnings,
        web_options=web_options,
        advertised=advertised,
    )
    return run_server(service.name, options, terminal or OperatorTerminal(), opening.open_server)


def _make_limits(options: ServerOptions, portion: int, read_size: int) -> Limits:
    return Limits(
        max_clients=options.max_clients,
        max_clients_per_address=options.max_clients_per_address,
        max_pending=options.max_pending,
        ipv6_prefix=options.ipv6_prefix,
        rules=make_rules(options),
        portion=portion,
        read_bytes=READ_BYTES if options.encrypted else read_size,
        event_threads=options.event_threads or 0,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Opening:
    """Opens a server of connections. The fields are the arguments of `serve`, checked."""

    service: Service
    options: ServerOptions
    host: str
    port: int | None
    limits: Limits
    read_size: int
    warnings: Sequence[Event]
    web_options: WebOptions | None
    advertised: Advertised | None

    def open_server(self, journal: Journal, end: contextlib.ExitStack) -> ReadyServer:
        """Open the sockets, and emit the first events."""
        service, options, limits = self.service, self.options, self.limits
        needed, limit = raise_descriptor_limit(limits.max_clients * service.descriptors + service.further_descriptors)
        tls = load_tls(options, journal.emit, self.read_size)
        listeners = end.enter_context(contextlib.closing(open_place(options, self.port)))
        web = self._open_web(encrypted=tls is not None)
        measured = open_metrics(options.metrics)
        server = _make_server(service, listeners, journal, limits, Timeouts(idle_s=options.idle_timeout), tls, web)
        journal.emit(ServerStarted(version=__version__, pid=os.getpid(), does=service.does))
        for warning in self.warnings:
            journal.emit(warning)
        if limit < needed:
            journal.emit(DescriptorsLimited(needed=needed, limit=limit, max_clients=limits.max_clients))
        self._tell_place(journal, listeners, tls, web)
        name = f"{service.name}-{listeners.port or os.getpid()}"  # at a Unix socket it has no port

        def make_reader(facts: dict[str, Any]) -> ReadStatus:
            from sockctl.net.status import Status

            return Status(server, service, journal, facts).read

        return ReadyServer(
            server=server,
            name=name,
            make_reader=make_reader,
            describe_place=functools.partial(self._describe_place, listeners, tls, web),
            watchers=[] if measured is None else [serve_metrics(measured, server, service, journal, name=name)],
            tls=tls,
            note_started=None if web is None else web.open_browser,
        )

    def _open_web(self, *, encrypted: bool) -> ServingWeb | None:
        options = self.options
        return open_web(
            self.web_options,
            self.host,
            strict_port=options.strict_port,
            backlog=BACKLOG if options.backlog is None else options.backlog,
            encrypted=encrypted,
            advertised=self.advertised,
        )

    def _tell_place(
        self, journal: Journal, listeners: Listeners, tls: "ServingTls | None", web: ServingWeb | None
    ) -> None:
        """Emit where the server listens, and its certificate."""
        wanted = self.options.backlog
        if wanted is not None and listeners.backlog < wanted:
            journal.emit(BacklogCut(wanted_backlog=wanted, backlog=listeners.backlog))
        tell_place(journal.emit, listeners, _find_scheme(self.service, encrypted=tls is not None))
        if web is not None:
            web.tell_place(journal)
        if tls is not None:
            tls.tell_certificate()

    def _describe_place(
        self,
        listeners: Listeners,
        tls: "ServingTls | None",
        web: ServingWeb | None,
        json: bool,
    ) -> str:
        if json:
            return encode_place(listeners, self.service.name, () if web is None else web.list_events())
        certificate = "" if tls is None else f" Its certificate has SHA256 {tls.fingerprint}."
        page = "" if web is None else web.description
        return describe_place(listeners, self.options.log_file, certificate + page)


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
        raise ListenError(f"The server can't start: {error.strerror}. {RAISE_DESCRIPTORS}") from error
