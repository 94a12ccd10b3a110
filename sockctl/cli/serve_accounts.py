"""Prepares servers that ask for passwords: no eavesdropper, and no other program on the port, may get one."""

import dataclasses
from typing import TYPE_CHECKING

from sockctl.accounts.accounts import AccountStores
from sockctl.cli.account_stores import ServerStoreOptions, open_stores
from sockctl.cli.serve_cluster import check_store
from sockctl.cli.server_options import ServerOptions
from sockctl.errors import OptionError
from sockctl.events.cluster import StoreUnsafe
from sockctl.net.address import is_loopback, parse_host
from sockctl.net.listener import list_addresses
from sockctl.paths import find_data_dir
from sockctl.services.login import LoginConversation

if TYPE_CHECKING:
    from sockctl.cluster.engine_access import EngineAccess


def guard_options(options: ServerOptions, *, insecure: bool) -> ServerOptions:
    """Return the options of a server that asks for passwords: it listens on its own port, or not at all.

    Raises:
        OptionError: Passwords would cross a network in clear, and `insecure` doesn't allow that.
        ListenError: The host is unknown.
    """
    if not options.encrypted and not insecure:
        host = parse_host(options.host) if options.host else ""
        beyond = [address for address in list_addresses(host) if not is_loopback(address)]
        if beyond:
            raise OptionError(
                f"On {beyond[0]}, names, passwords and tokens would cross the network in clear: add --tls, or listen "
                f"on 127.0.0.1. --insecure sends them in clear all the same."
            )
    return dataclasses.replace(options, strict_port=True)


def find_stores(
    options: ServerStoreOptions, *, cluster: "EngineAccess | None" = None
) -> tuple[AccountStores | None, list[StoreUnsafe]]:
    """Return the stores in an engine, None for those of the data directory; and warnings of the engine's settings.

    Args:
        options: The options that name the engine.
        cluster: The way to the engine of the chat, which was checked; the accounts are there unless --store names one.

    Raises:
        SockctlError: As for `ServerStoreOptions.find_engine`.
        EngineUnfitError: The accounts can't be kept in the engine.
        LibraryMissingError: redis-py isn't installed.
        EngineError: The engine can't be asked.
    """
    access = options.find_engine(cluster=cluster)
    if access is None:
        return None, []
    warnings = [] if access is cluster else check_store(access)
    return open_stores(access), warnings


def make_login(
    options: ServerOptions, *, signup: bool, min_length: int, stores: AccountStores | None = None
) -> LoginConversation:
    """Return the login of a server.

    Args:
        options: The options of the server.
        signup: Whether an unknown client may become a user.
        min_length: Code points that a new password must have.
        stores: Where the accounts are kept; None for the data directory.

    Raises:
        StoreError: The accounts can't be used.
        HashFailedError: There is not enough memory to hash a password.
    """
    return LoginConversation(
        stores or find_data_dir(options.data_dir),
        signup=signup,
        min_length=min_length,
        ipv6_prefix=options.ipv6_prefix,
    )
