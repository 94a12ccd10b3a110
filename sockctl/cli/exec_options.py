"""The options of ``serve exec``, as one group."""

import dataclasses
from typing import Annotated

import typer

from sockctl.cli.options import Seconds, declare_time

MaxPrograms = Annotated[int, typer.Option(help="Programs at once.", min=1, max=10_000, metavar="N")]


@dataclasses.dataclass(kw_only=True, eq=False, repr=False)  # frozen, with slots: 2 ms more for each command's start
class ExecOptions:
    """What the programs of ``serve exec`` get, by the names that users write."""

    max_programs: MaxPrograms = 32
    env: Annotated[
        list[str] | None,
        typer.Option(
            help="Give programs this variable of the server's environment, or one with a value; repeatable.",
            metavar="NAME[=VALUE]",
        ),
    ] = None
    pty: Annotated[
        bool, typer.Option("--pty", help="Give each program a terminal of 80 columns and 24 lines, as for a shell.")
    ] = False
    http: Annotated[
        bool,
        typer.Option(
            "--http",
            help="Give programs HTTP requests that come by TCP, too; any web page that you look at may send them.",
        ),
    ] = False
    grace: Annotated[
        float, declare_time("Time for a program to end after SIGTERM; then SIGKILL ends it.", at_least=0)
    ] = Seconds(2)
    half_close_timeout: Annotated[
        float | None,
        declare_time(
            "End a program that writes nothing for so long after its client has ended its input; the client may have "
            "vanished. [default: never]",
            at_least=0,
        ),
    ] = None
