"""``sockctl listen``: the other end of ``connect``."""

import contextlib
import functools
from typing import TYPE_CHECKING, Annotated

import typer

from sockctl.cli import options
from sockctl.cli.commands import declare_command
from sockctl.cli.exit_codes import ExitCode, explain_exit_codes
from sockctl.cli.listen_options import ListenOptions
from sockctl.cli.script_order import ORDER, InOrder, read_steps
from sockctl.errors import AddressError, OptionError
from sockctl.terminal import STDIN, is_null_device, is_terminal, say

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sockctl.cli.serve_tls import ServingTls
    from sockctl.cli.server_options import ServerOptions
    from sockctl.client.screen import Screen
    from sockctl.client.script_steps import Step
    from sockctl.client.settings import ClientSettings
    from sockctl.net.listener import Listeners

_EPILOG = "\n\n".join(
    (
        "Examples:\n  sockctl listen 9090\n  sockctl listen 9090 > received.tar\n"
        "  sockctl listen 9090 < to-send.tar\n  sockctl listen 0.0.0.0:9090 --keep-open --allow 192.0.2.0/24\n"
        "  sockctl listen 9090 --expect '^GET ' --send 'HTTP/1.0 204 No Content' --send '' --crlf\n"
        "  sockctl listen 9090 --many --tls\n  sockctl listen unix:/tmp/talk.sock",
        explain_exit_codes(
            ExitCode.INTERRUPTED,
            meanings={
                ExitCode.FAILED: "failed (the port is taken, a file can't be written)",
                ExitCode.TIMED_OUT: "timed out (--timeout, --idle-timeout)",
                ExitCode.UNEXPECTED: "an expectation or --count is not met in time or by the end",
                ExitCode.BROKEN: "the client reset the connection, or didn't take everything",
            },
        ),
    )
)
app = declare_command()


@app.command(cls=InOrder, epilog=_EPILOG)
@functools.partial(options.with_option_group, name="given", group=ListenOptions)
def listen(
    ctx: typer.Context,
    where: Annotated[
        str | None,
        typer.Argument(
            metavar="[[HOST:]PORT]",
            help="Where to listen, or unix:PATH; port 0 is any free one, a taken one an error. Without a host, on "
            "loopback. Asked for on a terminal, else 9090 or the next free one.",
            show_default=False,
        ),
    ] = None,
    port: options.TargetPort = None,
    *,
    given: ListenOptions,
) -> None:
    """Wait for a client, send standard input to it, print what it sends.

    That is the other end of 'connect', and of nc, ncat and socat. One client comes in, then the port is closed; the
    exit code tells how it ended. --keep-open takes the next client after it, --many takes several at once.

    In a pipe, raw bytes go both ways, none changed. The end of the input half-closes the connection, and all that the
    client still sends is printed. A client that has ended its side still gets the input, until that ends or pauses for
    2 s (--quit-after). Standard error says where it listens, and which clients it refuses.

    On a terminal, you type lines in the line editor, and every event is told. 'exit' or Ctrl-D ends the connection, and
    without a client the listening; '//exit' sends the word itself.

    A client that --allow or --deny refuses doesn't count as the one client. Neither does one with which TLS fails.

    Scripts: --send, --expect and the steps of --script run in their order, anew for each client.
    """
    from sockctl.cli.serve_place import find_port, load_tls, make_rules, open_place
    from sockctl.client.door import Admittance
    from sockctl.client.link import READ_BYTES
    from sockctl.client.listen_runner import make_screen, run_listener
    from sockctl.client.tty.terminal_mode import ending_signals
    from sockctl.interrupts import make_interrupt

    given.refuse_contradictions()
    settings = _make_settings(given, read_steps(ctx.meta[ORDER], given.script, given.content))
    server = _find_place(where, port, given)
    wanted = find_port(server)
    rules = make_rules(server)
    screen = make_screen(settings)
    tls = load_tls(server, screen.emit, settings.read_bytes or READ_BYTES)
    # Signals that end the process do it by an exception: the file of a Unix socket is to be removed.
    with (
        ending_signals(make_interrupt()),
        contextlib.closing(open_place(server, wanted, option="PORT")) as listeners,
    ):
        _tell_place(listeners, settings, screen, tls)
        clients = given.clients
        admittance = Admittance(
            rules=rules,
            secure=None if tls is None else tls.secure,
            places=_count_places() if clients.many else 1,
            goes_on=clients.many or clients.keep_open,
            wait_s=clients.timeout,
        )
        ended = run_listener(listeners, settings, admittance, screen)
    if not ended:
        raise typer.Exit(ExitCode.INTERRUPTED)


