"""``sockctl sessions …``: the sessions of users who are logged in."""

from typing import Annotated

import typer

from sockctl.cli import options
from sockctl.cli.account_stores import StoreOptions, with_store_options
from sockctl.cli.changes import RemovalOptions, print_changes, tolerate, with_removal_options
from sockctl.cli.commands import declare_group
from sockctl.cli.completion import complete_sessions, complete_users
from sockctl.cli.tables import print_list
from sockctl.errors import OptionError, UnknownSessionError
from sockctl.text import format_count

app = declare_group(
    "See and end the sessions of those who are logged in. A server that runs sees the change within 2 s.",
    "Example:\n  sockctl sessions list",
)


@app.command(name="list", epilog="Example:\n  sockctl sessions list ann --json")
@with_store_options
def list_sessions(
    user: Annotated[
        str | None,
        typer.Argument(metavar="[USER]", help="Only this user's.", show_default=False, autocompletion=complete_users),
    ] = None,
    *,
    json: options.Json = False,
    store: StoreOptions,
) -> None:
    """List the sessions. Columns: id, user, last address, and when each began, was used last and expires (UTC)."""
    accounts = store.open()
    name = None if user is None else accounts.users.get(user).name
    sessions = [session.as_fields for session in accounts.list_sessions(name)]
    titles = ("ID", "USER", "ADDRESS", "CREATED", "LAST USED", "EXPIRES")
    empty = "Nobody is logged in." if name is None else f"{name} is not logged in."
    print_list(sessions, titles, (tuple(session.values()) for session in sessions), empty=empty, json=json)


@app.command(epilog="Examples:\n  sockctl sessions revoke 0123456789ab\n  sockctl sessions revoke --user ann")
@with_removal_options
@with_store_options
def revoke(
    session: Annotated[
        str | None,
        typer.Argument(metavar="[ID]", help="This session.", show_default=False, autocompletion=complete_sessions),
    ] = None,
    *,
    user: Annotated[
        str | None, typer.Option(help="All sessions of this user.", metavar="NAME", autocompletion=complete_users)
    ] = None,
    everybody: Annotated[bool, typer.Option("--all", help="All sessions of everybody.", show_default=False)] = False,
    removal: RemovalOptions,
    store: StoreOptions,
) -> None:
    """End sessions, and their connections. Their tokens are worth nothing any more."""
    if sum((session is not None, user is not None, everybody)) != 1:
        raise OptionError("Say which sessions: an ID, --user NAME, or --all; one of them.")
    accounts = store.open()
    with tolerate(UnknownSessionError, f"There is no session {session}.", wanted=removal.if_exists, json=removal.json):
        if session is not None:
            if found := accounts.sessions.find(session):
                removal.confirm(f"End the session {found.id} of {found.user}?", refusal="It goes on.")
            ended = [accounts.sessions.end(session)]
        else:
            name = None if user is None else accounts.users.get(user).name
            if count := len(accounts.list_sessions(name)):
                whose = "" if name is None else f" of {name}"
                removal.confirm(f"End {format_count(count, 'session')}{whose}?", refusal="No session was ended.")
            ended = accounts.sessions.end_all(name)
        sentences = [f"The session {one.id} of {one.user} has ended." for one in ended]
        print_changes(
            [one.as_fields for one in ended], *(sentences or ["There was no session to end."]), json=removal.json
        )
