"""Where a server listens, as its options want it: at a port, at a Unix socket, or at both; and who may connect."""

import functools
import os
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from sockctl.cli.prompts import ask, may_ask
from sockctl.cli.server_options import ServerOptions
from sockctl.errors import OptionError
from sockctl.events.base import Event, Record
from sockctl.events.server import EVERY_INTERFACE, Listening, LoopbackOnly, PortTaken, Reachable, UnixListening
from sockctl.net.access_rules import AccessRules
from sockctl.net.address import format_address, is_abstract, parse_host, parse_port
from sockctl.net.listener import BACKLOG, Listeners, open_listeners, open_unix

if TYPE_CHECKING:
    from sockctl.cli.serve_tls import ServingTls

DEFAULT_PORT = 9090


def choose_port(given: int | None, *, no_input: bool) -> int:
    """Return the port to listen on: the given one, the answer from the terminal, or the default.

    Raises:
        InputNeededError: The terminal's input ended instead of an answer.
    """
    if given is not None:
        return given
    if may_ask(no_input=no_input):
        return ask("Port to listen on", str(DEFAULT_PORT), functools.partial(parse_port, any_free=True))
    return DEFAULT_PORT


def find_port(options: ServerOptions) -> int | None:
    """Return the port to listen on; None for a Unix socket alone. Asks before anything is opened.

    Raises:
        InputNeededError: The terminal's input ended instead of an answer.
        OptionError: Options contradict each other.
    """
    if options.unix is None and options.unix_mode is not None:
        raise OptionError("--unix-mode is the mode of a Unix socket's file: add --unix PATH.")
    if options.unix is not None and is_abstract(options.unix) and options.unix_mode is not None:
        raise OptionError("An abstract name has no file, and so no --unix-mode: --allow uid:1000 lets a user in.")
    if options.unix is not None and options.port is None:
        return None
    return choose_port(options.port, no_input=options.no_input)


def check_ports(port: int | None, *, web: int | None, metrics: int | None) -> None:
    """Check that each door of a server has a port of its own; 0 is any free one.

    Raises:
        OptionError: Two of them have the same.
    """
    options: dict[int, str] = {}
    for option, given in (("--port", port), ("--web", web), ("--metrics", metrics)):
        if not given:
            continue
        if given in options:
            raise OptionError(f"{options[given]} and {option} are the same port, {given}: give each its own.")
        options[given] = option


def open_place(options: ServerOptions, port: int | None, *, option: str = "--port") -> Listeners:
    """Listen where the options want it.

    Args:
        options: The options.
        port: The port; None for a Unix socket alone.
        option: The name of what chooses the port, for advice.

    Raises:
        AddressError: The host is wrong.
        ListenError: The server can't listen there.
    """
    host = parse_host(options.host) if options.host else ""
    backlog = BACKLOG if options.backlog is None else options.backlog
    tcp = None
    if port is not None:
        tcp = open_listeners(host, port, strict_port=options.strict_port, backlog=backlog, option=option)
    if options.unix is None:
        assert tcp is not None  # noqa: S101  as `find_port` returns it
        return tcp
    return open_unix(options.unix, mode=options.unix_mode, backlog=backlog, beside=tcp)


def make_rules(options: ServerOptions) -> AccessRules:
    """Return the rules that say who may connect.

    An abstract name has no mode. So it lets in those whom a file of the usual mode lets in: this user, and root.

    Raises:
        RuleError: A rule of --allow or --deny is wrong.
    """
    is_open = options.unix is not None and is_abstract(options.unix)
    local_users = frozenset({0, os.geteuid()}) if is_open else None
    return AccessRules(allow=options.allow or (), deny=options.deny or (), local_users=local_users)


def list_unix_events(listeners: Listeners, scheme: str = "") -> Iterator[Event]:
    """Yield the events that say at which Unix socket a server listens, if it does, and how clients connect."""
    unix = listeners.unix
    if unix is not None:
        mode = None if unix.mode is None else f"{unix.mode:04o}"
        yield UnixListening(place=unix.host, mode=mode, backlog=listeners.backlog)
        yield Reachable(scope="unix", host=unix.host, port=0, command=f"sockctl connect {scheme}{unix.host}")


def tell_place(
    emit: Callable[[Event], None], listeners: Listeners, scheme: str, *, wider: str = EVERY_INTERFACE
) -> None:
    """Emit where the server listens, and how clients on this machine and on others connect.

    Args:
        emit: Emits an event.
        listeners: The listening sockets.
        scheme: What `connect` needs in front of HOST:PORT; empty if it can do without.
        wider: What a user writes to listen on every interface.
    """
    if listeners.wanted_port not in (0, listeners.port):
        emit(PortTaken(wanted_port=listeners.wanted_port, port=listeners.port))
    for host in listeners.hosts:
        emit(Listening(host=host, port=listeners.port, backlog=listeners.backlog))
    for event in list_unix_events(listeners, scheme):
        emit(event)
    if not listeners.hosts:
        return
    from sockctl.net.reachability import find_reach

    reach = find_reach(listeners.hosts, listeners.port)
    for scope, endpoints in (("machine", reach.machine), ("network", reach.network)):
        for endpoint in endpoints:
            target = f"{scheme}{endpoint}" if scheme else f"{endpoint.host} {endpoint.port}"
            command = f"sockctl connect {target}"
            emit(Reachable(scope=scope, host=endpoint.host, port=endpoint.port, command=command))
    if not reach.network:
        emit(LoopbackOnly(wider=wider))


def describe_place(listeners: Listeners, log_file: Path | None, certificate: str) -> str:
    """Return a sentence that says where the server listens, for a terminal that doesn't show the event."""
    unix = [] if listeners.unix is None else [listeners.unix.host]
    places = " and ".join([*(format_address(host, listeners.port) for host in listeners.hosts), *unix])
    moved = ""
    if listeners.wanted_port not in (0, listeners.port):
        moved = f" (port {listeners.wanted_port} is taken)"
    return f"Listening on {places}{moved}.{certificate}" + (f" Events go to {log_file}." if log_file else "")


def encode_place(listeners: Listeners, service: str, further: Iterable[Event] = ()) -> str:
    """Return the events that say where the server listens, for a program that reads standard error.

    Args:
        listeners: The listening sockets.
        service: What listens.
        further: Events behind these.
    """
    from sockctl.events.formats import encode_json

    own = (Listening(host=host, port=listeners.port, backlog=listeners.backlog) for host in listeners.hosts)
    events = [*own, *list_unix_events(listeners), *further]
    return "\n".join(encode_json(Record(time.time(), service, event)) for event in events)


def load_tls(options: ServerOptions, emit: Callable[[Event], None], read_size: int) -> "ServingTls | None":
    """Return the certificate that the options name; None without TLS.

    Args:
        options: The options.
        emit: Emits an event.
        read_size: The most encrypted bytes of one recv().

    Raises:
        OptionError: Options contradict each other.
        CertificateError: The certificate can't be made or loaded.
    """
    if not options.encrypted:
        if options.tls_client_ca is not None:
            raise OptionError("--tls-client-ca asks for certificates in TLS: add --tls, or --tls-cert and --tls-key.")
        return None
    from sockctl.cli.serve_tls import ServingTls

    return ServingTls(options, emit, read_bytes=read_size)
