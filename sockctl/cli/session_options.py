"""The options of a session that ``sockctl connect`` and ``sockctl listen`` share."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any

import typer

from sockctl.cli import options
from sockctl.errors import OptionError

CONNECTING = "Connecting"
CONTENT = "What is sent and shown"
SCRIPTS = "Scripts"


def declare(panel: str, *names: str, **settings: Any) -> Any:
    """Declare an option of a panel."""
    return typer.Option(*names, rich_help_panel=panel, **settings)


IdleTimeout = Annotated[
    float | None,
    options.declare_time(
        "End (exit 5) when nothing was sent or received for so long.",
        *("--idle-timeout", "-i"),
        at_least=0.001,
        panel=CONNECTING,
    ),
]


@dataclass(kw_only=True, eq=False, repr=False)
class ContentOptions:
    """What is sent, what is shown, and in which form."""

    send_only: Annotated[
        bool, declare(CONTENT, "--send-only", help="Send the input, show nothing that comes, and end.")
    ] = False
    recv_only: Annotated[bool, declare(CONTENT, "--recv-only", help="Show what comes, and read no input.")] = False
    crlf: Annotated[bool, declare(CONTENT, "--crlf", "-C", help="Send CR LF where the input has a line feed.")] = False
    json: Annotated[
        bool,
        declare(
            CONTENT,
            "--json",
            help='Print messages and events as JSON lines; a raw line as {"text": …}, or {"base64": …} if not UTF-8.',
        ),
    ] = False
    hex_dump: Annotated[bool, declare(CONTENT, "--hex", help="Show bytes as a hex dump: > sent, < received.")] = False
    read_size: Annotated[
        int | None,
        declare(
            CONTENT,
            "--read-size",
            help="The most bytes that one recv() takes; with -v, each call is told, however many. [default: 262144]",
            min=1,
            max=262_144,
            metavar="BYTES",
        ),
    ] = None
    output: Annotated[
        Path | None,
        declare(
            CONTENT,
            *("--output", "-o"),
            help="Keep a transcript in this file, too: all raw bytes sent and received, or the messages received.",
            metavar="FILE",
        ),
    ] = None
    plain: Annotated[bool, declare(CONTENT, "--plain", help="Don't use the line editor on a terminal.")] = False
    quit_after: Annotated[
        float | None,
        options.declare_time(
            "After the input's end, wait so long for the other side's. [default: 2 on a terminal, with --send-only, "
            "and after a script that ends with an expectation; else no limit]",
            at_least=0,
            panel=CONTENT,
        ),
    ] = None
    quiet: Annotated[bool, declare(CONTENT, "--quiet", "-q", help="Tell errors only.")] = False
    verbose: Annotated[
        bool,
        declare(
            CONTENT, "--verbose", "-v", help="Tell events in a pipe, too, and each address tried, send() and recv()."
        ),
    ] = False
    explain: options.ExplainOption = None

    def list_settings(self) -> dict[str, Any]:
        """Return what `ClientSettings` has of these options, by its names."""
        return {
            "quiet": self.quiet,
            "verbose": self.verbose,
            "read_bytes": self.read_size,
            "explain": self.explain,
            "hex_dump": self.hex_dump,
            "json": self.json,
            "plain": self.plain,
            "crlf": self.crlf,
            "send_only": self.send_only,
            "recv_only": self.recv_only,
            "output": self.output,
            "quit_after_s": self.quit_after,
        }


@dataclass(kw_only=True, eq=False, repr=False)
class ScriptOptions:
    """What is done in place of standard input."""

    send: Annotated[
        list[str] | None,
        declare(
            SCRIPTS, help="Send this line; repeatable, in turn with --expect.", metavar="TEXT", allow_from_autoenv=False
        ),
    ] = None
    expect: Annotated[
        list[str] | None,
        declare(
            SCRIPTS,
            help="Wait until this is found in a line or message (else exit 6); repeatable.",
            metavar="REGEX",
            allow_from_autoenv=False,
        ),
    ] = None
    script: Annotated[
        Path | None,
        declare(
            SCRIPTS,
            help="Take steps from a file, one a line: send TEXT, expect REGEX, wait TIME, wait (for the end).",
            metavar="FILE",
        ),
    ] = None
    count: Annotated[
        int | None,
        declare(
            SCRIPTS,
            help="End after so many messages or lines (exit 6 if fewer come).",
            min=1,
            metavar="N",
        ),
    ] = None
    no_input: options.NoInput = False


_NAMES = {"check_ports": "-z", "ipv4": "-4", "ipv6": "-6", "hex_dump": "--hex", "quiet": "-q", "verbose": "-v"}
"""The names of options that are not those of their fields."""
EXCLUSIVE: dict[str, tuple[str, ...]] = {
    "-q": ("-v",),
    "--json": ("--hex",),
    "--send-only": ("--recv-only", "--expect", "--count", "--json", "--hex"),
    "--recv-only": ("--send", "--crlf"),
}
"""Options about content, and those that none of them goes together with."""


def refuse_contradictions(groups: Iterable[Any], exclusive: Mapping[str, tuple[str, ...]]) -> None:
    """Refuse options that make no sense together.

    Args:
        groups: The groups of options.
        exclusive: Options, and those that none of them goes together with.

    Raises:
        OptionError: There are such.
    """
    values = {field.name: getattr(group, field.name) for group in groups for field in fields(group)}
    given = {_NAMES.get(name, f"--{name.replace('_', '-')}") for name, value in values.items() if value}
    for one, others in exclusive.items():
        for other in others:
            if one in given and other in given:
                raise OptionError(f"{one} and {other} exclude each other: leave one out.")
