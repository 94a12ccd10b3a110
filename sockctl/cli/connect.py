"""``sockctl connect``: the client."""

import functools
import socket
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sockctl.cli import options
from sockctl.cli.commands import Command
from sockctl.cli.completion import complete_targets
from sockctl.cli.exit_codes import ExitCode, explain_exit_codes
from sockctl.cli.prompts import ask, may_ask
from sockctl.cli.tls_options import TlsOptions
from sockctl.errors import InputNeededError
from sockctl.terminal import STDIN, is_terminal

if TYPE_CHECKING:
    from sockctl.net.address import Endpoint

_EXAMPLES = (
    "Examples: sockctl connect localhost 9090, in a pipe: printf abc | sockctl connect localhost:9090, scripted: "
    "sockctl connect localhost:9090 --send hello --expect hello"
)
_EXIT_CODES = explain_exit_codes(
    ExitCode.FAILED,
    ExitCode.UNREACHABLE,
    ExitCode.BROKEN,
    ExitCode.INTERRUPTED,
    meanings={
        ExitCode.NOT_LET_IN: "not let in (or the certificate is not trusted, or a password would go in clear)",
        ExitCode.TIMED_OUT: "timed out (connecting, waiting for the greeting or a turn to speak, in a script's wait)",
        ExitCode.UNEXPECTED: "an expectation or --count is not met in time or by the end",
    },
)
ORDER = "order of the options"


class _InOrder(Command):
    """A command that knows in which order its options were given, also between different ones."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the arguments, and keep the order in the context."""
        _, _, order = self.make_parser(ctx).parse_args(list(args))
        ctx.meta[ORDER] = [parameter.name for parameter in order]
        return super().parse_args(ctx, args)


