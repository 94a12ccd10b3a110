"""``sockctl hosts …``: the servers whose certificates the client trusts."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sockctl.cli import options
from sockctl.cli.changes import IfMissing, RemovalOptions, print_changes, tolerate, with_removal_options
from sockctl.cli.commands import declare_group
from sockctl.cli.completion import complete_hosts
from sockctl.cli.tables import print_list
from sockctl.errors import AddressError, OptionError, UnknownHostError

if TYPE_CHECKING:
    from sockctl.client.known_hosts import KnownHost, KnownHosts
    from sockctl.net.address import Endpoint

app = declare_group("See and change which servers' certificates 'connect' trusts.", "Example:\n  sockctl hosts list")

Server = Annotated[
    str, typer.Argument(metavar="HOST[:PORT]", help="The server.", show_default=False, autocompletion=complete_hosts)
]


@app.command(name="list", epilog="Example:\n  sockctl hosts list --json")
def list_hosts(*, json: options.Json = False, state_dir: options.StateDir = None) -> None:
    """List the trusted servers. Columns: host and port, since when (UTC), and the certificate's SHA-256."""
    hosts = [host.as_fields for host in _open_hosts(state_dir).list_all()]
    titles = ("HOST:PORT", "FIRST SEEN", "SHA256")
    rows = ((host["address"], host["first_seen"], host["fingerprint"]) for host in hosts)
    empty = "No server's certificate is trusted yet: 'sockctl connect tls://HOST:PORT' asks."
    print_list(hosts, titles, rows, empty=empty, json=json)


@app.command(epilog="Example:\n  sockctl hosts add server.example:9090 SHA256:…")
@app.command(name="trust", hidden=True)
def add(
    server: Server,
    words: Annotated[
        list[str],
        typer.Argument(
            metavar="[PORT] SHA256",
            help="The certificate's SHA-256 as the server tells it: 64 hex digits, colons or none.",
            show_default=False,
        ),
    ],
    *,
    if_missing: IfMissing = False,
    json: options.Json = False,
    state_dir: options.StateDir = None,
) -> None:
    """Trust a server with this certificate, and with no other one."""
    from sockctl.client.known_hosts import make_host_key
    from sockctl.net.fingerprints import parse_fingerprint

    *ports, digits = words
    if len(ports) > 1:
        raise OptionError("Too many words: write sockctl hosts add HOST PORT SHA256.")
    hosts, fingerprint = _open_hosts(state_dir), parse_fingerprint(digits)
    host, port = parse_server(server, ports[0] if ports else None)
    key = make_host_key(host, port)
    known = _find(hosts, key)
    if known is not None and known.fingerprint == fingerprint:
        print_changes([], f"{key} was trusted with that certificate already.", json=json)
    elif known is not None and if_missing:
        print_changes([], f"{key} is trusted with another certificate. Nothing has changed.", json=json)
    else:
        hosts.trust(host, port, fingerprint)
        changed = [] if (now := _find(hosts, key)) is None else [now.as_fields]
        print_changes(changed, f"{key} is trusted with that certificate, and with no other one.", json=json)


@app.command(epilog="Example:\n  sockctl hosts remove server.example:9090")
@app.command(name="forget", hidden=True)
@with_removal_options
def remove(
    server: Server,
    port: options.TargetPort = None,
    *,
    removal: RemovalOptions,
    state_dir: options.StateDir = None,
) -> None:
    """Forget a server's certificate. The next connection meets it as a new one."""
    from sockctl.client.known_hosts import make_host_key

    hosts, (host, number) = _open_hosts(state_dir), parse_server(server, port)
    key = make_host_key(host, number)
    with tolerate(UnknownHostError, f"No certificate of {key} is kept.", wanted=removal.if_exists, json=removal.json):
        known = _find(hosts, key)
        if known is not None:
            removal.confirm(f"Forget the certificate of {key}?", refusal=f"{key} is still trusted.")
        hosts.forget(host, number)
        changed = [] if known is None else [known.as_fields]
        print_changes(changed, f"The certificate of {key} is forgotten.", json=removal.json)


def parse_server(server: str, port: str | None = None) -> tuple[str, int]:
    """Return the two parts of ``HOST:PORT``, or of ``HOST`` and a port beside it.

    Raises:
        AddressError: One is missing, can't be understood, or there are several servers.
    """
    one, *others = parse_servers(server, port)
    if others:
        raise AddressError(f"{server!r} names several servers, and each has a certificate of its own: name one.")
    return one.host, one.port


def parse_servers(servers: str, port: str | None = None) -> "list[Endpoint]":
    """Return the servers of ``HOST:PORT``, of ``HOST`` and a port beside it, or of several with commas between them.

    Raises:
        AddressError: A part is missing, or can't be understood.
    """
    from sockctl.net.address import Endpoint, parse_targets

    endpoints = []
    for each in parse_targets(servers, port):
        if each.host is None or each.port is None:
            raise AddressError(f"{servers!r} is not complete: write HOST:PORT, such as server.example:9090.")
        endpoints.append(Endpoint(each.host, each.port))
    return endpoints


def _open_hosts(state_dir: Path | None) -> "KnownHosts":
    from sockctl.client.known_hosts import KnownHosts
    from sockctl.paths import find_state_dir

    return KnownHosts(find_state_dir(state_dir))


def _find(hosts: "KnownHosts", key: str) -> "KnownHost | None":
    return next((host for host in hosts.list_all() if host.address == key), None)
