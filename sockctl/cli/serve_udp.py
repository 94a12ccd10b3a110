"""Opens a server of UDP as its options want it, and refuses the options that mean nothing to it."""

import contextlib
import functools
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from sockctl import __version__
from sockctl.cli.exit_codes import ExitCode
from sockctl.cli.operator_terminal import OperatorTerminal
from sockctl.cli.serve_place import choose_port
from sockctl.cli.server_options import ServerOptions
from sockctl.cli.server_run import ReadyServer, run_server
from sockctl.cli.udp_options import UdpOptions
from sockctl.cli.web_options import WebOptions
from sockctl.errors import OptionError
from sockctl.events.base import Event, Record
from sockctl.events.formats import encode_json
from sockctl.events.journal import Journal
from sockctl.events.server import LoopbackOnly, PortTaken, Reachable, ServerStarted
from sockctl.events.udp import UdpListening
from sockctl.net.access_rules import AccessRules
from sockctl.net.address import format_address, parse_host
from sockctl.net.listener import Listeners, open_listeners
from sockctl.net.reachability import find_reach
from sockctl.net.udp.limits import IDLE_S, DatagramLimits
from sockctl.net.udp.server import DatagramServer
from sockctl.net.udp.status import DatagramStatus
from sockctl.services.echo import Case, Echo, map_datagram

_NO_CONNECTIONS = "UDP knows no connections"
_NO_BACKLOG = "UDP has no accept(), and so nothing that waits for it: the kernel's receive buffer holds datagrams"
_NO_TLS = "TLS needs the ordered stream of TCP, and a datagram may be lost or overtaken (DTLS is not there)"
_NO_UNIX = "a Unix socket has no ports, and no UDP: leave --udp out"
_NO_BROWSER = "browsers speak TCP alone: start a second server without --udp"
_REFUSED: Mapping[str, str] = {
    "unix": _NO_UNIX,
    "unix_mode": _NO_UNIX,
    "backlog": _NO_BACKLOG,
    "max_clients": f"{_NO_CONNECTIONS}, so nobody takes a place: --max-rate bounds what an address costs",
    "max_clients_per_address": f"{_NO_CONNECTIONS}, so nobody takes a place: --max-rate bounds what an address costs",
    "max_pending": f"{_NO_CONNECTIONS}, and nobody logs in",
    "tls": _NO_TLS,
    "tls_cert": _NO_TLS,
    "tls_key": _NO_TLS,
    "tls_client_ca": _NO_TLS,
    "event_threads": "one thread answers all datagrams",
    "metrics": "the metrics are those of connections; 'sockctl watch' shows the sums",
    "web": _NO_BROWSER,
    "web_name": _NO_BROWSER,
    "opens_browser": _NO_BROWSER,
    "portion": "a datagram is told whole, as it came",
    "read_size": "a datagram is received whole: what doesn't fit into the buffer would be lost",
}
"""The options that mean nothing with --udp, each with the reason."""
_NAMES = {"opens_browser": "open"}
_DEFAULTS = {"portion": 1024, "read_size": 65_536}


def serve_udp(
    case: Case | None, udp: UdpOptions, options: ServerOptions, *, others: Mapping[str, Any], web: WebOptions
) -> ExitCode:
    """Serve an echo of datagrams until a signal stops the server.

    Args:
        case: The case in which text comes back; None for the bytes as they are.
        udp: The options of UDP.
        options: The options of the user.
        others: The values of the echo's own options, by their names.
        web: The options about browsers.

    Raises:
        AddressError: The host is wrong.
        RuleError: A rule of --allow or --deny is wrong.
        InputNeededError: The terminal's input ended instead of an answer.
        ListenError: The server can't listen there.
        LogFileError: The log file can't be opened.
        OptionError: An option means nothing with --udp, or options contradict each other.
    """
    _refuse_options(options, web, others)
    options.refuse_contradictions()
    host = parse_host(options.host) if options.host else ""
    port = choose_port(options.port, no_input=options.no_input)
    limits = DatagramLimits(
        rules=AccessRules(allow=options.allow or (), deny=options.deny or ()),
        idle_s=IDLE_S if options.idle_timeout is None else options.idle_timeout,
        max_rate=udp.max_rate,
        ipv6_prefix=options.ipv6_prefix,
    )
    make_answer = None if case is None else functools.partial(map_datagram, case)

    def open_server(journal: Journal, end: contextlib.ExitStack) -> ReadyServer:
        opened = open_listeners(host, port, strict_port=options.strict_port, datagrams=True)
        listeners = end.enter_context(contextlib.closing(opened))
        server = DatagramServer(listeners, make_answer, journal, limits)
        does = "It serves echo (RFC 862) over UDP: each datagram that a client sends comes back."
        journal.emit(ServerStarted(version=__version__, pid=os.getpid(), does=does))
        for event in _list_places(listeners, server):
            journal.emit(event)
        return ReadyServer(
            server=server,
            name=f"{Echo.name}-{listeners.port}-udp",
            make_reader=lambda facts: DatagramStatus(server, journal, {"service": Echo.name, **facts}).read,
            describe_place=functools.partial(_describe_place, listeners, server, options.log_file),
        )

    return run_server(Echo.name, options, OperatorTerminal(), open_server)


def _refuse_options(options: ServerOptions, web: WebOptions, others: Mapping[str, Any]) -> None:
    """Refuse options that mean nothing to a server of UDP."""
    for group in (options, web):
        for each in fields(group):
            if each.name in _REFUSED and getattr(group, each.name) != each.default:
                raise _make_refusal(each.name)
    for name, value in others.items():
        if value != _DEFAULTS[name]:
            raise _make_refusal(name)


def _make_refusal(name: str) -> OptionError:
    option = _NAMES.get(name, name).replace("_", "-")
    return OptionError(f"--{option} means nothing with --udp: {_REFUSED[name]}.")


def _list_places(listeners: Listeners, server: DatagramServer) -> Iterator[Event]:
    """Yield where the server listens, and how clients on this machine and on others send to it."""
    if listeners.wanted_port not in (0, listeners.port):
        yield PortTaken(wanted_port=listeners.wanted_port, port=listeners.port)
    yield from _list_listening(server)
    reach = find_reach(listeners.hosts, listeners.port)
    for scope, endpoints in (("machine", reach.machine), ("network", reach.network)):
        for endpoint in dict.fromkeys(endpoints):
            command = f"sockctl connect udp://{endpoint}"
            yield Reachable(scope=scope, host=endpoint.host, port=endpoint.port, command=command)
    if not reach.network:
        yield LoopbackOnly()


def _list_listening(server: DatagramServer) -> Iterator[Event]:
    for one in server.sockets:
        yield UdpListening(host=one.address, port=one.port, buffer_bytes=one.buffer_bytes)


def _describe_place(
    listeners: Listeners,
    server: DatagramServer,
    log_file: Path | None,
    json: bool,
) -> str:
    if json:
        records = (Record(time.time(), Echo.name, event) for event in _list_listening(server))
        return "\n".join(map(encode_json, records))
    places = " and ".join(format_address(host, listeners.port) for host in listeners.hosts)
    file = f" Events go to {log_file}." if log_file else ""
    return f"Listening for datagrams on {places} (UDP).{file}"
