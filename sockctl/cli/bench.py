"""``sockctl bench …``: how fast a server is, and whether all that it says is right."""

import functools
from typing import Annotated

import typer

from sockctl.cli.bench_options import LOAD, LOGIN, BenchOptions, Rate
from sockctl.cli.commands import declare_group
from sockctl.cli.completion import complete_targets
from sockctl.cli.exit_codes import ExitCode, explain_exit_codes
from sockctl.cli.options import TargetPort, with_option_group
from sockctl.cli.passwords import PasswordFile, PasswordStdin
from sockctl.errors import OptionError

_FIELDS = "The fields of --json are described by 'python -m pydoc sockctl.bench.report'."
_BENCH_CODES = {
    ExitCode.FAILED: "something was lost or wrong",
    ExitCode.UNREACHABLE: "unreachable or refused",
    ExitCode.NOT_LET_IN: "the certificate is not trusted",
    ExitCode.TIMED_OUT: "timed out connecting",
    ExitCode.BROKEN: "no TLS",
    ExitCode.INTERRUPTED: "interrupted (the result until then is printed)",
}
_EXIT_CODES = explain_exit_codes(meanings=_BENCH_CODES)
_LOGIN_EXIT_CODES = explain_exit_codes(
    meanings={
        **_BENCH_CODES,
        ExitCode.FAILED: "somebody was not let in",
        ExitCode.NOT_LET_IN: "the certificate is not trusted, or the password would go in clear",
    }
)

app = declare_group(
    "Measure a server with many clients at once, and check all that it says.",
    f"Example:\n  sockctl bench echo localhost:9090 --clients 50\n\n{_FIELDS}",
)
with_bench_options = functools.partial(with_option_group, name="bench", group=BenchOptions)

Target = Annotated[
    str,
    typer.Argument(
        metavar="[SCHEME://]HOST[:PORT]",
        help="The server; unix:PATH stands for HOST:PORT. udp:// sends datagrams (echo alone).",
        show_default=False,
        autocompletion=complete_targets,
    ),
]
ChatTarget = Annotated[
    str,
    typer.Argument(
        metavar="[SCHEME://]HOST[:PORT][,HOST:PORT…]",
        help="The server, unix:PATH too; or several that are one chat, over which the members are spread.",
        show_default=False,
        autocompletion=complete_targets,
    ),
]
Depth = Annotated[
    int | None,
    typer.Option(
        help="Messages in flight at most, of each client that sends. [default: 1]",
        min=1,
        max=1_000_000,
        metavar="N",
        rich_help_panel=LOAD,
    ),
]
Processes = Annotated[
    int | None,
    typer.Option(
        help="Processes that share the clients. [default: what suits]",
        min=1,
        max=1024,
        metavar="N",
        rich_help_panel=LOAD,
    ),
]


@app.command(
    epilog="Examples:\n  sockctl bench echo localhost:9090 --depth 16\n"
    "  sockctl bench echo localhost:9090 --rate 1000\n"
    "  sockctl bench echo udp://localhost:9090\n"
    f"  sockctl bench echo localhost:9090 --compare localhost:7\n\n{_EXIT_CODES}\n\n{_FIELDS}"
)
@with_bench_options
def echo(
    target: Target,
    port: TargetPort = None,
    *,
    size: Annotated[
        int, typer.Option(help="Bytes of a message.", min=1, max=16_777_216, metavar="BYTES", rich_help_panel=LOAD)
    ] = 64,
    depth: Depth = None,
    rate: Rate = None,
    processes: Processes = None,
    bench: BenchOptions,
) -> None:
    """Measure an echo server: any that sends back what it gets (RFC 862).

    Each client sends its own lines and compares what comes back, byte for byte; the first byte that is wrong, missing
    or too much counts as an error, and ends that client. It begins with one connection that says nothing.

    Over UDP (udp://HOST:PORT), each message is a datagram with a number in it. One that isn't back within --timeout is
    lost, and another takes its place; what comes late, out of order or twice is counted.
    """
    from sockctl.bench.plan import Kind
    from sockctl.cli.bench_runner import Wanted, run_bench

    wanted = Wanted(
        kind=Kind.ECHO, size_bytes=size, depth=_choose_depth(depth, rate), rate=rate, processes=processes, options=bench
    )
    raise typer.Exit(run_bench(target, port, wanted))


