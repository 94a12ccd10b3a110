"""``sockctl logout``: ends the logins that ``connect`` has kept."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sockctl.cli import options
from sockctl.cli.changes import IfExists, print_changes, tolerate
from sockctl.cli.commands import declare_command
from sockctl.cli.completion import complete_logins
from sockctl.cli.exit_codes import ExitCode, find_exit_code
from sockctl.cli.hosts import parse_servers
from sockctl.cli.tables import print_sentences
from sockctl.cli.tls_options import ClientCertificate, ClientKey, refuse_lone_key
from sockctl.errors import (
    InsecureError,
    NotLoggedInError,
    NotToldError,
    SockctlError,
    UnreachableError,
    UntrustedError,
)
from sockctl.terminal import say_error
from sockctl.text import make_visible

if TYPE_CHECKING:
    from sockctl.client.token_store import KeptToken
    from sockctl.net.address import Endpoint
    from sockctl.net.connector import Secure

app = declare_command()


@app.command(epilog="Examples:\n  sockctl logout server.example:9090\n  sockctl logout a.example:9090,b.example:9090")
def logout(
    server: Annotated[
        str,
        typer.Argument(
            metavar="HOST[:PORT][,…]",
            help="The server, or all servers with which the login was made.",
            show_default=False,
            autocompletion=complete_logins,
        ),
    ],
    port: options.TargetPort = None,
    *,
    timeout: Annotated[
        float,
        options.declare_time("Connect within so long, and wait so long for the server's goodbye.", at_least=0.001),
    ] = options.Seconds(10),
    user: options.User = None,
    insecure: Annotated[
        bool, typer.Option("--insecure", help="Send the token in clear, also over the network without TLS.")
    ] = False,
    cert: ClientCertificate = None,
    key: ClientKey = None,
    if_exists: IfExists = False,
    json: options.Json = False,
    state_dir: options.StateDir = None,
) -> None:
    """Log out of a server: the logins that 'connect' has kept end there, and are forgotten here.

    --user ends only that user's. A login of several servers ends at the first of them that can be told.

    A login is forgotten here even where the server can't be told. Standard error then says why, and the exit code is
    that of the reason.

    Exit codes: 0 done, 1 no login is kept or a file can't be used, 2 usage, 3 unreachable or refused, 4 the server
    refused the token or is not to be trusted with it, 5 timed out, 7 reset or protocol broken by the server, 130
    interrupted.
    """
    from sockctl.paths import find_state_dir

    servers = parse_servers(server, port)
    refuse_lone_key(cert, key)
    place = find_state_dir(state_dir)
    whose = "" if user is None else f"{make_visible(user)} at "
    nothing = f"No login of {whose}{','.join(map(str, servers))} is kept"
    with tolerate(NotLoggedInError, f"{nothing}.", wanted=if_exists, json=json):
        kept = _find_kept(servers, place, user, timeout)
        if not kept:
            raise NotLoggedInError(f"{nothing}: there is nothing to end.")
        ends = []
        for end in _end_all(kept, place, cert, key, timeout_s=timeout, insecure=insecure):
            ends.append(end)
            end.report(json=json)
        if json:
            print_changes([end.as_fields for end in ends], json=True)
        raise typer.Exit(next((end.code for end in ends if end.code), ExitCode.DONE))


@dataclass(frozen=True, slots=True)
class _End:
    """The end of one login.

    Attributes:
        kept: The login, which this machine has forgotten.
        failure: Why the login has not ended at the server; None if it has, or had expired.
    """

    kept: "KeptToken"
    failure: SockctlError | None

    @property
    def as_fields(self) -> dict[str, Any]:
        """The login as JSON, and whether it has ended at the server, too."""
        why = None if self.failure is None else str(self.failure)
        return {**self.kept.as_fields, "ended": self.failure is None, "error": why}

    @property
    def code(self) -> ExitCode:
        """The exit code that the end leads to."""
        return ExitCode.DONE if self.failure is None else find_exit_code(self.failure)

    def report(self, *, json: bool) -> None:
        """Print that the login has ended, unless JSON will say so; report a failure on standard error."""
        login, user = self.kept.login, self.kept.user
        where = f"{login.address} ({login.service}, as {user})" if user else f"{login.address} ({login.service})"
        if self.failure is not None:
            say_error(f"The login at {where} is forgotten, but the server was not told: {self.failure}")
        elif not json:
            print_sentences(f"You are logged out of {where}.")


def _end_all(
    all_kept: "list[tuple[list[Endpoint], KeptToken]]",
    state_dir: Path,
    certificate: Path | None,
    key: Path | None,
    *,
    timeout_s: float,
    insecure: bool,
) -> Iterator[_End]:
    """End the saved logins at their server, and forget them here; yield each end.

    Raises:
        StoreError: A file can't be read or written.
        CertificateError: The client's certificate can't be used.
    """
    from sockctl.client.token_store import TokenStore
    from sockctl.stores.timestamps import read_utc_clock

    tokens = TokenStore(state_dir)
    # Load the files of TLS before forgetting any login.
    ways = [
        [(each, _pin_certificate(each, kept, state_dir, certificate, key)) for each in servers]
        for servers, kept in all_kept
    ]
    for (_, kept), servers in zip(all_kept, ways, strict=True):
        failure = None
        if kept.expires > read_utc_clock():
            failure = _tell_one(servers, kept, timeout_s=timeout_s, insecure=insecure)
        tokens.forget(kept.login, token=kept.token)
        yield _End(kept, failure)


def _find_kept(
    servers: "list[Endpoint]", state_dir: Path, user: str | None, timeout_s: float
) -> "list[tuple[list[Endpoint], KeptToken]]":
    """Return the kept logins of a server, of several of one chat, or of one user there, and the places of each."""
    from sockctl.client.token_store import TokenStore

    tokens = TokenStore(state_dir)
    places = [servers] if len(servers) > 1 else [[each] for each in _find_places(servers[0], timeout_s)]
    return [
        (place, kept) for place in places for kept in tokens.list_servers(place) if user is None or kept.is_of(user)
    ]


def _find_places(endpoint: "Endpoint", timeout_s: float) -> "list[Endpoint]":
    """Return the places of a server's saved logins: its name, and for logins without TLS its addresses."""
    from sockctl.net.connector import find_addresses

    try:
        return list(dict.fromkeys([endpoint, *find_addresses(endpoint, timeout_s)]))
    except UnreachableError:  # the command can still forget a login under the name
        return [endpoint]


