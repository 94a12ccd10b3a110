"""The options of a server of UDP, as one group."""

import functools
from dataclasses import dataclass
from typing import Annotated

import typer

from sockctl.cli.options import with_option_group
from sockctl.errors import OptionError


@dataclass(kw_only=True, eq=False, repr=False)  # as `ServerOptions`
class UdpOptions:
    """The options, by the names that users write."""

    udp: Annotated[
        bool,
        typer.Option("--udp", help="Serve datagrams of UDP in place of connections of TCP.", rich_help_panel="UDP"),
    ] = False
    max_rate: Annotated[
        int | None,
        typer.Option(
            help="With --udp: answer one address at most so many datagrams a second. [default: 1000; no limit on "
            "loopback]",
            min=1,
            max=1_000_000_000,
            metavar="N",
            show_default=False,
            rich_help_panel="UDP",
        ),
    ] = None

    @property
    def are_given(self) -> bool:
        """Whether datagrams are served.

        Raises:
            OptionError: They aren't, and an option asks for what only they have.
        """
        if self.max_rate is not None and not self.udp:
            raise OptionError("--max-rate is for datagrams: add --udp.")
        return self.udp


with_udp_options = functools.partial(with_option_group, name="udp", group=UdpOptions)
