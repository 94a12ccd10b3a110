"""The command line: its commands, and the one place where errors become messages and exit codes.

A command's modules are loaded only for that command: else a start, and a help, would take a third longer.
"""

import contextlib
import errno
import gc
import io
import os
import sys
from typing import Annotated, Any

import typer

from sockctl.cli.color import Color
from sockctl.cli.commands import Group, load_command, print_version
from sockctl.cli.exit_codes import ExitCode, find_exit_code
from sockctl.errors import NO_DESCRIPTOR, RAISE_DESCRIPTORS, SockctlError, StreamError
from sockctl.interrupts import raise_interrupts
from sockctl.paths import find_config_file
from sockctl.terminal import STDOUT, ColourChoice, open_missing_streams, say, say_error

COMMANDS = {
    "serve": "Start a server.",
    "connect": "Connect, send standard input, print what comes back.",
    "listen": "Wait for a client, send standard input to it, print what it sends.",
    "proxy": "Stand between a client and a server, and see what passes.",
    "logout": "Log out of a server.",
    "logins": "See and end the logins that 'connect' has kept.",
    "clients": "See and change whom 'serve identify' knows.",
    "hosts": "See and change which servers' certificates 'connect' trusts.",
    "users": "See and change who may log in at 'serve auth'.",
    "sessions": "See and end the sessions of those who are logged in.",
    "cluster": "See and check the engine of a chat on several machines.",
    "watch": "Watch a running server: its connections, queues and refusals.",
    "bench": "Measure a server with many clients at once.",
    "explain": "Show how sockets work, live: the handshake, the end, loss and more.",
    "config": "See and check the configuration file.",
    "help": "Show a page about a topic: scripts, events, files and more.",
}
"""The commands, and the sentence for each in the list. The module of that name in this package has its `app`."""
PANELS = {
    "serve": "Serve",
    "connect": "Talk",
    "listen": "Talk",
    "proxy": "Talk",
    "logout": "Talk",
    "watch": "Measure",
    "bench": "Measure",
    "explain": "Learn",
    "help": "Learn",
}
"""The group in which the list shows a command; the others are in "Manage"."""
UNWRITABLE = {errno.EBADF, errno.EIO, errno.ENOSPC}
"""Why standard output can't be written: closed, its terminal gone, its disk full."""

UNCONFIGURED = {"config", "help"}
"""Commands that work while the configuration file is wrong."""
_COMPLETION = {"install_completion", "show_completion"}
"""The options that Typer adds to the program."""


class _Loading(Group):
    """A group that loads a command when the user calls it."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        """Return the name of the command that is called, the command itself, and its arguments."""
        name, command, rest = super().resolve_command(ctx, args)
        if name in COMMANDS:
            command = load_command(name)
            if name not in UNCONFIGURED and not ctx.resilient_parsing and (file := _open_config()):
                file.check_names(list(COMMANDS))
                ctx.default_map = {name: file.read_defaults((name,), command)}
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
    context_settings={"help_option_names": ["-h", "--help"], "auto_envvar_prefix": "SOCKCTL"},
    help="A command-line toolkit for TCP: named, safe and explained.",
    epilog="Example, in two terminals:\n  sockctl serve echo\n  sockctl connect localhost 9090",
)


def _open_config() -> Any:
    """Return the user's configuration file; None if there is none, without importing its reader."""
    with contextlib.suppress(OSError):  # `open_config` says what is wrong
        if not find_config_file().exists():
            return None
    from sockctl.cli.config_file import open_config

    return open_config()


def _do_nothing() -> None:
    """Do nothing: `_Loading` calls the command itself."""


for _name, _does in COMMANDS.items():
    app.command(name=_name, short_help=_does, rich_help_panel=PANELS.get(_name, "Manage"))(_do_nothing)


@app.callback()
def _sockctl(
    *,
    version: Annotated[
        bool,
        typer.Option(
            "--version",
            "-V",
            help="Print the version and exit.",
            callback=print_version,
            is_eager=True,
            allow_from_autoenv=False,
        ),
    ] = False,
    color: Color = ColourChoice.AUTO,
) -> None:
    """A command-line toolkit for TCP: named, safe and explained."""


def run() -> int:
    """Run the command line of this process.

    Returns:
        The exit code.
    """
    open_missing_streams()
    if sys.stdout is None:
        sys.stdout = os.fdopen(STDOUT, "w", closefd=False)  # the first write fails, and says why
    elif isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")
    try:
        with raise_interrupts():
            code = _run()
            sys.stdout.flush()
    except BrokenPipeError:  # as in "sockctl bench … | head -1": the reader has read enough
        _discard_output()
        return ExitCode.DONE
    except SockctlError as error:
        say_error(str(error))
        return find_exit_code(error)
    except (typer.Abort, EOFError, KeyboardInterrupt):
        return ExitCode.INTERRUPTED
    except Exception as error:
        if os.environ.get("SOCKCTL_DEBUG"):
            raise
        if isinstance(error, OSError) and error.errno in UNWRITABLE:
            say_error(str(StreamError.of_output(error)))
            _discard_output()
            return ExitCode.FAILED
        if isinstance(error, OSError) and error.errno in NO_DESCRIPTOR:
            say_error(f"{error.strerror}. {RAISE_DESCRIPTORS}")
        else:
            say_error(f"unexpected {type(error).__name__}: {error}. This is a defect; SOCKCTL_DEBUG=1 shows where.")
        return ExitCode.FAILED
    return code


def make_root() -> Any:
    """Return the command `sockctl`; no environment variable installs or shows its completion."""
    command: Any = typer.main.get_command(app)
    for parameter in command.params:
        if parameter.name in _COMPLETION:
            parameter.allow_from_autoenv = False
    return command


def _run() -> int:
    command = make_root()
    if os.environ.get("_SOCKCTL_COMPLETE"):
        from sockctl.cli.bash_completion import complete_joined_words

        complete_joined_words()
        command(prog_name="sockctl")
    try:
        with command.make_context("sockctl", sys.argv[1:]) as ctx:
            command.invoke(ctx)
    except typer.Exit as ended:
        return ended.exit_code
    except typer.TyperException as error:
        if type(error).__name__ == "NoArgsIsHelpError":
            say(str(error))
        else:
            from sockctl.cli.usage_errors import describe_usage_error

            say(describe_usage_error(error))
        return ExitCode.USAGE
    return ExitCode.DONE


def _discard_output() -> None:
    """Discard the buffer of standard output, so that the end of the process doesn't try to write it."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, STDOUT)
    os.close(nowhere)
