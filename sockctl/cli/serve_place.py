"""Where a server listens, as its options want it: at a port, at a Unix socket, or at both; and who may connect."""

import functools
import os
from collections.abc import Iterator

from sockctl.cli.prompts import ask, may_ask
from sockctl.cli.server_options import ServerOptions
from sockctl.errors import OptionError
from sockctl.events.base import Event
from sockctl.events.server import Reachable, UnixListening
from sockctl.net.access_rules import AccessRules
from sockctl.net.address import is_abstract, parse_host, parse_port
from sockctl.net.listener import BACKLOG, Listeners, open_listeners, open_unix

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


def open_place(options: ServerOptions, port: int | None) -> Listeners:
    """Listen where the options want it.

    Raises:
        AddressError: The host is wrong.
        ListenError: The server can't listen there.
    """
    host = parse_host(options.host) if options.host else ""
    backlog = BACKLOG if options.backlog is None else options.backlog
    tcp = None if port is None else open_listeners(host, port, strict_port=options.strict_port, backlog=backlog)
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
