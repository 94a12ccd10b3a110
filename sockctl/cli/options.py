"""The options that several commands share, each declared once; those of all servers are one group."""

import copy
import dataclasses
import enum
import functools
import inspect
import math
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

from sockctl.durations import format_duration, parse_duration
from sockctl.events.explain import Explain

MAX_SECONDS = 31_536_000.0
"""A year: a longer time is a slip of the hand."""


class Seconds(float):
    """A time in seconds that stands as a default in a help, which shows it as people write it."""

    def __str__(self) -> str:
        return format_duration(self)


def seconds(help_text: str, *, at_least: float, panel: str | None = None) -> Any:
    """Declare an option that takes a time, such as 5, 5s, 500ms, 10m or 1h; from `at_least` seconds to a year.

    The help shows it in the group `panel`.
    """

    def parse(value: str | float) -> float:
        try:
            given = parse_duration(value) if isinstance(value, str) else value
        except ValueError as error:
            raise typer.BadParameter(str(error)) from error
        if not at_least <= given <= MAX_SECONDS:
            limits = f"{format_duration(at_least)} to {format_duration(MAX_SECONDS)}"
            raise typer.BadParameter(f"{value} is not in the range: give a time from {limits}.")
        return given

    return typer.Option(help=help_text, parser=parse, metavar="TIME", rich_help_panel=panel)


def refuse_nan(value: float | None) -> float | None:
    """Return `value`; refuse "nan", which lies in every range."""
    if value is not None and math.isnan(value):
        raise typer.BadParameter("nan is not a number.")
    return value


class LogFormat(enum.StrEnum):
    """How events are written."""

    TEXT = "text"
    JSON = "json"


ExplainOption = Annotated[
    Explain | None,
    typer.Option(
        "--explain",
        help="Explain events always, the first three of a kind, or never. [default: first on a terminal, else always]",
        show_default=False,
        rich_help_panel="Events",
    ),
]
NoInput = Annotated[
    bool,
    typer.Option(
        "--no-input",
        help="Never ask; take defaults or fail.",
        envvar="SOCKCTL_NO_INPUT",
        show_default=False,
    ),
]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.", show_default=False)]
TargetPort = Annotated[
    str | None, typer.Argument(metavar="[PORT]", help="The port, where it isn't in HOST:PORT.", show_default=False)
]
"""The argument behind a target: with it, ``HOST PORT`` does where ``HOST:PORT`` does."""


def join_target(target: str, port: str | None) -> str:
    """Return the target with the port that was given beside it.

    Raises:
        AddressError: The two can't be understood, or the port is given twice.
    """
    if port is None:
        return target
    from sockctl.net.address import format_address, parse_host, parse_target

    parsed = parse_target(target, port)
    scheme = f"{parsed.scheme}://" if parsed.scheme else ""
    return scheme + format_address(parsed.host or parse_host(""), parsed.port or 0)


