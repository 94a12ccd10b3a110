"""``sockctl watch``: what a running server does."""

import contextlib
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sockctl.cli import options
from sockctl.cli.commands import declare_command
from sockctl.cli.exit_codes import ExitCode, explain_exit_codes
from sockctl.cli.options import Seconds, declare_time
from sockctl.errors import OptionError, ServerGoneError
from sockctl.terminal import STDIN, STDOUT, is_terminal, measure_columns, say, wants_colour
from sockctl.text import format_count

if TYPE_CHECKING:
    from sockctl.cli.watch_columns import Column
    from sockctl.cli.watch_picture import Picture
    from sockctl.net.control.client import ControlClient, Snapshot

ANSWER_S = 30.0
"""How long a server may take to answer: one that is busy and has very many connections takes its time."""
_EPILOG = """Examples:
  sockctl watch
  sockctl watch 9090 --sort in/s
  sockctl watch chat --once --json | jq '.connections[].name'"""
_MEANINGS = {ExitCode.UNREACHABLE: "no such server runs", ExitCode.BROKEN: "the server went without a goodbye"}

app = declare_command()


def complete_target(incomplete: str) -> list[str]:
    """Return the names of servers that begin so, for the shell."""
    from sockctl.net.control.client import list_files
    from sockctl.paths import find_runtime_dir

    return [path.stem for path in list_files(find_runtime_dir()) if path.stem.startswith(incomplete)]


@app.command(epilog=f"{_EPILOG}\n\n{explain_exit_codes(meanings=_MEANINGS)}")
def watch(
    target: Annotated[
        str | None,
        typer.Argument(
            metavar="[TARGET]",
            help="The server's port, address, service or name (chat-9090), or the path of its --control socket.",
            show_default=False,
            autocompletion=complete_target,
        ),
    ] = None,
    *,
    once: Annotated[bool, typer.Option("--once", help="Show one look, and end.", show_default=False)] = False,
    list_only: Annotated[bool, typer.Option("--list", help="List the servers that run.", show_default=False)] = False,
    json: options.Json = False,
    interval: Annotated[float, declare_time("Look so often.", at_least=0.1)] = Seconds(1),
    sort: Annotated[
        str, typer.Option(help="The column to sort by, such as in/s; -in/s turns it round.", metavar="COLUMN")
    ] = "#",
    peer: Annotated[
        str, typer.Option(help="Show only connections with this in their peer.", metavar="TEXT", show_default=False)
    ] = "",
) -> None:
    """Watch a running server: its connections, queues and refusals.

    Without a target, it shows the server that runs; where several run, give one. On a terminal, the picture changes
    until you press q: the arrow keys move, s sorts by a column, e explains it, / filters by peer. In a pipe it prints
    one look. Rates are those since the look before. 'sockctl help watch' explains the figures and the JSON.
    """
    from sockctl.cli.watch_target import find_control
    from sockctl.net.control.client import ControlClient
    from sockctl.paths import find_runtime_dir

    view_by = _parse_sort(sort)
    folder = find_runtime_dir()
    if list_only:
        if target is not None:
            raise OptionError("--list lists all servers: leave the target out.")
        _print_servers(folder, json=json)
        return
    with contextlib.closing(ControlClient(find_control(target, folder))) as client:
        if json:
            _print_json(client, interval, peer=peer, by=view_by, once=once)
        elif once or not is_terminal(STDOUT) or not is_terminal(STDIN):
            _print_once(client, interval, peer=peer, by=view_by)
        else:
            _show(client, interval, peer=peer, by=view_by)


def _parse_sort(text: str) -> "tuple[Column, bool]":
    """Return the column of ``--sort``, and whether its usual order is turned round.

    Raises:
        typer.BadParameter: There is no such column.
    """
    from sockctl.cli.watch_columns import COLUMNS, find_column

    column = find_column(text.removeprefix("-"))
    if column is None:
        titles = ", ".join(each.title.lower() for each in COLUMNS)
        raise typer.BadParameter(f"There is no column {text!r}: choose one of {titles}.")
    return column, text.startswith("-")


