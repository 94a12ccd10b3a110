"""``sockctl connect``: the client."""

import functools
import socket
from typing import TYPE_CHECKING, Annotated

import typer

from sockctl.cli import options
from sockctl.cli.commands import declare_command
from sockctl.cli.completion import complete_targets
from sockctl.cli.connect_options import ConnectOptions
from sockctl.cli.connect_targets import find_targets, parse_any_targets
from sockctl.cli.exit_codes import ExitCode, explain_exit_codes
from sockctl.cli.prompts import may_ask
from sockctl.cli.script_order import ORDER, InOrder, read_steps
from sockctl.errors import InputNeededError, OptionError
from sockctl.terminal import STDIN, STDOUT, is_terminal
from sockctl.text import is_whole_number

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sockctl.client.script_steps import Step
    from sockctl.client.settings import ClientSettings
    from sockctl.client.trust import TlsPolicy
    from sockctl.net.address import Endpoint, Target
    from sockctl.net.web.client import WebRequest

_EPILOG = "\n\n".join(
    (
        "Examples:\n  sockctl connect localhost 9090\n  printf abc | sockctl connect localhost:9090\n"
        "  sockctl connect localhost:9090 --send hello --expect hello\n  sockctl connect -z localhost 22 80-90\n"
        "  sockctl connect sockctls://one:9090,two:9090\n"
        "  sockctl connect wss://server.example/path --send hello --expect hello\n"
        "  sockctl connect -v udp://localhost:9090 --send hello",
        explain_exit_codes(
            ExitCode.INTERRUPTED,
            meanings={
                ExitCode.FAILED: "failed (also the server, a program of its, or lines that it discarded)",
                ExitCode.UNREACHABLE: "unreachable, refused, or a port of -z isn't open",
                ExitCode.NOT_LET_IN: "not let in (login, name, ban, no place; the certificate is not trusted, or a "
                "password would go in clear)",
                ExitCode.TIMED_OUT: "timed out (--timeout, --idle-timeout)",
                ExitCode.UNEXPECTED: "an expectation or --count is not met in time or by the end",
                ExitCode.BROKEN: "connection reset, the protocol broken, or a WebSocket closed with a failure's code",
            },
        ),
    )
)
app = declare_command()


@app.command(cls=InOrder, epilog=_EPILOG)
@functools.partial(options.with_option_group, name="given", group=ConnectOptions)
def connect(
    ctx: typer.Context,
    target: Annotated[
        str | None,
        typer.Argument(
            metavar="[[SCHEME://]HOST[:PORT][,…]]",
            help="Where to connect. Schemes: tcp, tls (raw bytes), sockctl, sockctls (messages; the s is for TLS), ws, "
            "wss (WebSocket, with a path), and udp (datagrams). unix:PATH stands for HOST:PORT. Several servers of one "
            "chat stand with commas between them.",
            show_default=False,
            autocompletion=complete_targets,
        ),
    ] = None,
    ports: Annotated[
        list[str] | None, typer.Argument(metavar="[PORT ...]", help="The port; several with -z.", show_default=False)
    ] = None,
    *,
    given: ConnectOptions,
) -> None:
    """Connect, send standard input, print what comes back.

    On a terminal, the client asks for what is missing, sends line by line, and tells every event. 'exit' or Ctrl-D ends
    the session; '//exit' sends the word itself. If the server greets as a message service, both sides speak in
    messages. sockctl:// insists on messages, tcp:// on raw bytes.

    In a pipe, raw bytes go both ways; with sockctl:// each line is a message. The end of the input half-closes the
    connection, and the client prints all that the server still sends.

    In a pipe and in scripts, each question of the server gets one line, until the server has welcomed. The server's
    errors go to standard error. A session fails that the server has not let in.

    Scripts: --send, --expect and the steps of --script run in their order, and standard input isn't read.

    Under TLS, the client compares the server's certificate with the one that it had the first time, and asks about an
    unknown one. A login is kept: the next 'connect' needs no password, until 'sockctl logout' or the server ends the
    login. No password goes in clear to another machine, unless --insecure is given.

    In a chat, Tab completes names, commands after / and rooms after #, and >> marks a line that mentions you. On a
    terminal, a lost connection comes back, with pauses from 0.5 up to 30 s, until Ctrl-D. You keep your name and your
    rooms, and see what you have missed. Lines typed meanwhile wait, and are sent then. In a pipe and in scripts,
    --reconnect lets it come back. A paste is sent as one, after a question. A chat ends with /quit or Ctrl-D.

    Several servers of one chat stand with commas between them. The client takes the first that lets it in. Where that
    one fails or stops, the client comes back at the next one.

    Over UDP (udp://), each line is a datagram, and each that comes is a line. After the end of the input the client
    waits until each has an answer, or --timeout is up (exit 5), and -v tells what was answered, lost or out of order.

    Over WebSocket, each line is a text message, and each text that comes is a line. Binary messages come as their
    bytes, and as a hex dump on a terminal. After the end of the input the client closes the WebSocket (1000) once the
    server has answered a Ping, or --quit-after is over. wss:// trusts what the system's authorities vouch for, where
    the host is a public name. It needs: pip install 'sockctl[web]'.
    """
    given.refuse_contradictions()
    if given.connecting.check_ports:
        _check_ports(target, ports or [], given)
        return
    if ports and len(ports) > 1:
        pause = " nc's -q TIME is --quit-after TIME." if given.content.quiet and is_whole_number(str(target)) else ""
        raise OptionError(f"{len(ports)} ports are given: name one, or add -z to look which of them are open.{pause}")
    endpoints, first = find_targets(target, ports[0] if ports else None, no_input=given.script.no_input)
    steps = read_steps(ctx.meta[ORDER], given.script, given.content)
    if not _run_session(endpoints, first, steps, given, ordered=ctx.meta[ORDER]):
        raise typer.Exit(ExitCode.INTERRUPTED)


