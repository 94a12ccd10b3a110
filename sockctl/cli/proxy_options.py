"""The options of ``sockctl proxy``, beside those of every server."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from sockctl.cli import options
from sockctl.cli.tls_options import TrustOptions
from sockctl.text import is_whole_number

SHOWN = "What is shown"
BAD_NETWORK = "A bad network on purpose"
_UNITS = {"": 1, "K": 1024, "M": 1024**2, "G": 1024**3}
MAX_RATE = 1 << 40


def parse_rate(value: str | int) -> int:
    """Return the bytes a second that a value of ``--rate`` names, such as 500, 64K or 1M.

    Raises:
        typer.BadParameter: It names none.
    """
    text = str(value).strip().upper()
    number, unit = (text[:-1], text[-1]) if text[-1:] in _UNITS else (text, "")
    if not (is_whole_number(number) and 0 < int(number) * _UNITS[unit] <= MAX_RATE):
        raise typer.BadParameter(f"{value!r} is no rate: write bytes a second, such as 500, 64K or 1M.")
    return int(number) * _UNITS[unit]


@dataclass(kw_only=True, eq=False, repr=False)  # as `ServerOptions`
class ProxyOptions:
    """The options, by the names that users write."""

    hex_dump: Annotated[
        bool,
        typer.Option(
            "--hex",
            help="Show all bytes as a hex dump, too: > to the target, < to the client. Connections are then as slow as "
            "the output.",
            rich_help_panel=SHOWN,
        ),
    ] = False
    sums: Annotated[
        bool, typer.Option("--sums", help="Tell only how much passes; look into nothing.", rich_help_panel=SHOWN)
    ] = False
    dump: Annotated[
        Path | None,
        typer.Option(
            help="Keep all bytes in this folder: a file for each direction of each connection, with mode 0600.",
            metavar="DIR",
            rich_help_panel=SHOWN,
        ),
    ] = None
    delay: Annotated[
        float | None,
        options.declare_time("Hold all bytes back for so long, each way.", at_least=0.001, panel=BAD_NETWORK),
    ] = None
    rate: Annotated[
        int | None,
        typer.Option(
            help="Let so many bytes a second pass, each way of each connection: 500, 64K, 1M.",
            parser=parse_rate,
            metavar="BYTES",
            rich_help_panel=BAD_NETWORK,
        ),
    ] = None
    drop_after: Annotated[
        int | None,
        typer.Option(
            help="Break each connection off, by resets, after so many bytes both ways together.",
            min=1,
            metavar="BYTES",
            rich_help_panel=BAD_NETWORK,
        ),
    ] = None
    connect_timeout: Annotated[
        float, options.declare_time("Connect to the target within so long.", at_least=0.001, panel="Target")
    ] = options.Seconds(10)
    trust: TrustOptions
    state_dir: options.StateDir = None
