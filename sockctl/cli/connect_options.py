"""The options of ``sockctl connect``, in the groups in which its help shows them.

The groups are plain dataclasses: frozen ones with slots would delay the start of the client by 3 ms.
"""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any

import typer

from sockctl.cli import options
from sockctl.cli.completion import complete_login_users
from sockctl.cli.tls_options import TlsOptions
from sockctl.errors import OptionError

CONNECTING = "Connecting"
CONTENT = "What is sent and shown"
WEB = "WebSocket"
SCRIPTS = "Scripts"
LOGIN = "Login"


def _declare(panel: str, *names: str, **settings: Any) -> Any:
    """Declare an option of a panel."""
    return typer.Option(*names, rich_help_panel=panel, **settings)


@dataclass(kw_only=True, eq=False, repr=False)
class ConnectingOptions:
    """How the connection is made, and how long it lasts."""

    timeout: Annotated[
        float,
        options.declare_time(
            "Connect within so long, and wait so long for the greeting and for a turn to speak (exit 5). A script as a "
            "whole has so long, apart from its own pauses.",
            *("--timeout", "-w"),
            at_least=0.001,
            panel=CONNECTING,
        ),
    ] = options.Seconds(10)
    idle_timeout: Annotated[
        float | None,
        options.declare_time(
            "End (exit 5) when nothing was sent or received for so long.",
            *("--idle-timeout", "-i"),
            at_least=0.001,
            panel=CONNECTING,
        ),
    ] = None
    retry: Annotated[
        int,
        _declare(CONNECTING, help="Try so many times more, with a growing pause.", min=0, max=1000, metavar="N"),
    ] = 0
    source: Annotated[
        str | None,
        _declare(CONNECTING, "--source", "-s", help="Connect from this own address.", metavar="ADDRESS[:PORT]"),
    ] = None
    ipv4: Annotated[bool, _declare(CONNECTING, "--ipv4", "-4", help="Use IPv4 only.")] = False
    ipv6: Annotated[bool, _declare(CONNECTING, "--ipv6", "-6", help="Use IPv6 only.")] = False
    check_ports: Annotated[
        bool,
        _declare(
            CONNECTING,
            *("--check-ports", "-z"),
            help="Only look whether the ports are open, and send nothing: exit 0 if all are, else 3. Several ports and "
            "ranges: 22 80,443 8000-8010.",
        ),
    ] = False
    reconnect: Annotated[
        bool,
        _declare(
            CONNECTING,
            "--reconnect",
            help="In a pipe or a script: come back by the login's token when the connection is lost.",
        ),
    ] = False
    no_reconnect: Annotated[
        bool,
        _declare(CONNECTING, "--no-reconnect", help="On a terminal: end when the connection is lost, don't come back."),
    ] = False


@dataclass(kw_only=True, eq=False, repr=False)
class ContentOptions:
    """What is sent, what is shown, and in which form."""

    send_only: Annotated[
        bool, _declare(CONTENT, "--send-only", help="Send the input, show nothing that comes, and end.")
    ] = False
    recv_only: Annotated[bool, _declare(CONTENT, "--recv-only", help="Show what comes, and read no input.")] = False
    crlf: Annotated[bool, _declare(CONTENT, "--crlf", "-C", help="Send CR LF where the input has a line feed.")] = False
    json: Annotated[
        bool,
        _declare(
            CONTENT,
            "--json",
            help='Print messages and events as JSON lines; a raw line as {"text": …}.',
        ),
    ] = False
    hex_dump: Annotated[bool, _declare(CONTENT, "--hex", help="Show bytes as a hex dump: > sent, < received.")] = False
    read_size: Annotated[
        int | None,
        _declare(
            CONTENT,
            "--read-size",
            help="The most bytes that one recv() takes; with -v, each call is told, however many. [default: 65536]",
            min=1,
            max=65_536,
            metavar="BYTES",
        ),
    ] = None
    datagram_size: Annotated[
        int | None,
        _declare(
            CONTENT,
            help="With udp://: send each block of so many bytes of the input as a datagram; else each line is one.",
            min=1,
            max=65_507,
            metavar="BYTES",
        ),
    ] = None
    output: Annotated[
        Path | None,
        _declare(
            CONTENT,
            *("--output", "-o"),
            help="Keep a transcript in this file, too: all raw bytes sent and received, or the messages received.",
            metavar="FILE",
        ),
    ] = None
    log: Annotated[
        Path | None,
        _declare(
            CONTENT,
            "--log",
            help="Keep a log of a chat's rooms in this folder: a file for each server and room, as in --log ~/chats.",
            metavar="DIR",
        ),
    ] = None
    plain: Annotated[bool, _declare(CONTENT, "--plain", help="Don't use the line editor on a terminal.")] = False
    quit_after: Annotated[
        float | None,
        options.declare_time(
            "After the input's end, wait so long for the server's. [default: 2 on a terminal, with --send-only, and "
            "after a script that ends with an expectation; else no limit]",
            at_least=0,
            panel=CONTENT,
        ),
    ] = None
    quiet: Annotated[bool, _declare(CONTENT, "--quiet", "-q", help="Tell errors only.")] = False
    verbose: Annotated[
        bool,
        _declare(
            CONTENT, "--verbose", "-v", help="Tell events in a pipe, too, and each address tried, send() and recv()."
        ),
    ] = False
    explain: options.ExplainOption = None