def _run_session(
    endpoints: "list[Endpoint]",
    first: "Target",
    steps: "Sequence[Step]",
    given: ConnectOptions,
    *,
    ordered: "Sequence[str]",
) -> bool:
    """Run the session that the options want; return whether it ended without an interruption.

    Args:
        endpoints: The servers.
        first: The first of them, as the user has named it.
        steps: The steps of the script.
        given: The options.
        ordered: The options that the user has named.

    Raises:
        SockctlError: Options don't fit the target, or the session has failed.
    """
    if given.content.raw_terminal:
        _check_raw_terminal(first.scheme)
    if first.scheme == "udp" or given.content.datagram_size is not None:
        from sockctl.cli.connect_udp import check_options

        check_options(given, first.scheme, steps)
    settings = _make_settings(given, steps, first.scheme)
    policy, web = _make_policy(endpoints, first, settings, given)
    from sockctl.net.address import is_unix

    if any(is_unix(endpoint.host) for endpoint in endpoints):
        given.refuse_for_unix()
    if settings.messages is False and (wanted := {"reconnect", "log"} & set(ordered)):
        raise OptionError(f"--{min(wanted)} is for messages, and the target is one of raw bytes: write sockctl://….")
    from sockctl.client.runner import run_session

    return run_session(endpoints, settings, policy, web)


def _make_policy(
    endpoints: "list[Endpoint]", first: "Target", settings: "ClientSettings", given: ConnectOptions
) -> "tuple[TlsPolicy | None, WebRequest | None]":
    """Return how TLS is done, and the request for a WebSocket; None for either that isn't wanted."""
    wanted_tls = given.tls.tls or first.scheme in {"tls", "sockctls", "wss"}
    web, vouched = None, False
    if settings.web or given.web.are_given:
        from sockctl.cli.connect_web import is_vouched, make_request

        web = make_request(first, given.web, encrypted=wanted_tls)
        vouched = is_vouched(endpoints[0], given.login.state_dir)
    policy = given.tls.make_policy(
        wanted=wanted_tls,
        state_dir=given.login.state_dir,
        may_ask=may_ask(no_input=given.script.no_input),
        vouched=vouched,
        web=web is not None,
    )
    return policy, web


