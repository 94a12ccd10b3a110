"""``sockctl serve …``: the servers."""

import enum
from typing import Annotated

import typer

from sockctl.cli import options

__all__ = ["app"]

app = typer.Typer(
    rich_markup_mode=None,
    no_args_is_help=True,
    help="Start a server.",
    epilog="Example: sockctl serve echo --port 9090",
)


@app.callback()
def _group() -> None:
    """Keep `echo` a command of its own while it is the only one."""


class Transform(enum.StrEnum):
    """What the echo does to text."""

    NONE = "none"
    UPPER = "upper"
    LOWER = "lower"


@app.command(epilog="Example: sockctl serve echo --transform upper --log-file echo.log")
def echo(
    host: options.Host = "127.0.0.1",
    port: options.Port = None,
    strict_port: options.StrictPort = False,
    portion: Annotated[
        int, typer.Option(help="Bytes in a portion, the unit that data is told in.", min=1, max=65_536, metavar="BYTES")
    ] = 1024,
    transform: Annotated[Transform, typer.Option(help="Case in which text comes back.")] = Transform.NONE,
    max_clients: options.MaxClients = 512,
    max_clients_per_address: options.MaxClientsPerAddress = 32,
    allow: options.Allow = None,
    deny: options.Deny = None,
    idle_timeout: options.IdleTimeout = None,
    drain_timeout: options.DrainTimeout = 5.0,
    log_file: options.LogFile = None,
    log_format: options.LogFormatOption = options.LogFormat.TEXT,
    quiet: options.Quiet = False,
    verbose: options.Verbose = False,
    no_input: options.NoInput = False,
) -> None:
    """Send back what clients send (RFC 862).

    Tells every event with an explanation. Ctrl-C stops it in order, a second Ctrl-C at once.
    """
    from sockctl.cli.running import Place, Reporting, chosen_port, serve
    from sockctl.net.address import checked_host
    from sockctl.net.admission import AccessRules
    from sockctl.net.server import Limits
    from sockctl.services.echo import Case, CaseEcho, Echo

    service = Echo() if transform is Transform.NONE else CaseEcho(Case(transform.value))
    limits = Limits(
        max_clients=max_clients,
        max_clients_per_address=max_clients_per_address,
        rules=AccessRules(allow=allow or (), deny=deny or ()),
        idle_timeout_s=idle_timeout,
        portion=portion,
    )
    place = Place(
        host=checked_host(host) if host else "",
        port=chosen_port(port, no_input=no_input),
        strict_port=strict_port,
        drain_timeout_s=drain_timeout,
    )
    reporting = Reporting(log_file=log_file, log_format=log_format, quiet=quiet, verbose=verbose)
    raise typer.Exit(serve(service, place=place, limits=limits, reporting=reporting))