def _tell_one(
    servers: "list[tuple[Endpoint, Secure | None]]", kept: "KeptToken", *, timeout_s: float, insecure: bool
) -> SockctlError | None:
    """End a login at the first of its servers that can be told; return the error of the last one if none can."""
    failure = None
    for endpoint, secure in servers:
        failure = _tell_server(endpoint, kept, secure, timeout_s=timeout_s, insecure=insecure)
        if failure is None:
            return None
    return failure


def _tell_server(
    endpoint: "Endpoint", kept: "KeptToken", secure: "Secure | None", *, timeout_s: float, insecure: bool
) -> SockctlError | None:
    """End a login at its server; return the error if that fails, else None."""
    from sockctl.client.logout import log_out
    from sockctl.client.plaintext_guard import is_in_clear
    from sockctl.net.address import is_address, is_unix
    from sockctl.net.connector import connect

    is_fixed = is_address(endpoint.host) or is_unix(endpoint.host)
    if not kept.login.fingerprint and not is_fixed and "," not in kept.login.address:
        return NotToldError(
            "An older sockctl kept it without saying at which address: its token is shown nowhere in clear."
        )
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


def _pin_certificate(
    endpoint: "Endpoint", kept: "KeptToken", state_dir: Path, certificate: Path | None, key: Path | None
) -> "Secure | None":
    """Return the function that encrypts a connection to the server of the login's certificate; None without TLS.

    Of several servers, each may have a certificate of its own: there it is the one that the client has met.
    """
    if not kept.login.fingerprint:
        return None
    from sockctl.client.known_hosts import KnownHosts
    from sockctl.client.trust import TlsPolicy, Trust

    known = KnownHosts(state_dir).find(endpoint.host, endpoint.port) if "," in kept.login.address else None
    policy = TlsPolicy(
        ca=None,
        system_authorities=False,
        fingerprint=known or kept.login.fingerprint,
        accept_new=False,
        certificate=certificate,
        key=key,
        state_dir=state_dir,
        may_ask=False,
    )
    return Trust(endpoint, policy, lambda _: None).secure
