"""Prepares the servers that start programs: the program, its variables, and who may use it."""

import os
import shlex
import shutil
import socket
from collections.abc import Sequence
from pathlib import Path

from sockctl.cli.exec_options import ExecOptions
from sockctl.cli.exit_codes import ExitCode
from sockctl.cli.serve_runner import serve
from sockctl.cli.server_options import ServerOptions
from sockctl.errors import OptionError, ProgramError
from sockctl.net.address import is_loopback, parse_host
from sockctl.services.exec import Exec
from sockctl.services.program import Patience
from sockctl.signals import wait_for_children

PASSED_ON = ("PATH", "HOME", "USER", "LOGNAME", "SHELL", "LANG", "LANGUAGE", "TZ", "TMPDIR")
"""Variables that every program gets, besides those of the locale. Others may hold the server's secrets."""
END_S = 0.5
"""How long a program may take to end after its input."""
DEFAULT_TERM = "xterm"
LOCALE = "LC_"


def serve_exec(command: Sequence[str], options: ExecOptions, server: ServerOptions) -> ExitCode:
    """Serve programs until a signal stops the server.

    Raises:
        ProgramError: There is no such program.
        OptionError: Options contradict each other.
    """
    check_reach(server)
    service = Exec(
        find_program(command),
        environment=make_environment(options.env or (), terminal=options.pty),
        max_programs=options.max_programs,
        patience=Patience(end_s=END_S, terminate_s=options.grace),
        half_close_s=options.half_close_timeout,
        terminal=options.pty,
        http=options.http,
    )
    wait_for_children()
    return serve(service, server)


def split_command(text: str) -> list[str]:
    """Split the command of --reply-with into its words, and find its program.

    Raises:
        ProgramError: It can't be split, or run.
    """
    try:
        argv = shlex.split(text)
    except ValueError as error:
        raise ProgramError(f"--reply-with {text!r} can't be split into words: {error}. Check its quotes.") from error
    if not argv:
        raise ProgramError("--reply-with is empty: give a program, such as 'bc -lq'.")
    if shutil.which(argv[0]) is None:
        raise ProgramError(f"--reply-with: {_explain_missing(argv[0])}")
    return argv


def find_program(command: Sequence[str]) -> list[str]:
    """Return a command whose program is found now, before the first client comes.

    Raises:
        ProgramError: There is no such program.
    """
    if shutil.which(command[0]) is None:
        hint = "Check its name or path."
        if len(command) == 1 and len(command[0].split()) > 1:
            hint = f"No shell reads the command, so give its words apart: sockctl serve exec -- {command[0]}"
        why = _explain_missing(command[0], hint)
        raise ProgramError(f"{why[0].upper()}{why[1:]}")
    return list(command)


def _explain_missing(program: str, hint: str = "Check its name or path.") -> str:
    """Return why a program can't be run, and what to do. A name without a slash is looked for in PATH.

    Args:
        program: Its name or path.
        hint: The advice where there is no such file.
    """
    place = Path(program)
    if "/" in program and place.is_dir():
        return f"{program!r} is a folder. Name a program in it."
    if "/" in program and place.exists():
        return f"{program!r} is not executable. If it is a program: chmod +x {shlex.quote(program)}"
    return f"there is no program {program!r} that can be run. {hint}"


def make_environment(given: Sequence[str], *, terminal: bool = False) -> dict[str, str]:
    """Return the variables that every program gets: a few of the server's own, and the user's.

    Args:
        given: The values of --env.
        terminal: Whether a program has a terminal, and TERM says its kind.

    Raises:
        OptionError: A variable is not there, or has no name.
    """
    variables = {name: value for name, value in os.environ.items() if name in PASSED_ON or name.startswith(LOCALE)}
    if terminal:
        variables["TERM"] = os.environ.get("TERM") or DEFAULT_TERM
    for each in given:
        name, has_value, value = each.partition("=")
        if not name:
            raise OptionError(f"--env {each!r} names no variable: write --env NAME, or --env NAME=VALUE.")
        if not has_value and name not in os.environ:
            raise OptionError(f"--env {name}: the server itself has no such variable. Set it, or write {name}=VALUE.")
        variables[name] = value if has_value else os.environ[name]
    return variables


def check_reach(options: ServerOptions) -> None:
    """Check that other machines can use the program only where the user says which.

    Raises:
        AddressError: The host is wrong.
        OptionError: The server would listen beyond this machine, without --allow.
    """
    if options.allow or (options.unix is not None and options.port is None) or _stays_here(options.host):
        return
    raise OptionError(
        f"Each client uses the program with your rights, so with --host {options.host!r} say who may: "
        "--allow 192.0.2.0/24 for a network, --allow 0.0.0.0/0 --allow ::/0 for everybody. Without --host, only this "
        "machine can connect."
    )


def _stays_here(host: str) -> bool:
    """Return whether a host is loopback alone; a name that leads nowhere fails later, as for every server."""
    if not host:
        return False
    try:
        found = socket.getaddrinfo(parse_host(host), None, type=socket.SOCK_STREAM)
    except OSError:
        return True
    return all(is_loopback(str(address[0])) for *_, address in found)