DEFAULT_MIN_LENGTH = 12
MinLength = Annotated[
    int,
    typer.Option(
        help="Characters that a new password must have.", min=8, max=256, metavar="N", rich_help_panel="Accounts"
    ),
]
DataDir = Annotated[
    Path | None,
    typer.Option(
        help="Folder for what is kept. [default: SOCKCTL_DATA_DIR, else ~/.local/share/sockctl]",
        envvar="SOCKCTL_DATA_DIR",
        metavar="PATH",
        show_default=False,
    ),
]
StateDir = Annotated[
    Path | None,
    typer.Option(
        help="Folder for trusted servers and logins. [default: SOCKCTL_STATE_DIR, else ~/.local/state/sockctl]",
        envvar="SOCKCTL_STATE_DIR",
        metavar="PATH",
        show_default=False,
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
        str | None,
        typer.Option(
            help="Port to listen on, 0 for any free one; asked for on a terminal, else 9090.",
            metavar="PORT",
            show_default=False,
            rich_help_panel="Listening",
        ),
    ] = None
    strict_port: Annotated[
        bool,
        typer.Option(
            "--strict-port",
            help="Fail (exit 1) if the port is taken, instead of taking the next free one.",
            rich_help_panel="Listening",
        ),
    ] = False
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
    allow: Annotated[
        list[str] | None,
        typer.Option(
            help="Let in this address or network (CIDR); repeatable. Wins over --deny; alone, it denies everyone else.",
            metavar="CIDR",
            rich_help_panel="Who may connect",
        ),
    ] = None
    deny: Annotated[
        list[str] | None,
        typer.Option(
            help="Refuse this address or network (CIDR); repeatable.", metavar="CIDR", rich_help_panel="Who may connect"
        ),
    ] = None
    tls: Annotated[
        bool,
        typer.Option(
            "--tls",
            help="Encrypt connections; makes and keeps a certificate of its own in the data directory.",
            rich_help_panel="Encryption",
        ),
    ] = False
    tls_cert: Annotated[
        Path | None,
        typer.Option(
            help="Encrypt with this certificate (PEM); needs --tls-key.", metavar="FILE", rich_help_panel="Encryption"
        ),
    ] = None
    tls_key: Annotated[
        Path | None,
        typer.Option(
            help="The certificate's key (PEM), which others may not read.", metavar="FILE", rich_help_panel="Encryption"
        ),
    ] = None
    tls_client_ca: Annotated[
        Path | None,
        typer.Option(
            help="Let in clients only that show a certificate of these authorities (PEM).",
            metavar="FILE",
            rich_help_panel="Encryption",
        ),
    ] = None
    data_dir: DataDir = None
    idle_timeout: Annotated[
        float | None,
        seconds(
            "Close a connection that moved nothing for so long. [default: never]",
            at_least=0.01,
            panel="Who may connect",
        ),
    ] = None
    drain_timeout: Annotated[
        float, seconds("At the stop, give clients so long to take what is queued.", at_least=0, panel="Running")
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
    no_input: NoInput = False

    @property
    def encrypted(self) -> bool:
        """Whether connections are encrypted."""
        return self.tls or self.tls_cert is not None or self.tls_key is not None


def with_server_options(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options of every server; its parameter `server` receives them as one value."""
    return with_option_group(command, "server", ServerOptions, variables="SOCKCTL")


def with_option_group(
    command: Callable[..., None], name: str, group: type[Any], *, variables: str = ""
) -> Callable[..., None]:
    """Give a command options that several share.

    Args:
        command: The command.
        name: Its parameter that receives them as one value; they stand in its place.
        group: A dataclass, whose fields declare them. A field may be such a group itself.
        variables: How the environment variables begin that set them for all commands of the group; without it, each
            command has its own variables.
    """
    parameters: list[inspect.Parameter] = []
    for own in inspect.signature(command).parameters.values():
        if own.name != name:
            parameters.append(own)
        elif variables:
            parameters += [_with_variable(each, f"{variables}_{each.name}".upper()) for each in _parameters_of(group)]
        else:
            parameters += _parameters_of(group)

    @functools.wraps(command)
    def with_options(**values: Any) -> None:
        value = _group_of(group, values)
        command(**values, **{name: value})

    as_typer_sees_it: Any = with_options
    as_typer_sees_it.__signature__ = inspect.Signature(parameters)
    as_typer_sees_it.__annotations__ = {each.name: each.annotation for each in parameters}
    return with_options


def _parameters_of(group: type[Any]) -> list[inspect.Parameter]:
    kind = inspect.Parameter.KEYWORD_ONLY
    parameters: list[inspect.Parameter] = []
    for each in dataclasses.fields(group):
        if inner := _as_group(each):
            parameters += _parameters_of(inner)
        else:
            parameters.append(inspect.Parameter(each.name, kind, default=each.default, annotation=each.type))
    return parameters


def _with_variable(parameter: inspect.Parameter, variable: str) -> inspect.Parameter:
    kind, declared = parameter.annotation.__origin__, copy.copy(parameter.annotation.__metadata__[0])
    declared.envvar = declared.envvar or variable
    return parameter.replace(annotation=Annotated[kind, declared])


def _group_of(group: type[Any], values: dict[str, Any]) -> Any:
    """Return a group of options; their values are removed from `values`."""
    given: dict[str, Any] = {}
    for each in dataclasses.fields(group):
        inner = _as_group(each)
        given[each.name] = _group_of(inner, values) if inner else values.pop(each.name)
    return group(**given)


def _as_group(field: "dataclasses.Field[Any]") -> type[Any] | None:
    return field.type if isinstance(field.type, type) and dataclasses.is_dataclass(field.type) else None
