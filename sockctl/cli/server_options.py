"""The options that all servers share, as one group; the module is long as each option stands here with its help."""

import dataclasses
import enum
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import typer

from sockctl.cli.options import DataDir, ExplainOption, NoInput, Seconds, declare_time, with_option_group
from sockctl.cli.session_options import refuse_contradictions
from sockctl.errors import AddressError
from sockctl.text import is_whole_number


class LogFormat(enum.StrEnum):
    """The form of events."""

    TEXT = "text"
    JSON = "json"


def parse_unix_place(value: str) -> str:
    """Return the Unix socket to listen on that a value of ``--unix`` names, as the place of a host.

    Raises:
        typer.BadParameter: It names none.
    """
    from sockctl.net.address import UNIX, parse_unix

    try:
        return parse_unix(value.removeprefix(UNIX))
    except AddressError as error:
        raise typer.BadParameter(str(error)) from error


def parse_mode(value: str | int) -> int:
    """Return the mode of a file that a value of ``--unix-mode`` names in octal digits.

    Raises:
        typer.BadParameter: It names none.
    """
    text = str(value)
    if not is_whole_number(text) or set(text) & set("89") or int(text, 8) > 0o777:  # noqa: PLR2004
        raise typer.BadParameter(f"{text!r} is no mode: write octal digits, such as 0600, or 0660 for a group.")
    return int(text, 8)


def parse_listening_port(value: str | int) -> int:
    """Return the port to listen on that a value of ``--port`` names.

    Raises:
        typer.BadParameter: It names none.
    """
    from sockctl.net.address import parse_port

    try:
        return parse_port(str(value), any_free=True)
    except AddressError as error:
        raise typer.BadParameter(str(error)) from error


StrictPort = Annotated[
    bool,
    typer.Option(
        "--strict-port",
        help="Fail (exit 1) if the port is taken, instead of taking the next free one.",
        rich_help_panel="Listening",
    ),
]
UnixPlace = Annotated[
    str | None,
    typer.Option(
        help="Listen on this Unix socket, or on @NAME (Linux); with a port, there as well.",
        parser=parse_unix_place,
        metavar="PATH",
        show_default=False,
        rich_help_panel="Listening",
    ),
]
UnixMode = Annotated[
    int | None,
    typer.Option(
        help="Which users may connect: the mode of --unix's file. [default: 0600, its owner alone]",
        parser=parse_mode,
        metavar="MODE",
        show_default=False,
        rich_help_panel="Listening",
    ),
]
Allow = Annotated[
    list[str] | None,
    typer.Option(
        help="Let in this address, network (CIDR) or user (uid:1000); repeatable. Wins over --deny; alone, it "
        "denies everyone else.",
        metavar="RULE",
        rich_help_panel="Who may connect",
    ),
]
Deny = Annotated[
    list[str] | None,
    typer.Option(
        help="Refuse this address, network (CIDR) or user (uid:1000); repeatable.",
        metavar="RULE",
        rich_help_panel="Who may connect",
    ),
]
Tls = Annotated[
    bool,
    typer.Option(
        "--tls",
        help="Encrypt connections; makes and keeps a certificate of its own in the data directory.",
        rich_help_panel="Encryption",
    ),
]
TlsCert = Annotated[
    Path | None,
    typer.Option(
        help="Encrypt with this certificate (PEM); needs --tls-key.", metavar="FILE", rich_help_panel="Encryption"
    ),
]
TlsKey = Annotated[
    Path | None,
    typer.Option(
        help="The certificate's key (PEM), which others may not read.", metavar="FILE", rich_help_panel="Encryption"
    ),
]
TlsClientCa = Annotated[
    Path | None,
    typer.Option(
        help="Let in clients only that show a certificate of these authorities (PEM).",
        metavar="FILE",
        rich_help_panel="Encryption",
    ),
]


