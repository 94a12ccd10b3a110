"""The options that all kinds of ``bench`` share, in the groups in which the help shows them."""

from dataclasses import dataclass
from typing import Annotated

import typer

from sockctl.cli import options
from sockctl.cli.tls_options import TlsOptions

LOAD = "Load"
DURATION = "How long"
COMPARING = "Comparing"
LOGIN = "Login"

Rate = Annotated[
    float | None,
    typer.Option(
        help="Open loop: so many a second in all, due on a clock, whether or not answers have come; the latency counts "
        "from when each was due, so that a server that stalls can't hide it.",
        min=0.001,
        max=10_000_000,
        callback=options.refuse_nan,
        metavar="PER_SECOND",
        rich_help_panel=LOAD,
    ),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class BenchOptions:
    """The options, by the names that users write."""

    clients: Annotated[
        int, typer.Option(help="Clients at once.", min=1, max=1_000_000, metavar="N", rich_help_panel=LOAD)
    ] = 10
    duration: Annotated[
        float | None,
        options.declare_time(
            "Measure for so long. [default: 5, with --compare 2 a round, with --count no limit]",
            at_least=0.01,
            panel=DURATION,
        ),
    ] = None
    count: Annotated[
        int | None,
        typer.Option(
            help="End after so many messages or logins in all.",
            min=1,
            max=10**12,
            metavar="N",
            rich_help_panel=DURATION,
        ),
    ] = None
    warm_up: Annotated[
        float | None,
        options.declare_time(
            "Begin so long before, without measuring. [default: 0.5, with --count 0]", at_least=0, panel=DURATION
        ),
    ] = None
    timeout: Annotated[
        float | None,
        options.declare_time(
            "Give up on a connection, or an answer, that takes longer. [default: 5; 1 for a datagram]",
            at_least=0.001,
            panel=DURATION,
        ),
    ] = None
    compare: Annotated[
        str | None,
        typer.Option(
            help="Alternate between TARGET and this one; print ratios and their spread.",
            metavar="TARGET2",
            rich_help_panel=COMPARING,
        ),
    ] = None
    rounds: Annotated[
        int, typer.Option(help="Rounds of --compare.", min=1, max=1000, metavar="N", rich_help_panel=COMPARING)
    ] = 5
    json: Annotated[
        bool,
        typer.Option("--json", help="Print one JSON object instead of the table.", rich_help_panel="Output"),
    ] = False
    tls_options: TlsOptions
    state_dir: options.StateDir = None
    no_input: options.NoInput = False

    @property
    def seconds(self) -> float | None:
        """How long to measure; None if only the count ends the measurement."""
        if self.duration is not None or self.count is not None:
            return self.duration
        return 5.0 if self.compare is None else 2.0

    def find_timeout_s(self, *, udp: bool = False) -> float:
        """Return how long a connection or an answer may take."""
        if self.timeout is not None:
            return self.timeout
        return 1.0 if udp else 5.0

    @property
    def warm_up_s(self) -> float:
        """How long the clients run before the measurement."""
        if self.warm_up is not None:
            return self.warm_up
        return 0.5 if self.count is None else 0.0
