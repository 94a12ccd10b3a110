"""``sockctl proxy``: stands between a client and a server, and tells what passes."""

import dataclasses
import functools
from typing import TYPE_CHECKING, Annotated

import typer

from sockctl.cli.commands import declare_command
from sockctl.cli.completion import complete_targets
from sockctl.cli.options import with_option_group
from sockctl.cli.proxy_options import ProxyOptions
from sockctl.cli.server_options import LogFormat, ServerOptions, with_server_options
from sockctl.errors import InputNeededError, OptionError

if TYPE_CHECKING:
    from sockctl.events.base import Event
    from sockctl.net.address import Endpoint, Target
    from sockctl.proxy.settings import ProxySettings, Secure

app = declare_command()


@app.command(
    epilog="Examples:\n  sockctl proxy 8080 localhost:80\n  sockctl proxy 5433 localhost:5432 --hex\n"
    "  sockctl proxy 8080 tls://example.com:443 --verify-system\n"
    "  sockctl proxy unix:/tmp/look.sock unix:/var/run/docker.sock\n"
    "  sockctl proxy 9091 sockctl://localhost:9090 --delay 100ms --rate 64K"
)
@with_server_options
@functools.partial(with_option_group, name="own", group=ProxyOptions)
def proxy(
    places: Annotated[
        list[str],
        typer.Argument(
            metavar="[LISTEN] TARGET",
            help="LISTEN: PORT, HOST:PORT or unix:PATH. TARGET: HOST:PORT or unix:PATH, with tls:// in front for TLS, "
            "sockctl:// for messages, sockctls:// for both.",
            show_default=False,
            autocompletion=complete_targets,
        ),
    ],
    *,
    own: ProxyOptions,
    server: ServerOptions,
) -> None:
    """Stand between a client and a server, and see what passes.

    Clients connect to LISTEN, and the proxy connects to TARGET for each. It shows what passes: the direction, the time
    since the last bytes, and what it recognises: HTTP, TLS and the server's name in it, WebSocket, messages of sockctl,
    text. While much passes, it shows sums, once a second.

    The proxy changes no byte. It passes on each half-close and each reset. A slow side slows the other one down. A
    client whose target can't be reached gets a reset. A Unix socket has no resets: there the client gets an end.

    --tls encrypts towards clients, tls:// towards the target. The options about certificates are then as in 'sockctl
    connect': --fingerprint, --accept-new, --ca, --verify-system, --cert and --key are about the target.

    --delay, --rate and --drop-after make a bad network, to see how programs bear it.
    """
    from sockctl.cli.serve_runner import serve
    from sockctl.net.address import parse_target
    from sockctl.proxy.service import Proxy

    *listen, text = places
    if len(listen) > 1:
        raise OptionError(f"{len(places)} places are given: write sockctl proxy [LISTEN] TARGET, as 8080 localhost:80.")
    if own.hex_dump and own.sums:
        raise OptionError("--hex and --sums exclude each other: leave one out.")
    target = parse_target(text)
    if target.host is None or target.port is None:
        raise InputNeededError(f"The target {text!r} has no port: write HOST:PORT, such as localhost:80.")
    if listen:
        server = _choose_place(server, listen[0])
    settings = _make_settings(own, target, is_json=server.log_format is LogFormat.JSON)
    raise typer.Exit(serve(Proxy(settings), server, warnings=_list_warnings(settings)))


def _choose_place(server: ServerOptions, text: str) -> ServerOptions:
    """Return the options of the server with the place that LISTEN names."""
    from sockctl.net.address import UNIX, parse_host, parse_port, parse_unix, split_port
    from sockctl.text import is_whole_number

    if server.port is not None or server.unix is not None:
        raise OptionError(f"LISTEN is given as {text!r}, and --port or --unix as well: leave one out.")
    if text.startswith(UNIX) and not is_whole_number(text.removeprefix(UNIX)):
        return dataclasses.replace(server, unix=parse_unix(text.removeprefix(UNIX)))
    if is_whole_number(text):
        return dataclasses.replace(server, port=parse_port(text, any_free=True))
    host, port = split_port(text)
    if port is None:
        raise OptionError(f"LISTEN is {text!r}, without a port: write PORT, HOST:PORT or unix:PATH.")
    return dataclasses.replace(server, host=parse_host(host) if host else "", port=parse_port(port, any_free=True))


def _make_settings(own: ProxyOptions, target: "Target", *, is_json: bool) -> "ProxySettings":
    from sockctl.net.address import Endpoint
    from sockctl.proxy.settings import Impairments, ProxySettings

    assert target.host is not None  # noqa: S101  as the caller has checked
    endpoint = Endpoint(target.host, target.port or 0)
    return ProxySettings(
        target=endpoint,
        shown_target=str(endpoint) if target.scheme is None else f"{target.scheme}://{endpoint}",
        messages=target.scheme in {"sockctl", "sockctls"},
        secure=_make_secure(own, endpoint, wanted=target.scheme in {"tls", "sockctls"}),
        connect_s=own.connect_timeout,
        sums=own.sums,
        hex_dump=own.hex_dump,
        is_json=is_json,
        dump=own.dump,
        impairments=Impairments(delay_s=own.delay or 0.0, bytes_per_s=own.rate, drop_after=own.drop_after),
    )


def _make_secure(own: ProxyOptions, endpoint: "Endpoint", *, wanted: bool) -> "Secure | None":
    """Return the function that makes TLS of a connection to the target; None without TLS."""
    policy = own.trust.make_policy(wanted=wanted, state_dir=own.state_dir, may_ask=False)
    if policy is None:
        return None
    from sockctl.client.trust import Trust

    return Trust(endpoint, policy, lambda _: None).secure


def _list_warnings(settings: "ProxySettings") -> "list[Event]":
    """Return the event that says that this is a bad network, if it is one."""
    from sockctl.events.proxy import BadNetwork

    faults = settings.impairments
    if not faults.hold and faults.drop_after is None:
        return []
    return [BadNetwork(delay_s=faults.delay_s or None, bytes_per_s=faults.bytes_per_s, drop_after=faults.drop_after)]
