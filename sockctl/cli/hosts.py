"""``sockctl hosts …``: the servers whose certificates the client trusts."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sockctl.cli import options
from sockctl.cli.completion import complete_targets
from sockctl.cli.tables import print_list
from sockctl.errors import AddressError

if TYPE_CHECKING:
    from sockctl.client.known_hosts import KnownHosts

app = typer.Typer(
    add_completion=False,
    rich_markup_mode=None,
    no_args_is_help=True,
    help="See and change which servers' certificates 'connect' trusts.",
    epilog="Example: sockctl hosts list",
)

Server = Annotated[
    str, typer.Argument(metavar="HOST:PORT", help="The server.", show_default=False, autocompletion=complete_targets)
]


@app.command(name="list", epilog="Example: sockctl hosts list --json")
def list_hosts(*, json: options.Json = False, state_dir: options.StateDir = None) -> None:
    """List the trusted servers. Shown are host and port, since when (UTC), and the certificate's SHA-256."""
    hosts = [host.as_fields for host in _open_hosts(state_dir).all()]
    titles = ("HOST:PORT", "FIRST SEEN", "SHA256")
    rows = ((host["address"], host["first_seen"], host["fingerprint"]) for host in hosts)
    empty = "No server's certificate is trusted yet: 'sockctl connect tls://HOST:PORT' asks."
    print_list(hosts, titles, rows, empty=empty, json=json)


@app.command(epilog="Example: sockctl hosts trust server.example:9090 SHA256:…")
def trust(
    server: Server,
    fingerprint: Annotated[
        str,
        typer.Argument(
            metavar="SHA256",
            help="The certificate's SHA-256 as the server tells it: 64 hex digits, colons or none.",
            show_default=False,
        ),
    ],
    *,
    state_dir: options.StateDir = None,
) -> None:
    """Trust a server with this certificate, and with no other one."""
    from sockctl.client.known_hosts import host_key

    host, port = parse_server(server)
    _open_hosts(state_dir).trust(host, port, fingerprint)
    typer.echo(f"{host_key(host, port)} is trusted with that certificate, and with no other one.")


@app.command(epilog="Example: sockctl hosts forget server.example:9090")
def forget(server: Server, *, state_dir: options.StateDir = None) -> None:
    """Forget a server's certificate. The next connection meets it as a new one."""
    from sockctl.client.known_hosts import host_key

    host, port = parse_server(server)
    _open_hosts(state_dir).forget(host, port)
    typer.echo(f"The certificate of {host_key(host, port)} is forgotten.")


def parse_server(server: str) -> tuple[str, int]:
    """Return the two parts of ``HOST:PORT``.

    Raises:
        AddressError: One is missing, or can't be understood.
    """
    from sockctl.net.address import parse_target

    target = parse_target(server)
    if target.host is None or target.port is None:
        raise AddressError(f"{server!r} is not complete: write HOST:PORT, such as server.example:9090.")
    return target.host, target.port


def _open_hosts(state_dir: Path | None) -> "KnownHosts":
    from sockctl.client.known_hosts import KnownHosts
    from sockctl.paths import state_dir as place_of_state

    return KnownHosts(place_of_state(state_dir))
