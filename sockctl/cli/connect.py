"""``sockctl connect``: the client."""

import socket
from typing import Annotated

import typer

from sockctl.cli import options
from sockctl.cli.prompts import ask, may_ask
from sockctl.cli.terminal import STDIN, is_terminal
from sockctl.errors import InputNeededError

__all__ = ["EXAMPLE", "connect"]

EXAMPLE = "Examples: sockctl connect localhost 9090, or in a pipe: printf abc | sockctl connect localhost:9090"


def connect(
    target: Annotated[
        str | None,
        typer.Argument(metavar="[HOST|HOST:PORT|tcp://HOST:PORT]", help="Where to connect.", show_default=False),
    ] = None,
    port: Annotated[str | None, typer.Argument(metavar="[PORT]", help="The port.", show_default=False)] = None,
    crlf: Annotated[bool, typer.Option("--crlf", help="Send CR LF where the input has a line feed.")] = False,
    hex_dump: Annotated[bool, typer.Option("--hex", help="Show bytes as a hex dump: > sent, < received.")] = False,
    timeout: Annotated[float, options.seconds("Connect within so long (exit 5).", at_least=0.001)] = 10.0,
    quit_after: Annotated[
        float | None,
        options.seconds(
            "After the input's end, wait so long for the server's. [default: on a terminal 2, else no limit]",
            at_least=0,
        ),
    ] = None,
    retry: Annotated[
        int, typer.Option(help="Try so many times more, with a growing pause.", min=0, max=1000, metavar="N")
    ] = 0,
    ipv4: Annotated[bool, typer.Option("--ipv4", "-4", help="Use IPv4 only.")] = False,
    ipv6: Annotated[bool, typer.Option("--ipv6", "-6", help="Use IPv6 only.")] = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Tell events in a pipe, too, and each address tried.")
    ] = False,
    no_input: options.NoInput = False,
) -> None:
    """Connect, send standard input, print what comes back.

    On a terminal: asks for what is missing, sends line by line and tells every event; 'exit' or Ctrl-D ends it,
    '//exit' sends the word itself. In a pipe: raw bytes both ways; the end of the input half-closes the connection,
    and all that the server still sends is printed.

    Exit codes: 0 done, 2 usage, 3 unreachable or refused, 5 timed out, 7 reset by the server, 130 interrupted.
    """
    from sockctl.cli.session import Style, run_session
    from sockctl.net.address import Endpoint, checked_host, checked_port, parse_target

    if ipv4 and ipv6:
        raise typer.BadParameter("-4 and -6 exclude each other: leave one out.")
    wanted = parse_target(target, port)
    host, number = wanted.host, wanted.port
    if may_ask(no_input=no_input):
        host = host or ask("Host", "localhost", checked_host)
        number = number or ask("Port", "9090", checked_port)
    if host is None or number is None:
        missing = "HOST and PORT are" if host is None and number is None else "HOST is" if host is None else "PORT is"
        hint = f" An IPv6 address with a port is written [{host}]:PORT." if host is not None and ":" in host else ""
        raise InputNeededError(f"{missing} missing and can't be asked for here: write sockctl connect HOST PORT.{hint}")
    family = socket.AF_INET if ipv4 else socket.AF_INET6 if ipv6 else socket.AF_UNSPEC
    style = Style(terminal=is_terminal(STDIN), verbose=verbose, hex_dump=hex_dump, crlf=crlf, quit_after_s=quit_after)
    raise typer.Exit(run_session(Endpoint(host, number), style, timeout_s=timeout, retries=retry, family=family))