def _count_places() -> int:
    """Return how many clients may be there at once, each with a descriptor of this process."""
    from sockctl.client.door import MAX_CLIENTS
    from sockctl.os_limits import RESERVE, raise_descriptor_limit

    needed, limit = raise_descriptor_limit(MAX_CLIENTS)
    return MAX_CLIENTS if limit >= needed else max(1, limit - RESERVE)


def _find_place(where: str | None, apart: str | None, given: ListenOptions) -> "ServerOptions":
    """Return where to listen, as the options of a server.

    Args:
        where: The port, the host with the port or, where the port stands apart, without it.
        apart: The port that stands apart.
        given: The options of the user.

    Raises:
        AddressError: The place is none, or has two ports.
        OptionError: Two Unix sockets are given, or one with a port, or a place with a scheme.
    """
    from sockctl.net.address import UNIX, parse_host, parse_port, parse_unix, split_port

    host, port = "127.0.0.1", None
    place = given.place
    if where is not None and where.startswith(UNIX):
        if place.unix is not None:
            raise OptionError(f"{where} and --unix are two Unix sockets: leave one out.")
        if apart is not None:
            raise OptionError(f"{where} is a Unix socket, which has no port: leave {apart!r} out.")
        place.unix = parse_unix(where.removeprefix(UNIX))
    elif where is not None:
        if "://" in where:
            raise OptionError(
                f"{where} has a scheme, and 'listen' waits at a port of TCP: write 'sockctl listen 9090', with "
                "--tls for TLS. UDP is answered by 'sockctl serve echo --udp'."
            )
        name, number = split_port(where)
        if number is not None and apart is not None:
            raise AddressError(f"The port is given twice, in {where!r} and as {apart!r}: leave one out.")
        if number is None and apart is None:
            number = where
        else:
            host = parse_host(name)
        port = parse_port(number or apart or "", any_free=True)
        place.strict_port = True  # as with nc -l: a script expects its clients at this port
    return place.make_server_options(host=host, port=port, no_input=given.script.no_input)


def _make_settings(given: ListenOptions, steps: "Sequence[Step]") -> "ClientSettings":
    from sockctl.client.settings import ClientSettings

    content, script = given.content, given.script
    if is_null_device(STDIN) and not (steps or content.send_only):
        content.recv_only = True  # its end at once would end clients that have not sent all yet
    return ClientSettings(
        **content.list_settings(),
        terminal=is_terminal(STDIN) and not steps and not content.recv_only,
        messages=False,
        steps=steps,
        count=script.count,
        timeout_s=10.0 if given.clients.timeout is None else given.clients.timeout,
        idle_timeout_s=given.clients.idle_timeout,
        reconnect=False,
    )


def _tell_place(listeners: "Listeners", settings: "ClientSettings", screen: "Screen", tls: "ServingTls | None") -> None:
    """Say where it listens, as events for a person, else in a line: the caller may not know the port."""
    from sockctl.cli.serve_place import describe_place, encode_place, tell_place
    from sockctl.events.server import Listening

    if screen.shows(Listening.level):
        tell_place(screen.emit, listeners, "" if tls is None else "tls://", wider=f"[::]:{listeners.port}")
        if tls is not None:
            tls.tell_certificate()
    elif settings.json:
        say(encode_place(listeners, "listen"), wraps=False)
    elif not settings.quiet:
        say(describe_place(listeners, None, "" if tls is None else f" Its certificate has SHA256 {tls.fingerprint}."))