app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command(cls=_InOrder, epilog=f"{_EXAMPLES}\n\n{_EXIT_CODES}")
@functools.partial(options.with_option_group, name="tls_options", group=TlsOptions)
def connect(
    ctx: typer.Context,
    target: Annotated[
        str | None,
        typer.Argument(
            metavar="[HOST|HOST:PORT|SCHEME://HOST:PORT]",
            help="Where to connect. Schemes: tcp, tls (raw bytes), sockctl, sockctls (messages; the s is for TLS).",
            show_default=False,
            autocompletion=complete_targets,
        ),
    ] = None,
    port: Annotated[str | None, typer.Argument(metavar="[PORT]", help="The port.", show_default=False)] = None,
    *,
    send: Annotated[
        list[str] | None,
        typer.Option(
            help="Send this line; repeatable, in turn with --expect.", metavar="TEXT", allow_from_autoenv=False
        ),
    ] = None,
    expect: Annotated[
        list[str] | None,
        typer.Option(
            help="Wait until this is found in a line or message (else exit 6); repeatable.",
            metavar="REGEX",
            allow_from_autoenv=False,
        ),
    ] = None,
    script: Annotated[
        Path | None,
        typer.Option(
            help="Take steps from a file, one a line: send TEXT, expect REGEX, wait SECONDS, wait (for the end).",
            metavar="FILE",
        ),
    ] = None,
    count: Annotated[
        int | None, typer.Option(help="End after so many messages or lines (exit 6 if fewer come).", min=1, metavar="N")
    ] = None,
    json: Annotated[
        bool, typer.Option("--json", help='Print each message as a JSON line; a raw line as {"text": …}.')
    ] = False,
    crlf: Annotated[bool, typer.Option("--crlf", help="Send CR LF where the input has a line feed.")] = False,
    hex_dump: Annotated[bool, typer.Option("--hex", help="Show bytes as a hex dump: > sent, < received.")] = False,
    plain: Annotated[bool, typer.Option("--plain", help="Don't use the line editor on a terminal.")] = False,
    timeout: Annotated[
        float,
        options.seconds(
            "Connect within so long (exit 5); also for the greeting and each step of a script.", at_least=0.001
        ),
    ] = options.Seconds(10),
    quit_after: Annotated[
        float | None,
        options.seconds(
            "After the input's end, wait so long for the server's. [default: 2 on a terminal and after a script that "
            "ends with an expectation, else no limit]",
            at_least=0,
        ),
    ] = None,
    retry: Annotated[
        int, typer.Option(help="Try so many times more, with a growing pause.", min=0, max=1000, metavar="N")
    ] = 0,
    tls_options: TlsOptions,
    no_session: Annotated[
        bool, typer.Option("--no-session", help="Log in anew: neither use nor keep a token of an earlier login.")
    ] = False,
    no_reconnect: Annotated[
        bool, typer.Option("--no-reconnect", help="On a terminal: end when the connection is lost, don't come back.")
    ] = False,
    insecure: Annotated[
        bool, typer.Option("--insecure", help="Send passwords in clear, also over the network without TLS.")
    ] = False,
    state_dir: options.StateDir = None,
    ipv4: Annotated[bool, typer.Option("--ipv4", "-4", help="Use IPv4 only.")] = False,
    ipv6: Annotated[bool, typer.Option("--ipv6", "-6", help="Use IPv6 only.")] = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Tell events in a pipe, too, and each address tried.")
    ] = False,
    no_input: options.NoInput = False,
) -> None:
    """Connect, send standard input, print what comes back.

    On a terminal: asks for what is missing, sends line by line and tells every event; 'exit' or Ctrl-D ends it,
    '//exit' sends the word itself. If the server greets as a message service, both speak in messages; sockctl://
    insists on that, tcp:// on raw bytes. In a pipe: raw bytes both ways (with sockctl:// a message a line); the end of
    the input half-closes the connection, and all that the server still sends is printed.

    Under TLS the server's certificate is compared with the one that it had the first time; an unknown one is asked for.
    A login is kept: the next 'connect' isn't asked for a password, until 'sockctl logout' or the server ends that. A
    password is never sent in clear to another machine, unless --insecure is given.

    In a chat, Tab completes names, commands after / and rooms after #, and a line that mentions
    you is marked >>. If the connection is lost, not ended, it is made again, with pauses from 0.5 up to 30 s, until
    Ctrl-C or 'exit': you come back under your name, into your rooms, and see what you have missed. What you type
    meanwhile is not sent, and you are told so. That is for a terminal and for services that have given a token.

    Scripted: --send, --expect and the steps of --script are carried out in their order, and standard input isn't read.
    """
    from sockctl.client.runner import run_session
    from sockctl.client.settings import ClientSettings

    if ipv4 and ipv6:
        raise typer.BadParameter("-4 and -6 exclude each other: leave one out.")
    if json and hex_dump:
        raise typer.BadParameter("--json and --hex exclude each other: leave one out.")
    steps = []
    if send or expect or script:
        from sockctl.client.script_steps import parse_steps

        steps = parse_steps(ctx.meta[ORDER], send=send or [], expect=expect or [], script=script)
    endpoint, scheme = _complete_target(target, port, no_input=no_input)
    terminal = is_terminal(STDIN) and not steps
    settings = ClientSettings(
        terminal=terminal,
        messages=scheme in {"sockctl", "sockctls"} if scheme or not terminal else None,
        verbose=verbose,
        hex_dump=hex_dump,
        json=json,
        plain=plain,
        crlf=crlf,
        steps=steps,
        count=count,
        timeout_s=timeout,
        quit_after_s=quit_after,
        session=not no_session,
        insecure=insecure,
        state_dir=state_dir,
        reconnect=not no_reconnect,
    )
    policy = tls_options.make_policy(
        wanted=tls_options.tls or scheme in {"tls", "sockctls"},
        state_dir=state_dir,
        may_ask=may_ask(no_input=no_input),
    )
    family = socket.AF_INET if ipv4 else socket.AF_INET6 if ipv6 else socket.AF_UNSPEC
    if not run_session(endpoint, settings, policy, retries=retry, family=family):
        raise typer.Exit(ExitCode.INTERRUPTED)


def _complete_target(target: str | None, port: str | None, *, no_input: bool) -> "tuple[Endpoint, str | None]":
    """Return the server and the scheme, after asking for what is missing."""
    from sockctl.net.address import Endpoint, parse_host, parse_port, parse_target

    wanted = parse_target(target, port)
    host, number = wanted.host, wanted.port
    if may_ask(no_input=no_input):
        host = host or ask("Host", "localhost", parse_host)
        number = number or ask("Port", "9090", parse_port)
    if host is None or number is None:
        missing = "HOST and PORT are" if host is None and number is None else "HOST is" if host is None else "PORT is"
        hint = f" An IPv6 address with a port is written [{host}]:PORT." if host is not None and ":" in host else ""
        raise InputNeededError(f"{missing} missing and can't be asked for here: write sockctl connect HOST PORT.{hint}")
    return Endpoint(host, number), wanted.scheme
