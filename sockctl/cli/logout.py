"""``sockctl logout``: the end of logins that ``connect`` has kept."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sockctl.cli import options
from sockctl.cli.exit_codes import ExitCode, find_exit_code
from sockctl.cli.hosts import Server, parse_server
from sockctl.cli.tls_options import ClientCertificate, ClientKey, refuse_lone_key
from sockctl.errors import (
    InsecureError,
    NotLoggedInError,
    NotToldError,
    SockctlError,
    UnreachableError,
    UntrustedError,
)
from sockctl.terminal import say

if TYPE_CHECKING:
    from sockctl.client.token_store import KeptToken
    from sockctl.net.address import Endpoint
    from sockctl.net.connector import Secure

app = typer.Typer(add_completion=False, rich_markup_mode=None)


@app.command(epilog="Example: sockctl logout server.example:9090")
def logout(
    server: Server,
    *,
    timeout: Annotated[
        float, options.seconds("Connect within so long, and wait so long for the server's goodbye.", at_least=0.001)
    ] = options.Seconds(10),
    insecure: Annotated[
        bool, typer.Option("--insecure", help="Send the token in clear, also over the network without TLS.")
    ] = False,
    cert: ClientCertificate = None,
    key: ClientKey = None,
    state_dir: options.StateDir = None,
) -> None:
    """Log out of a server: the login that 'connect' has kept ends there, and is forgotten here.

    It is forgotten as well if the server can't be told; then a line says so and why, and the exit code is the reason's.

    Exit codes: 0 done, 1 no login is kept or a file can't be used, 2 usage, 3 unreachable or refused, 4 the server
    refused the token or is not to be trusted with it, 5 timed out, 7 reset or protocol broken by the server, 130
    interrupted.
    """
    from sockctl.client.token_store import TokenStore
    from sockctl.net.address import Endpoint
    from sockctl.paths import state_dir as place_of_state
    from sockctl.stores.timestamps import utc_now

    host, port = parse_server(server)
    endpoint = Endpoint(host, port)
    refuse_lone_key(cert, key)
    place = place_of_state(state_dir)
    tokens = TokenStore(place)
    all_kept = [(each, kept) for each in _places_of(endpoint, timeout) for kept in tokens.all_of(each.host, each.port)]
    if not all_kept:
        raise NotLoggedInError(f"No login of {endpoint} is kept: there is nothing to end.")
    ways = [_pinned(each, kept, place, cert, key) for each, kept in all_kept]  # before anything is forgotten
    codes = []
    for (each, kept), secure in zip(all_kept, ways, strict=True):
        failure = None
        if kept.expires > utc_now():
            failure = _tell_server(each, kept, secure, timeout_s=timeout, insecure=insecure)
        tokens.forget(kept.login, token=kept.token)
        codes.append(_report(kept, failure))
    raise typer.Exit(next((code for code in codes if code), ExitCode.DONE))


def _places_of(endpoint: "Endpoint", timeout_s: float) -> "list[Endpoint]":
    """Return where logins of a server are kept: under its name, and those without TLS under its addresses."""
    from sockctl.net.connector import addresses_of

    try:
        return list(dict.fromkeys([endpoint, *addresses_of(endpoint, timeout_s)]))
    except UnreachableError:  # a login that is kept under the name can be forgotten all the same
        return [endpoint]


def _tell_server(
    endpoint: "Endpoint", kept: "KeptToken", secure: "Secure | None", *, timeout_s: float, insecure: bool
) -> SockctlError | None:
    """End a login at its server; return why that couldn't be done, if so."""
    from sockctl.client.logout import log_out
    from sockctl.client.plaintext_guard import is_in_clear
    from sockctl.net.address import is_address
    from sockctl.net.connector import connect

    if not kept.login.fingerprint and not is_address(endpoint.host):
        return NotToldError("An older sockctl kept it without saying at which address: it is shown nowhere in clear.")
    try:
        with connect(endpoint, tell=lambda _: None, timeout_s=timeout_s, secure=secure) as sock:
            if not insecure and is_in_clear(sock):
                return InsecureError(
                    f"The token was not sent: the connection to {endpoint} is not encrypted (--insecure sends it)."
                )
            log_out(sock, kept, timeout_s=timeout_s)
    except UntrustedError:
        return UntrustedError(
            f"The certificate of {endpoint} is another one than at the login. Nothing was sent to it."
        )
    except SockctlError as error:
        return error
    return None


def _pinned(
    endpoint: "Endpoint", kept: "KeptToken", state_dir: Path, certificate: Path | None, key: Path | None
) -> "Secure | None":
    """Return the function that makes TLS of a connection, if the server has the certificate of the login.

    None where it had none.
    """
    if not kept.login.fingerprint:
        return None
    from sockctl.client.trust import TlsPolicy, Trust

    policy = TlsPolicy(
        ca=None,
        system_authorities=False,
        fingerprint=kept.login.fingerprint,
        accept_new=False,
        certificate=certificate,
        key=key,
        state_dir=state_dir,
        may_ask=False,
    )
    return Trust(endpoint, policy, lambda _: None).secure


def _report(kept: "KeptToken", failure: SockctlError | None) -> ExitCode:
    login = kept.login
    of_whom = f"{login.service}, as {kept.user}" if kept.user else login.service
    if failure is None:
        typer.echo(f"You are logged out of {login.address} ({of_whom}).")
        return ExitCode.DONE
    say(f"sockctl: The login at {login.address} ({of_whom}) is forgotten, but the server was not told: {failure}")
    return find_exit_code(failure)
