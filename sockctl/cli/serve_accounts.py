"""Prepares servers that ask for passwords: no eavesdropper, and no other program on the port, may get one."""

import dataclasses

from sockctl.accounts.accounts import AccountStores
from sockctl.cli.server_options import ServerOptions
from sockctl.errors import OptionError
from sockctl.net.address import is_loopback, parse_host
from sockctl.net.listener import list_addresses
from sockctl.paths import find_data_dir
from sockctl.services.login import LoginConversation


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
