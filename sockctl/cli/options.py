"""The options that several commands share, each declared once."""

import enum
import math
from pathlib import Path
from typing import Annotated, Any

import typer

__all__ = [
    "Allow",
    "Deny",
    "DrainTimeout",
    "Host",
    "IdleTimeout",
    "LogFile",
    "LogFormat",
    "LogFormatOption",
    "MaxClients",
    "MaxClientsPerAddress",
    "NoInput",
    "Port",
    "Quiet",
    "StrictPort",
    "Verbose",
    "seconds",
]


MAX_SECONDS = 31_536_000.0
"""A year: what is longer is a slip of the hand."""


def seconds(help_text: str, *, at_least: float) -> Any:
    """Declare an option that takes a number of seconds, from `at_least` to a year."""
    return typer.Option(help=help_text, min=at_least, max=MAX_SECONDS, callback=_number, metavar="SECONDS")


def _number(value: float | None) -> float | None:
    """Return `value`, unless it is "nan", which lies in every range."""
    if value is not None and math.isnan(value):
        raise typer.BadParameter("nan is not a number of seconds.")
    return value


class LogFormat(enum.StrEnum):
    """How events are written."""

    TEXT = "text"
    JSON = "json"


Host = Annotated[
    str,
    typer.Option(help="Name or address to listen on; '::' takes IPv6 and IPv4, '' every interface.", metavar="HOST"),
]
Port = Annotated[
    str | None,
    typer.Option(
        help="Port to listen on, 0 for any free one; asked for on a terminal, else 9090.",
        metavar="PORT",
        show_default=False,
    ),
]
StrictPort = Annotated[
    bool, typer.Option("--strict-port", help="Fail (exit 1) if the port is taken, instead of taking the next free one.")
]
MaxClients = Annotated[int, typer.Option(help="Clients at once.", min=1, max=1_000_000, metavar="N")]
MaxClientsPerAddress = Annotated[
    int, typer.Option(help="Clients at once from one address.", min=1, max=1_000_000, metavar="N")
]
Allow = Annotated[
    list[str] | None,
    typer.Option(
        help="Let in this address or network (CIDR); repeatable. Wins over --deny; alone, it denies everyone else.",
        metavar="CIDR",
    ),
]
Deny = Annotated[
    list[str] | None, typer.Option(help="Refuse this address or network (CIDR); repeatable.", metavar="CIDR")
]
IdleTimeout = Annotated[
    float | None, seconds("Close a connection that moved nothing for so long. [default: never]", at_least=0.01)
]
DrainTimeout = Annotated[float, seconds("At the stop, give clients so long to take what is queued.", at_least=0)]
LogFile = Annotated[
    Path | None,
    typer.Option(help="Write events to this file instead of standard error; it may be rotated.", metavar="PATH"),
]
LogFormatOption = Annotated[LogFormat, typer.Option("--log-format", help="How events are written.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Tell only refusals, failures and where it listens.")]
Verbose = Annotated[
    bool, typer.Option("--verbose", "-v", help="Tell half-closes and flow control, too.", show_default=False)
]
NoInput = Annotated[bool, typer.Option("--no-input", help="Never ask; take defaults or fail.", show_default=False)]
