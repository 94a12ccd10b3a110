"""The command line: its commands, and the one place where errors become messages and exit codes.

A command's modules are loaded only for that command: else a start, and a help, would take a third longer.
"""

import errno
import gc
import importlib
import os
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from sockctl import __version__
from sockctl.cli.exit_codes import ExitCode, find_exit_code
from sockctl.errors import SockctlError
from sockctl.terminal import open_missing_streams, say

COMMANDS = {
    "serve": "Start a server.",
    "connect": "Connect, send standard input, print what comes back.",
    "logout": "Log out of a server.",
    "clients": "See and change whom 'serve identify' knows.",
    "hosts": "See and change which servers' certificates 'connect' trusts.",
    "users": "See and change who may log in at 'serve auth'.",
    "sessions": "See and end the sessions of those who are logged in.",
    "bench": "Measure a server with many clients at once.",
    "help": "Show a page about a topic: scripts, events, files and more.",
}
"""The commands, and the sentence for each in the list. The module of that name in this package has its `app`."""


class _Loading(TyperGroup):
    """A group that loads a command when the user calls it."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Return the name of the command that is called, the command itself, and its arguments."""
        name, command, rest = super().resolve_command(ctx, args)
        if name in COMMANDS:
            command = typer.main.get_command(importlib.import_module(f"sockctl.cli.{name}").app)
            command.name = name
        if not gc.isenabled():  # the entry point has switched it off while this was loaded
            gc.freeze()
            gc.enable()
        return name, command, rest


app = typer.Typer(
    cls=_Loading,
    name="sockctl",
    rich_markup_mode=None,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="A command-line toolkit for TCP: named, safe and explained.",
    epilog="Example: 'sockctl serve echo' in one terminal, 'sockctl connect localhost 9090' in another.",
)


def _do_nothing() -> None:
    """Do nothing: `_Loading` calls the command itself."""


for _name, _does in COMMANDS.items():
    app.command(name=_name, short_help=_does)(_do_nothing)


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"sockctl {__version__}")
        raise typer.Exit


@app.callback()
def _sockctl(
    *,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and exit.", callback=_print_version, is_eager=True)
    ] = False,
) -> None:
    """A command-line toolkit for TCP: named, safe and explained."""


def run() -> int:
    """Run the command line of this process.

    Returns:
        The exit code, where a command didn't exit by itself.
    """
    open_missing_streams()
    try:
        app()
    except SockctlError as error:
        say(f"sockctl: {error}")
        return find_exit_code(error)
    except Exception as error:
        if os.environ.get("SOCKCTL_DEBUG"):
            raise
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:
            say(f"sockctl: Standard output can't be written: {error.strerror}. The rest is lost.")
            return ExitCode.FAILED
        say(f"sockctl: unexpected {type(error).__name__}: {error}. This is a defect; SOCKCTL_DEBUG=1 shows where.")
        return ExitCode.FAILED
    return ExitCode.DONE