@app.command(
    epilog="Example:\n  sockctl serve chat --no-flood-limit\n  sockctl bench chat localhost:9090 --senders 2\n"
    "  sockctl bench chat a.example:9090,b.example:9090 --clients 60 --rate 1000\n\n"
    f"{_EXIT_CODES}\n\n{_FIELDS}"
)
@with_bench_options
def chat(
    target: ChatTarget,
    port: TargetPort = None,
    *,
    senders: Annotated[
        int, typer.Option(help="How many of the members speak.", min=1, metavar="N", rich_help_panel=LOAD)
    ] = 1,
    size: Annotated[
        int,
        typer.Option(
            help="Bytes of a message; some 50 at least, which it needs.",
            min=1,
            max=4_096,
            metavar="BYTES",
            rich_help_panel=LOAD,
        ),
    ] = 64,
    depth: Depth = None,
    rate: Rate = None,
    bench: BenchOptions,
) -> None:
    """Measure a chat: some members speak, and all must hear everything.

    All join its first room. Counted are deliveries: what reaches a member, once, unchanged, and in one order for all
    members of all servers. The latency is the time to each of them; the echo is that until a sender hears itself. A
    sender waits until it has heard itself. Start the server with --no-flood-limit: else
    it holds messages back.
    """
    from sockctl.bench.plan import Kind
    from sockctl.cli.bench_runner import Wanted, run_bench

    if senders > bench.clients:
        raise OptionError(f"--senders {senders} are more than --clients {bench.clients}: give fewer, or more clients.")
    wanted = Wanted(
        kind=Kind.CHAT,
        size_bytes=size,
        depth=_choose_depth(depth, rate),
        rate=rate,
        senders=senders,
        processes=1,
        options=bench,
    )
    raise typer.Exit(run_bench(target, port, wanted))


@app.command(
    epilog="Example:\n  sockctl bench login localhost:9090 --user ann --password-file secret.txt --count 100\n\n"
    f"{_LOGIN_EXIT_CODES}\n\n{_FIELDS}"
)
@with_bench_options
def login(
    target: Target,
    port: TargetPort = None,
    *,
    user: Annotated[
        str,
        typer.Option(
            help="Who logs in; {} becomes the client's number, from 0 on.",
            metavar="NAME",
            show_default=False,
            rich_help_panel=LOGIN,
        ),
    ],
    password_stdin: PasswordStdin = False,
    password_file: PasswordFile = None,
    rate: Rate = None,
    processes: Processes = None,
    insecure: Annotated[
        bool,
        typer.Option(
            "--insecure", help="Send the password in clear, also over the network without TLS.", rich_help_panel=LOGIN
        ),
    ] = False,
    bench: BenchOptions,
) -> None:
    """Measure logins by password, each over its own connection.

    The server is 'serve auth', or a chat with --auth. Counted is who is welcomed; the latency begins with the
    connecting. Who isn't let in counts as an error by the server's code (busy, throttled, login_failed), and rests for
    0.1 s before the next login.
    """
    from sockctl.bench.plan import Kind
    from sockctl.cli.bench_runner import Wanted, run_bench
    from sockctl.cli.passwords import read_password

    password = read_password(
        f"Password for {user}",
        check=str,
        stdin=password_stdin,
        file=password_file,
        twice=False,
        no_input=bench.no_input,
    )
    wanted = Wanted(
        kind=Kind.LOGIN, rate=rate, processes=processes, user=user, password=password, insecure=insecure, options=bench
    )
    raise typer.Exit(run_bench(target, port, wanted))


def _choose_depth(depth: int | None, rate: float | None) -> int:
    if depth is not None and rate is not None:
        raise OptionError("--depth and --rate exclude each other: on a clock nobody waits for answers.")
    return depth or 1
