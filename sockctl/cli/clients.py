"""``sockctl clients …``: the clients that the identification server knows."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sockctl.cli import options
from sockctl.cli.changes import RemovalOptions, print_changes, tolerate, with_removal_options
from sockctl.cli.commands import declare_group
from sockctl.cli.completion import complete_clients
from sockctl.cli.tables import print_list
from sockctl.errors import UnknownClientError

if TYPE_CHECKING:
    from sockctl.services.known_clients import KnownClients

app = declare_group(
    "See and change whom 'serve identify' knows. A server that runs sees the change at once.",
    "Example:\n  sockctl clients list",
)

Which = Annotated[
    str, typer.Argument(metavar="ADDRESS|NAME", help="The client.", show_default=False, autocompletion=complete_clients)
]


@app.command(name="list", epilog="Example:\n  sockctl clients list --json")
def list_clients(*, json: options.Json = False, data_dir: options.DataDir = None) -> None:
    """List the known clients. Columns: address, name, and when each was here first and last (UTC)."""
    clients = [client.as_fields for client in _open_clients(data_dir).list_all()]
    titles = ("ADDRESS", "NAME", "FIRST SEEN", "LAST SEEN")
    empty = "No client is known yet: 'sockctl serve identify' asks those who come."
    print_list(clients, titles, (tuple(client.values()) for client in clients), empty=empty, json=json)


@app.command(epilog="Example:\n  sockctl clients rename 192.0.2.7 ann")
def rename(
    which: Which,
    name: Annotated[str, typer.Argument(metavar="NAME", help="The new name.", show_default=False)],
    *,
    json: options.Json = False,
    data_dir: options.DataDir = None,
) -> None:
    """Give a client another name."""
    clients = _open_clients(data_dir)
    before = clients.rename(which, name)
    after = clients.get(before.address)
    fields = {**after.as_fields, "before": before.name}
    print_changes([fields], f"{after.address} is {after.name} now, and was {before.name}.", json=json)


@app.command(epilog="Example:\n  sockctl clients remove ann")
@app.command(name="forget", hidden=True)
@with_removal_options
def remove(which: Which, *, removal: RemovalOptions, data_dir: options.DataDir = None) -> None:
    """Forget a client: it is asked for its name when it comes again."""
    clients = _open_clients(data_dir)
    with tolerate(UnknownClientError, f"No client {which} is known.", wanted=removal.if_exists, json=removal.json):
        client = clients.get(which)
        whom = f"{client.name} ({client.address})"
        removal.confirm(f"Forget {whom}?", refusal=f"{whom} is still known.")
        clients.forget(client.address)
        print_changes([client.as_fields], f"{whom} is forgotten.", json=removal.json)


def _open_clients(data_dir: Path | None) -> "KnownClients":
    from sockctl.paths import find_data_dir
    from sockctl.services.known_clients import KnownClients

    return KnownClients(find_data_dir(data_dir))
