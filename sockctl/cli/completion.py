"""Completes the names that sockctl has saved, for the shell. No function here fails."""

import contextlib
import os
import re
from collections.abc import Callable, Iterable
from pathlib import Path

import typer

from sockctl.errors import SockctlError
from sockctl.paths import find_data_dir, find_state_dir

_ROOM = rb'"room": ?"([^"\\]+)"'
MAX_HISTORY_BYTES = 4 * 1024 * 1024
"""The bytes of a chat's history to search for rooms: the shell waits for the result."""


def complete_users(ctx: typer.Context) -> list[str]:
    """Return the names of the users in the data directory."""
    from sockctl.accounts.accounts import Accounts

    if _names_engine(ctx):
        return []
    return _list(
        lambda: (user.name for user in Accounts(find_data_dir(_find_folder(ctx, "data_dir"))).users.list_all())
    )


def complete_sessions(ctx: typer.Context) -> list[str]:
    """Return the ids of the sessions in the data directory."""
    from sockctl.accounts.accounts import Accounts

    if _names_engine(ctx):
        return []
    return _list(
        lambda: (session.id for session in Accounts(find_data_dir(_find_folder(ctx, "data_dir"))).list_sessions(None))
    )


def complete_clients(ctx: typer.Context) -> list[str]:
    """Return the names and the addresses of the clients that ``serve identify`` knows."""
    from sockctl.services.known_clients import KnownClients

    return _list(
        lambda: (
            word
            for client in KnownClients(find_data_dir(_find_folder(ctx, "data_dir"))).list_all()
            for word in (client.name, client.address)
        )
    )


def complete_hosts(ctx: typer.Context) -> list[str]:
    """Return the servers whose certificates the client trusts."""
    from sockctl.client.known_hosts import KnownHosts

    return _list(
        lambda: (host.address for host in KnownHosts(find_state_dir(_find_folder(ctx, "state_dir"))).list_all())
    )


def complete_logins(ctx: typer.Context) -> list[str]:
    """Return the servers of the saved logins."""
    from sockctl.client.token_store import TokenStore

    return _list(
        lambda: (kept.login.address for kept in TokenStore(find_state_dir(_find_folder(ctx, "state_dir"))).list_all())
    )


def complete_login_users(ctx: typer.Context) -> list[str]:
    """Return the users of whom a login is kept."""
    from sockctl.client.token_store import TokenStore

    return _list(lambda: (kept.user for kept in TokenStore(find_state_dir(_find_folder(ctx, "state_dir"))).list_all()))


def complete_targets(ctx: typer.Context, incomplete: str) -> list[str]:
    """Return the servers with a trusted certificate or a saved login; behind a comma, the targets with one more.

    A scheme that is typed already stays in front.
    """
    known = sorted({*complete_hosts(ctx), *complete_logins(ctx)})
    before, comma, _ = incomplete.rpartition(",")
    scheme, separator, _ = incomplete.partition("://")
    prefix = f"{scheme}{separator}" if separator else ""
    if not comma:
        return [f"{prefix}{each}" for each in known]
    named = before.removeprefix(prefix).split(",")
    return [f"{before},{each}" for each in known if "," not in each and each not in named]


def complete_rooms(ctx: typer.Context) -> list[str]:
    """Return the rooms in the history of the chat in the data directory."""
    from sockctl.services.chat.history_file import FILE_NAME

    def find() -> list[str]:
        with (find_data_dir(_find_folder(ctx, "data_dir")) / FILE_NAME).open("rb") as file:
            return [room.decode() for room in re.findall(_ROOM, file.read(MAX_HISTORY_BYTES))]

    return _list(find)


def _names_engine(ctx: typer.Context) -> bool:
    """Return whether the accounts are in an engine, which may be slow: nobody waits for it while typing."""
    return bool(ctx.params.get("store") or os.environ.get("SOCKCTL_STORE"))


def _find_folder(ctx: typer.Context, name: str) -> Path | None:
    """Return the folder that an option names; during completion its value is still a text."""
    chosen = ctx.params.get(name)
    return None if chosen is None else Path(chosen)


def _list(find: Callable[[], Iterable[str]]) -> list[str]:
    """Return the names that `find` finds, each once and sorted; none if a file can't be used."""
    with contextlib.suppress(SockctlError, OSError, UnicodeError):
        return sorted(set(find()))
    return []
