"""``sockctl clients …``: the clients that the identification server knows."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sockctl.cli import options
from sockctl.cli.completion import complete_clients
from sockctl.cli.tables import print_list, print_result

if TYPE_CHECKING:
    from sockctl.services.known_clients import KnownClients

app = typer.Typer(
    add_completion=False,
    rich_markup_mode=None,
    no_args_is_help=True,
    help="See and change whom 'serve identify' knows. A server that runs sees the change at once.",
    epilog="Example: sockctl clients list",
)

Which = Annotated[
    str, typer.Argument(metavar="ADDRESS|NAME", help="The client.", show_default=False, autocompletion=complete_clients)
]


@app.command(name="list", epilog="Example: sockctl clients list --json")
def list_clients(*, json: options.Json = False, data_dir: options.DataDir = None) -> None:
    """List the known clients. Shown are address, name, and when they were here first and last (UTC)."""
    clients = [client.as_fields for client in _open_clients(data_dir).all()]
    titles = ("ADDRESS", "NAME", "FIRST SEEN", "LAST SEEN")
    empty = "No client is known yet: 'sockctl serve identify' asks those who come."
    print_list(clients, titles, (tuple(client.values()) for client in clients), empty=empty, json=json)


@app.command(epilog="Example: sockctl clients rename 192.0.2.7 ann")
def rename(
    which: Which,
    name: Annotated[str, typer.Argument(help="The new name.", show_default=False)],
    *,
    json: options.Json = False,
    data_dir: options.DataDir = None,
) -> None:
    """Give a client another name."""
    before, name = _open_clients(data_dir).rename(which, name), name.strip()
    fields = {"address": before.address, "before": before.name, "name": name}
    print_result(fields, f"{before.address} is {name} now, and was {before.name}.", json=json)


@app.command(epilog="Example: sockctl clients forget ann")
def forget(which: Which, *, json: options.Json = False, data_dir: options.DataDir = None) -> None:
    """Forget a client: it is asked for its name when it comes again."""
    gone = _open_clients(data_dir).forget(which)
    print_result(gone.as_fields, f"{gone.name} ({gone.address}) is forgotten.", json=json)


def _open_clients(data_dir: Path | None) -> "KnownClients":
    from sockctl.paths import data_dir as place_of_data
    from sockctl.services.known_clients import KnownClients

    return KnownClients(place_of_data(data_dir))
