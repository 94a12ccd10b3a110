"""The options of ``sockctl listen``: those of the servers and of ``connect`` that it shares, and its own."""

from dataclasses import dataclass, fields
from typing import Annotated, Any

import typer

from sockctl.cli import options, server_options
from sockctl.cli.server_options import ServerOptions
from sockctl.cli.session_options import EXCLUSIVE, ContentOptions, IdleTimeout, ScriptOptions, refuse_contradictions

WHO = "Who may connect"


@dataclass(kw_only=True, eq=False, repr=False)
class PlaceOptions:
    """Where to listen, and how to encrypt: as a server."""

    strict_port: Annotated[
        bool,
        typer.Option(
            "--strict-port",
            help="Fail (exit 1) without PORT, too, if the port is taken, instead of taking the next free one.",
            rich_help_panel="Listening",
        ),
    ] = False
    unix: server_options.UnixPlace = None
    unix_mode: server_options.UnixMode = None
    allow: server_options.Allow = None
    deny: server_options.Deny = None
    tls: server_options.Tls = False
    tls_cert: server_options.TlsCert = None
    tls_key: server_options.TlsKey = None
    tls_client_ca: server_options.TlsClientCa = None
    data_dir: options.DataDir = None

    def make_server_options(self, *, host: str, port: int | None, no_input: bool) -> ServerOptions:
        """Return them as the options of a server."""
        own: dict[str, Any] = {field.name: getattr(self, field.name) for field in fields(self)}
        return ServerOptions(host=host, port=port, no_input=no_input, **own)


@dataclass(kw_only=True, eq=False, repr=False)
class ClientOptions:
    """Which clients there are, and how long they may take."""

    keep_open: Annotated[
        bool,
        typer.Option(
            "--keep-open",
            "-k",
            help="Take the next client when one has gone, until Ctrl-C. A client that fails doesn't end it.",
            rich_help_panel=WHO,
        ),
    ] = False
    many: Annotated[
        bool,
        typer.Option(
            "--many",
            help="Take clients at once, up to 400, until Ctrl-C. All get the input, as fast as the slowest takes it. "
            "The client's number stands before each of its lines: #2 hello.",
            rich_help_panel=WHO,
        ),
    ] = False
    timeout: Annotated[
        float | None,
        options.declare_time(
            "Wait so long for the first client (exit 5). A script has as long for each one. [default: any time for a "
            "client, 10 for a script]",
            *("--timeout", "-w"),
            at_least=0.001,
            panel=WHO,
        ),
    ] = None
    idle_timeout: IdleTimeout = None


@dataclass(kw_only=True, eq=False, repr=False)
class ListenOptions:
    """All of them."""

    clients: ClientOptions
    place: PlaceOptions
    content: ContentOptions
    script: ScriptOptions

    def refuse_contradictions(self) -> None:
        """Refuse options that make no sense together.

        Raises:
            OptionError: There are such.
        """
        refuse_contradictions((self.clients, self.place, self.content, self.script), _EXCLUSIVE)


_EXCLUSIVE: dict[str, tuple[str, ...]] = {**EXCLUSIVE, "--keep-open": ("--many",), "--many": ("--output",)}
