"""The options of ``sockctl serve chat``, as one group."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from sockctl.cli.account_stores import ServerStoreOptions
from sockctl.cli.completion import complete_rooms, complete_users
from sockctl.cli.options import DEFAULT_MIN_LENGTH, MinLength


@dataclass(kw_only=True, eq=False, repr=False)  # as `ServerOptions`
class ChatOptions:
    """The options, by the names that users write."""

    room: Annotated[
        list[str] | None,
        typer.Option(
            help="A room that there is; repeatable. Else rooms are made by joining.",
            autocompletion=complete_rooms,
            metavar="NAME",
        ),
    ] = None
    motd: Annotated[Path | None, typer.Option(help="Tell each new client the lines of this file.", metavar="FILE")] = (
        None
    )
    history: Annotated[
        int, typer.Option(help="Messages of each room that are remembered.", min=0, max=10_000, metavar="N")
    ] = 100
    flood: Annotated[
        str, typer.Option(help="Messages that a member may say at once, and then a second.", metavar="BURST/RATE")
    ] = "20/10"
    no_flood_limit: Annotated[bool, typer.Option("--no-flood-limit", help="Let members say as much as they like.")] = (
        False
    )
    with_accounts: Annotated[
        bool,
        typer.Option(
            "--auth",
            envvar="SOCKCTL_SERVE_CHAT_AUTH",
            help="Let users in only, as 'serve auth' does ('sockctl users add' makes one).",
            rich_help_panel="Accounts",
        ),
    ] = False
    operator: Annotated[
        list[str] | None,
        typer.Option(
            help="With --auth: this user may kick, ban, mute and announce; repeatable.",
            autocompletion=complete_users,
            metavar="NAME",
            rich_help_panel="Accounts",
        ),
    ] = None
    signup: Annotated[
        bool,
        typer.Option(
            "--signup",
            help="With --auth: let an unknown client choose a password and become a user.",
            rich_help_panel="Accounts",
        ),
    ] = False
    min_length: MinLength = DEFAULT_MIN_LENGTH
    insecure: Annotated[
        bool,
        typer.Option(
            "--insecure",
            help="With --auth: take passwords in clear from other machines, where everyone may read them.",
            rich_help_panel="Accounts",
        ),
    ] = False
    cluster: Annotated[
        str | None,
        typer.Option(
            help="Be one chat with all servers on this engine, Redis or Valkey: redis://HOST:PORT, as for 'cluster "
            "check'.",
            envvar="SOCKCTL_CLUSTER",
            metavar="URL",
            show_default=False,
            rich_help_panel="Several machines",
        ),
    ] = None
    node: Annotated[
        str | None,
        typer.Option(
            help="With --cluster: what people call this server. [default: the machine's name]",
            envvar="SOCKCTL_NODE",
            metavar="NAME",
            show_default=False,
            rich_help_panel="Several machines",
        ),
    ] = None
    advertise: Annotated[
        str | None,
        typer.Option(
            help="With --cluster and --web: the address of this server's page, such as http://one.example:9080. Pages "
            "of the other servers go on there when theirs fails.",
            envvar="SOCKCTL_ADVERTISE",
            metavar="URL",
            show_default=False,
            rich_help_panel="Several machines",
        ),
    ] = None
    accounts: ServerStoreOptions
