"""The command line: its commands, and the one place where errors become messages and exit codes."""

import errno
import os
from typing import Annotated

import typer

from sockctl import __version__
from sockctl.cli import bench, clients, connect, hosts, logout, serve, sessions, users
from sockctl.cli.exit_codes import ExitCode, exit_code_of
from sockctl.cli.terminal import open_missing_streams, say
from sockctl.errors import SockctlError

__all__ = ["app", "run"]

app = typer.Typer(
    name="sockctl",
    rich_markup_mode=None,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="A command-line toolkit for TCP: named, safe and explained.",
    epilog="Example: 'sockctl serve echo' in one terminal, 'sockctl connect localhost 9090' in another.",
)
app.add_typer(serve.app, name="serve")
app.add_typer(clients.app, name="clients")
app.add_typer(hosts.app, name="hosts")
app.add_typer(users.app, name="users")
app.add_typer(sessions.app, name="sessions")
app.add_typer(bench.app, name="bench")
app.command(name="connect", cls=connect.InOrder, epilog=connect.EXAMPLE)(connect.connect)
app.command(name="logout", epilog=logout.EXAMPLE)(logout.logout)


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
        return exit_code_of(error)
    except Exception as error:
        if os.environ.get("SOCKCTL_DEBUG"):
            raise
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:
            say(f"sockctl: Standard output can't be written: {error.strerror}. The rest is lost.")
            return ExitCode.FAILED
        say(f"sockctl: unexpected {type(error).__name__}: {error}. This is a defect; SOCKCTL_DEBUG=1 shows where.")
        return ExitCode.FAILED
    return ExitCode.DONE
