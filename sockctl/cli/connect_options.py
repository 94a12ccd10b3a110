"""The options of ``sockctl connect``, in the groups in which its help shows them.

The groups are plain dataclasses: frozen ones with slots would delay the start of the client by 3 ms.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from sockctl.cli import options
from sockctl.cli.completion import complete_login_users
from sockctl.cli.session_options import (
    CONNECTING,
    CONTENT,
    EXCLUSIVE,
    ContentOptions,
    IdleTimeout,
    ScriptOptions,
    declare,
    refuse_contradictions,
)
from sockctl.cli.tls_options import TlsOptions
from sockctl.errors import OptionError

WEB = "WebSocket"
LOGIN = "Login"


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
    idle_timeout: IdleTimeout = None
    retry: Annotated[
        int,
        declare(CONNECTING, help="Try so many times more, with a growing pause.", min=0, max=1000, metavar="N"),
    ] = 0
    source: Annotated[
        str | None,
        declare(CONNECTING, "--source", "-s", help="Connect from this own address.", metavar="ADDRESS[:PORT]"),
    ] = None
    ipv4: Annotated[bool, declare(CONNECTING, "--ipv4", "-4", help="Use IPv4 only.")] = False
    ipv6: Annotated[bool, declare(CONNECTING, "--ipv6", "-6", help="Use IPv6 only.")] = False
    check_ports: Annotated[
        bool,
        declare(
            CONNECTING,
            *("--check-ports", "-z"),
            help="Only look whether the ports are open, and send nothing: exit 0 if all are, else 3. Several ports and "
            "ranges: 22 80,443 8000-8010.",
        ),
    ] = False
    reconnect: Annotated[
        bool,
        declare(
            CONNECTING,
            "--reconnect",
            help="In a pipe or a script: come back by the login's token when the connection is lost.",
        ),
    ] = False
    no_reconnect: Annotated[
        bool,
        declare(CONNECTING, "--no-reconnect", help="On a terminal: end when the connection is lost, don't come back."),
    ] = False


@dataclass(kw_only=True, eq=False, repr=False)
class ChatContentOptions(ContentOptions):
    """The same, and what a chat has besides."""

    datagram_size: Annotated[
        int | None,
        declare(
            CONTENT,
            help="With udp://: send each block of so many bytes of the input as a datagram; else each line is one.",
            min=1,
            max=65_507,
            metavar="BYTES",
        ),
    ] = None
    raw_terminal: Annotated[
        bool,
        declare(
            CONTENT,
            "--raw-terminal",
            help="Send each key as it is typed, and show what comes as it is: for the terminal of a server's program "
            "(serve exec --pty). Ctrl-] ends the connection (exit 130).",
        ),
    ] = False
    log: Annotated[
        Path | None,
        declare(
            CONTENT,
            "--log",
            help="Keep a log of a chat's rooms in this folder: a file for each server and room, as in --log ~/chats.",
            metavar="DIR",
        ),
    ] = None


@dataclass(kw_only=True, eq=False, repr=False)
class WebSocketOptions:
    """What a WebSocket is asked for, and what kind of messages is sent."""

    binary: Annotated[
        bool,
        declare(WEB, "--binary", help="Send binary messages, each a portion of the input; else a line is a text."),
    ] = False
    subprotocol: Annotated[
        list[str] | None,
        declare(WEB, help="Speak this subprotocol; repeatable, the best first.", metavar="NAME"),
    ] = None
    header: Annotated[
        list[str] | None,
        declare(
            WEB,
            help="Send this header with the request; repeatable. Not for secrets: other users see it.",
            metavar="NAME:VALUE",
            allow_from_autoenv=False,
        ),
    ] = None
    header_file: Annotated[
        Path | None,
        declare(
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
class LoginOptions:
    """How the client logs in."""

    user: Annotated[
        str | None,
        declare(
            LOGIN,
            "--user",
            help="Log in as this user: by the kept login, else the name answers the server's question for one.",
            envvar="SOCKCTL_USER",
            metavar="NAME",
            autocompletion=complete_login_users,
        ),
    ] = None
    no_session: Annotated[
        bool, declare(LOGIN, "--no-session", help="Log in anew: neither use nor keep a token of an earlier login.")
    ] = False
    no_typed_history: Annotated[
        bool,
        declare(
            LOGIN,
            "--no-typed-history",
            help="Don't keep what you type for the next time: the arrow keys bring it back. --no-session implies it.",
        ),
    ] = False
    insecure: Annotated[
        bool, declare(LOGIN, "--insecure", help="Send passwords in clear, also over the network without TLS.")
    ] = False
    state_dir: options.StateDir = None


@dataclass(kw_only=True, eq=False, repr=False)
class ConnectOptions:
    """All of them."""

    connecting: ConnectingOptions
    content: ChatContentOptions
    tls: TlsOptions
    web: WebSocketOptions
    script: ScriptOptions
    login: LoginOptions

    def refuse_contradictions(self) -> None:
        """Refuse options that make no sense together.

        Raises:
            OptionError: There are such.
        """
        refuse_contradictions((self.connecting, self.content, self.tls, self.web, self.script, self.login), _EXCLUSIVE)

    def refuse_for_unix(self) -> None:
        """Refuse options that make no sense for a Unix socket.

        Raises:
            OptionError: There are such.
        """
        if self.connecting.ipv4 or self.connecting.ipv6 or self.connecting.source:
            raise OptionError("-4, -6 and --source are for IP, and the target is a Unix socket: leave them out.")


_SCRIPT = ("--send", "--expect", "--script", "--count")
_EXCLUSIVE: dict[str, tuple[str, ...]] = {
    **EXCLUSIVE,
    "-4": ("-6",),
    "--log": ("--hex",),
    "--reconnect": ("--no-reconnect", "--no-session", "--count", "--hex"),
    "--raw-terminal": (
        *_SCRIPT,
        *("--send-only", "--recv-only", "--crlf", "--json", "--hex", "-v", "--datagram-size", "--log", "--plain"),
        *("--reconnect", "--binary", "--subprotocol", "--header", "--header-file", "--no-input"),
    ),
    "-z": (
        *_SCRIPT,
        "--raw-terminal",
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