def _check_raw_terminal(scheme: str | None) -> None:
    """Refuse --raw-terminal for a wire that isn't raw bytes, and without a terminal."""
    if scheme not in {None, "tcp", "tls"}:
        raise OptionError(f"--raw-terminal is for raw bytes, and {scheme}:// is not: write tcp:// or tls://.")
    if not (is_terminal(STDIN) and is_terminal(STDOUT)):
        raise OptionError("--raw-terminal needs a terminal: leave it out in a pipe, where bytes pass as they are.")


def _make_settings(given: ConnectOptions, steps: "Sequence[Step]", scheme: str | None) -> "ClientSettings":
    from sockctl.client.settings import ClientSettings

    connecting, content, login = given.connecting, given.content, given.login
    terminal = is_terminal(STDIN) and not (steps or content.recv_only or content.raw_terminal)
    messages = scheme in {"sockctl", "sockctls"} if scheme or not terminal else None
    family, source = _choose_family(given)
    return ClientSettings(
        terminal=terminal,
        raw_terminal=content.raw_terminal,
        messages=messages,
        **content.list_settings(),
        web=scheme in {"ws", "wss"},
        binary=given.web.binary,
        udp=scheme == "udp",
        datagram_bytes=content.datagram_size,
        log=content.log,
        steps=steps,
        count=given.script.count,
        timeout_s=connecting.timeout,
        idle_timeout_s=connecting.idle_timeout,
        session=not login.no_session,
        user=_check_user(login.user),
        keep_typed=not login.no_typed_history,
        insecure=login.insecure,
        state_dir=login.state_dir,
        reconnect=True if connecting.reconnect else False if connecting.no_reconnect else None,
        retries=connecting.retry,
        family=family,
        source=source,
    )


def _check_user(user: str | None) -> str:
    """Return the name of the user who was chosen; empty for none."""
    if user is None:
        return ""
    from sockctl.protocol.names import is_name
    from sockctl.text import make_visible

    if not is_name(user):
        raise OptionError(f"--user {make_visible(user[:80])!r} is no name: it is empty, has spaces, or is too long.")
    return user


def _choose_family(given: ConnectOptions) -> "tuple[socket.AddressFamily, Endpoint | None]":
    """Return the family of addresses to connect to, and the own address to connect from, if one was chosen."""
    ipv4, ipv6, source = given.connecting.ipv4, given.connecting.ipv6, given.connecting.source
    family = socket.AF_INET if ipv4 else socket.AF_INET6 if ipv6 else socket.AF_UNSPEC
    if source is None:
        return family, None
    from sockctl.net.address import parse_source

    own = parse_source(source)
    own_family = socket.AF_INET6 if ":" in own.host else socket.AF_INET
    if family not in (socket.AF_UNSPEC, own_family):
        raise OptionError(f"--source {source} is not of the family that {'-4' if ipv4 else '-6'} asks for.")
    return own_family, own


def _check_ports(target: str | None, ports: list[str], given: ConnectOptions) -> None:
    """Look which ports are open, and print each; leave with `UNREACHABLE` unless all are."""
    from itertools import chain

    from sockctl.cli.port_check import print_ports
    from sockctl.client.port_check import check_ports, parse_ports
    from sockctl.net.address import Target, is_unix

    wanted = [Target(None, None)] if target is None else parse_any_targets(target)
    further = parse_ports(ports)
    numbers = [(each.host, ([] if each.port is None else [each.port]) + further) for each in wanted]
    connecting = given.connecting
    family, source = _choose_family(given)
    states = []
    for host, own in numbers:
        if wanted[0].scheme == "udp":
            raise OptionError("-z looks whether a handshake succeeds, and UDP has none: send something, and see.")
        if host is not None and is_unix(host):
            raise OptionError("-z looks at ports, and a Unix socket has none: connect to it to see whether it is open.")
        if host is None or not own:
            raise InputNeededError("-z needs a host and a port: write sockctl connect -z HOST PORT, or PORT-PORT.")
        states.append(
            check_ports(host, own, timeout_s=connecting.timeout, retries=connecting.retry, family=family, source=source)
        )
    try:
        all_open = print_ports(chain(*states), json=given.content.json, quiet=given.content.quiet)
    except BrokenPipeError:  # as with `| head -1`: the reader has enough
        return
    if not all_open:
        raise typer.Exit(ExitCode.UNREACHABLE)
