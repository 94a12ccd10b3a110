"""The options of a server's web door, as one group."""

import functools
from dataclasses import dataclass
from typing import Annotated

import typer

from sockctl.cli.options import with_option_group
from sockctl.cli.server_options import parse_listening_port


@dataclass(kw_only=True, eq=False, repr=False)  # as `ServerOptions`
class WebOptions:
    """The options, by the names that users write."""

    web: Annotated[
        int | None,
        typer.Option(
            help="Serve browsers, too: a page and WebSocket on this port, 0 for any free one.",
            parser=parse_listening_port,
            metavar="PORT",
            show_default=False,
            rich_help_panel="Browsers",
        ),
    ] = None
    web_name: Annotated[
        list[str] | None,
        typer.Option(
            help="With --web: answer to this host name, too, beside addresses and localhost; repeatable.",
            metavar="NAME",
            rich_help_panel="Browsers",
        ),
    ] = None
    opens_browser: Annotated[
        bool, typer.Option("--open", help="With --web: open the page in the browser.", rich_help_panel="Browsers")
    ] = False


with_web_options = functools.partial(with_option_group, name="web", group=WebOptions)