@dataclasses.dataclass(kw_only=True, eq=False, repr=False)  # frozen, with slots: 2 ms more for each command's start
class ServerOptions:
    """The options of every server, by the names that users write."""

    host: Annotated[
        str,
        typer.Option(
            help="Name or address to listen on; 127.0.0.1 takes ::1 as well, '::' IPv6 and IPv4, '' every interface.",
            metavar="HOST",
            rich_help_panel="Listening",
        ),
    ] = "127.0.0.1"
    port: Annotated[
        int | None,
        typer.Option(
            help="Port to listen on, 0 for any free one; asked for on a terminal, else 9090.",
            parser=parse_listening_port,
            metavar="PORT",
            show_default=False,
            rich_help_panel="Listening",
        ),
    ] = None
    strict_port: StrictPort = False
    unix: UnixPlace = None
    unix_mode: UnixMode = None
    backlog: Annotated[
        int | None,
        typer.Option(
            help="Connections that may wait until the server accepts them; the kernel may allow fewer. [default: 4096]",
            min=0,
            max=1_000_000,
            metavar="N",
            show_default=False,
            rich_help_panel="Listening",
        ),
    ] = None
    max_clients: Annotated[
        int, typer.Option(help="Clients at once.", min=1, max=1_000_000, metavar="N", rich_help_panel="Who may connect")
    ] = 512
    max_clients_per_address: Annotated[
        int,
        typer.Option(
            help="Clients at once from one address.",
            min=1,
            max=1_000_000,
            metavar="N",
            rich_help_panel="Who may connect",
        ),
    ] = 32
    max_pending: Annotated[
        int | None,
        typer.Option(
            help="Clients at once that have not logged in yet. [default: a quarter of --max-clients]",
            min=1,
            max=1_000_000,
            metavar="N",
            show_default=False,
            rich_help_panel="Who may connect",
        ),
    ] = None
    ipv6_prefix: Annotated[
        int,
        typer.Option(
            help="Bits of an IPv6 address that count as one address.",
            min=1,
            max=128,
            metavar="BITS",
            rich_help_panel="Who may connect",
        ),
    ] = 64
    allow: Allow = None
    deny: Deny = None
    tls: Tls = False
    tls_cert: TlsCert = None
    tls_key: TlsKey = None
    tls_client_ca: TlsClientCa = None
    data_dir: DataDir = None
    idle_timeout: Annotated[
        float | None,
        declare_time(
            "Close a connection that moved nothing for so long. [default: never]",
            at_least=0.01,
            panel="Who may connect",
        ),
    ] = None
    drain_timeout: Annotated[
        float, declare_time("At the stop, give clients so long to take what is queued.", at_least=0, panel="Running")
    ] = Seconds(5)
    event_threads: Annotated[
        int | None,
        typer.Option(
            help="Threads that watch the connections. [default: 1, or one a core where Python has no GIL]",
            min=1,
            max=256,
            metavar="N",
            show_default=False,
            rich_help_panel="Running",
        ),
    ] = None
    log_file: Annotated[
        Path | None,
        typer.Option(
            help="Write events to this file instead of standard error; it may be rotated.",
            metavar="PATH",
            rich_help_panel="Events",
        ),
    ] = None
    log_format: Annotated[
        LogFormat, typer.Option("--log-format", help="How events are written.", rich_help_panel="Events")
    ] = LogFormat.TEXT
    explain: ExplainOption = None
    quiet: Annotated[
        bool,
        typer.Option(
            "--quiet", "-q", help="Tell only refusals, failures and where it listens.", rich_help_panel="Events"
        ),
    ] = False
    verbose: Annotated[
        bool,
        typer.Option(
            "--verbose",
            "-v",
            help="Tell half-closes and flow control, too.",
            show_default=False,
            rich_help_panel="Events",
        ),
    ] = False
    control: Annotated[
        Path | None,
        typer.Option(
            help="Socket for 'sockctl watch'. [default: a private folder, such as /run/user/1000/sockctl]",
            metavar="PATH",
            show_default=False,
            rich_help_panel="Running",
        ),
    ] = None
    no_control: Annotated[
        bool,
        typer.Option("--no-control", help="Make no socket for 'sockctl watch'.", rich_help_panel="Running"),
    ] = False
    metrics: Annotated[
        int | None,
        typer.Option(
            help="Give sums to Prometheus on this port of 127.0.0.1, 0 for any free one.",
            parser=parse_listening_port,
            metavar="PORT",
            show_default=False,
            rich_help_panel="Running",
        ),
    ] = None
    no_input: NoInput = False

    @property
    def encrypted(self) -> bool:
        """Whether connections are encrypted."""
        return self.tls or self.tls_cert is not None or self.tls_key is not None

    def refuse_contradictions(self) -> None:
        """Refuse options that make no sense together.

        Raises:
            OptionError: There are such.
        """
        refuse_contradictions((self,), _EXCLUSIVE)


_EXCLUSIVE: dict[str, tuple[str, ...]] = {"-q": ("-v",), "--control": ("--no-control",)}
"""Options, and those that none of them goes together with."""


def with_server_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of every server; its parameter `server` receives them as one value."""
    return with_option_group(command, "server", ServerOptions, variables="SOCKCTL")