def _print_servers(folder: Path, *, json: bool) -> None:
    from sockctl.cli.tables import print_list
    from sockctl.cli.watch_columns import format_time
    from sockctl.cli.watch_picture import describe_places
    from sockctl.cli.watch_target import LISTED_S, NONE
    from sockctl.net.control.client import fetch_all

    servers = [snapshot.server for _, snapshot in fetch_all(folder, LISTED_S)]
    rows = [
        (
            str(server["name"]),
            describe_places(server),
            f"{server['clients']:,}",
            format_time(server["uptime_s"]),
            str(server["pid"]),
        )
        for server in servers
    ]
    print_list(servers, ("SERVER", "LISTENS AT", "CLIENTS", "UP", "PROCESS"), rows, empty=NONE, json=json)


def _fetch_two(client: "ControlClient", interval_s: float) -> "tuple[Snapshot, Snapshot]":
    """Return two snapshots, between which so much time has passed: rates need both."""
    before = client.fetch(ANSWER_S)
    time.sleep(interval_s)
    return before, client.fetch(ANSWER_S)


def _print_json(
    client: "ControlClient", interval_s: float, *, peer: str, by: "tuple[Column, bool]", once: bool
) -> None:
    """Print a line for each look, from the second on."""
    from json import dumps

    from sockctl.cli.watch_picture import Picture
    from sockctl.text import escape_json

    before: Snapshot | None = client.fetch(ANSWER_S)
    while True:
        time.sleep(interval_s)
        try:
            snapshot = client.fetch(ANSWER_S)
        except ServerGoneError as error:
            if once or not error.in_order:
                raise
            return
        fields = _make_fields(Picture(snapshot, before), peer, by)
        typer.echo(escape_json(dumps(fields, ensure_ascii=False)).encode())
        if once:
            return
        before = snapshot


def _make_fields(picture: "Picture", peer: str, by: "tuple[Column, bool]") -> dict[str, Any]:
    return {"server": picture.server, "connections": _select(picture, peer, by)}


def _select(picture: "Picture", peer: str, by: "tuple[Column, bool]") -> list[dict[str, Any]]:
    from sockctl.cli.watch_picture import select_rows

    column, turned = by
    return select_rows(picture.rows, column=column, reverse=column.goes_down != turned, peer=peer)


def _print_once(client: "ControlClient", interval_s: float, *, peer: str, by: "tuple[Column, bool]") -> None:
    from sockctl.cli.tables import print_text
    from sockctl.cli.watch_picture import Picture

    before, snapshot = _fetch_two(client, interval_s)
    picture = Picture(snapshot, before)
    rows = _select(picture, peer, by)
    if is_terminal(STDOUT):
        from sockctl.cli.watch_view import format_once

        print_text(format_once(picture, rows, width=measure_columns(STDOUT), colour=wants_colour(STDOUT)))
    else:
        _print_plain(picture, rows)


def _print_plain(picture: "Picture", rows: Sequence[dict[str, Any]]) -> None:
    """Print a line for each figure, an empty one, and a line for each connection, with tabs between the cells."""
    from sockctl.cli.tables import print_list, print_record, print_text
    from sockctl.cli.watch_columns import COLUMNS

    print_record({figure.title or "server": figure.text for figure in picture.list_figures()})
    print_text("")
    titles = [column.title for column in COLUMNS]
    cells = [[column.make_cell(row) for column in COLUMNS] for row in rows]
    print_list(rows, titles, cells, empty="Nobody is connected.", json=False)


def _show(client: "ControlClient", interval_s: float, *, peer: str, by: "tuple[Column, bool]") -> None:
    from sockctl.cli.watch_screen import show
    from sockctl.cli.watch_view import View

    column, turned = by
    view = View(sort=column, turned=turned, peer=peer)
    try:
        show(client, view, interval_s)
    except ServerGoneError as error:
        if not error.in_order:
            raise
        clients = view.picture.server["clients"] if view.picture is not None else 0
        say(f"{error} At the last look, {format_count(clients, 'client was', 'clients were')} connected.")