@dataclass(kw_only=True, eq=False, repr=False)
class WebSocketOptions:
    """What a WebSocket is asked for, and what kind of messages is sent."""

    binary: Annotated[
        bool,
        _declare(WEB, "--binary", help="Send binary messages, each a portion of the input; else a line is a text."),
    ] = False
    subprotocol: Annotated[
        list[str] | None,
        _declare(WEB, help="Speak this subprotocol; repeatable, the best first.", metavar="NAME"),
    ] = None
    header: Annotated[
        list[str] | None,
        _declare(
            WEB,
            help="Send this header with the request; repeatable. Not for secrets: other users see it.",
            metavar="NAME:VALUE",
            allow_from_autoenv=False,
        ),
    ] = None
    header_file: Annotated[
        Path | None,
        _declare(
            WEB,
            help="Send the headers in this file, one a line, such as 'Authorization: Bearer …'. Only you may read it "
            "(mode 0600 or 0400).",
            metavar="FILE",
        ),
    ] = None

    @property
    def are_given(self) -> bool:
        """Whether the user has given one of them."""
        return bool(self.binary or self.subprotocol or self.header or self.header_file)


@dataclass(kw_only=True, eq=False, repr=False)
class ScriptOptions:
    """What is done in place of standard input."""

    send: Annotated[
        list[str] | None,
        _declare(
            SCRIPTS, help="Send this line; repeatable, in turn with --expect.", metavar="TEXT", allow_from_autoenv=False
        ),
    ] = None
    expect: Annotated[
        list[str] | None,
        _declare(
            SCRIPTS,
            help="Wait until this is found in a line or message (else exit 6); repeatable.",
            metavar="REGEX",
            allow_from_autoenv=False,
        ),
    ] = None
    script: Annotated[
        Path | None,
        _declare(
            SCRIPTS,
            help="Take steps from a file, one a line: send TEXT, expect REGEX, wait TIME, wait (for the end).",
            metavar="FILE",
        ),
    ] = None
    count: Annotated[
        int | None,
        _declare(
            SCRIPTS,
            help="End after so many messages or lines (exit 6 if fewer come).",
            min=1,
            metavar="N",
        ),
    ] = None
    no_input: options.NoInput = False


@dataclass(kw_only=True, eq=False, repr=False)
class LoginOptions:
    """How the client logs in."""

    user: Annotated[
        str | None,
        _declare(
            LOGIN,
            "--user",
            help="Log in as this user: by the kept login, else the name answers the server's question for one.",
            envvar="SOCKCTL_USER",
            metavar="NAME",
            autocompletion=complete_login_users,
        ),
    ] = None
    no_session: Annotated[
        bool, _declare(LOGIN, "--no-session", help="Log in anew: neither use nor keep a token of an earlier login.")
    ] = False
    no_typed_history: Annotated[
        bool,
        _declare(
            LOGIN,
            "--no-typed-history",
            help="Don't keep what you type for the next time: the arrow keys bring it back. --no-session implies it.",
        ),
    ] = False
    insecure: Annotated[
        bool, _declare(LOGIN, "--insecure", help="Send passwords in clear, also over the network without TLS.")
    ] = False
    state_dir: options.StateDir = None


@dataclass(kw_only=True, eq=False, repr=False)
class ConnectOptions:
    """All of them."""

    connecting: ConnectingOptions
    content: ContentOptions
    tls: TlsOptions
    web: WebSocketOptions
    script: ScriptOptions
    login: LoginOptions

    def refuse_contradictions(self) -> None:
        """Refuse options that make no sense together.

        Raises:
            OptionError: There are such.
        """
        given = self._name_given()
        for one, others in _EXCLUSIVE.items():
            for other in others:
                if one in given and other in given:
                    raise OptionError(f"{one} and {other} exclude each other: leave one out.")

    def refuse_for_unix(self) -> None:
        """Refuse options that make no sense for a Unix socket.

        Raises:
            OptionError: There are such.
        """
        if self.connecting.ipv4 or self.connecting.ipv6 or self.connecting.source:
            raise OptionError("-4, -6 and --source are for IP, and the target is a Unix socket: leave them out.")

    def _name_given(self) -> set[str]:
        """Return the options that were given, by the names in `_EXCLUSIVE`."""
        groups = (self.connecting, self.content, self.tls, self.web, self.script, self.login)
        values = {field.name: getattr(group, field.name) for group in groups for field in fields(group)}
        return {_NAMES.get(name, f"--{name.replace('_', '-')}") for name, value in values.items() if value}


_NAMES = {"check_ports": "-z", "ipv4": "-4", "ipv6": "-6", "hex_dump": "--hex", "quiet": "-q", "verbose": "-v"}
_SCRIPT = ("--send", "--expect", "--script", "--count")
_EXCLUSIVE: dict[str, tuple[str, ...]] = {
    "-4": ("-6",),
    "-q": ("-v",),
    "--json": ("--hex",),
    "--send-only": ("--recv-only", "--expect", "--count", "--json", "--hex"),
    "--recv-only": ("--send", "--crlf"),
    "--log": ("--hex",),
    "--reconnect": ("--no-reconnect", "--no-session", "--count", "--hex"),
    "-z": (
        *_SCRIPT,
        "--reconnect",
        *(
            "--send-only",
            "--recv-only",
            "--crlf",
            "--read-size",
            "--datagram-size",
            "--hex",
            "--output",
            "--log",
            "--plain",
            "--quit-after",
            "--idle-timeout",
        ),
        *("--tls", "--fingerprint", "--accept-new", "--ca", "--verify-system", "--cert", "--key"),
        *("--binary", "--subprotocol", "--header", "--header-file"),
    ),
}
"""Options, and those that none of them goes together with."""
