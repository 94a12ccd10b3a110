"""``sockctl serve …``: the servers."""

import enum
import functools
from typing import Annotated

import typer

from sockctl.cli.account_stores import ServerStoreOptions
from sockctl.cli.chat_options import ChatOptions
from sockctl.cli.commands import declare_group
from sockctl.cli.exec_options import ExecOptions, MaxPrograms
from sockctl.cli.options import DEFAULT_MIN_LENGTH, MinLength, Seconds, declare_time, with_option_group
from sockctl.cli.server_options import ServerOptions, with_server_options
from sockctl.cli.udp_options import UdpOptions, with_udp_options
from sockctl.cli.web_options import WebOptions, with_web_options

app = declare_group("Start a server.", "Example:\n  sockctl serve echo --port 9090")


class Transform(enum.StrEnum):
    """The case of the text that comes back."""

    NONE = "none"
    UPPER = "upper"
    LOWER = "lower"


@app.command(
    epilog="Examples:\n  sockctl serve echo --transform upper --log-file log\n  sockctl serve echo --read-size 1024\n"
    "  sockctl serve echo --udp"
)
@with_server_options
@with_web_options
@with_udp_options
def echo(
    *,
    transform: Annotated[Transform, typer.Option(help="Case in which text comes back.")] = Transform.NONE,
    portion: Annotated[
        int, typer.Option(help="Bytes in a portion, the unit that data is told in.", min=1, max=65_536, metavar="BYTES")
    ] = 1024,
    read_size: Annotated[
        int,
        typer.Option(
            help="The most bytes that one recv() takes; 1024 shows how a small buffer slows reading down.",
            min=1,
            max=65_536,
            metavar="BYTES",
        ),
    ] = 65_536,
    udp: UdpOptions,
    web: WebOptions,
    server: ServerOptions,
) -> None:
    """Send back what clients send (RFC 862).

    Tells every event with an explanation. Ctrl-C stops it in order, a second Ctrl-C at once. With --udp, each datagram
    comes back as it is, and a client is an address that was heard within --idle-timeout (60s then).
    """
    from sockctl.services.echo import Case, CaseEcho, Echo

    if udp.are_given:
        from sockctl.cli.serve_udp import serve_udp

        case = None if transform is Transform.NONE else Case(transform.value)
        raise typer.Exit(serve_udp(case, udp, server, others={"portion": portion, "read_size": read_size}, web=web))
    from sockctl.cli.serve_runner import serve

    service = Echo() if transform is Transform.NONE else CaseEcho(Case(transform.value))
    raise typer.Exit(serve(service, server, portion=portion, read_size=read_size, web_options=web))


@app.command(
    epilog="Example, the second in another terminal, twice:\n  sockctl serve identify\n  sockctl connect sockctl://localhost:9090"
)
@with_server_options
def identify(*, server: ServerOptions) -> None:
    """Know clients by IP address: greet them, or ask for a name.

    Names are kept in clients.db in the data directory; 'sockctl clients' lists, renames and forgets them.
    """
    from sockctl.cli.serve_runner import serve
    from sockctl.paths import find_data_dir
    from sockctl.services.identify import Identify
    from sockctl.services.known_clients import KnownClients

    clients = KnownClients(find_data_dir(server.data_dir))
    clients.list_all()  # fails now, not at the first client, if the file can't be used
    raise typer.Exit(serve(Identify(clients, ipv6_prefix=server.ipv6_prefix), server))


@app.command(epilog="Examples:\n  sockctl serve talk\n  sockctl serve talk --reply-with 'bc -lq'")
@with_server_options
def talk(
    *,
    reply_with: Annotated[
        str | None,
        typer.Option(
            help="Let this program answer, one process for each client: a message a line in, an answer a line out.",
            metavar="COMMAND",
        ),
    ] = None,
    max_programs: MaxPrograms = 16,
    program_idle: Annotated[
        float,
        declare_time(
            "With --reply-with: end a program when neither it nor its client says anything for so long.", at_least=0.01
        ),
    ] = Seconds(600),
    server: ServerOptions,
) -> None:
    """Talk with clients from this terminal, message for message.

    What clients say is shown with their number. What you type goes to the client that the prompt shows, mostly the one
    that spoke last; '@2 hello' goes to client 2. The command of --reply-with is split as a shell splits it, but no
    shell runs it.
    """
    from sockctl.cli.serve_runner import serve

    if reply_with is not None:
        from sockctl.cli.serve_exec import split_command
        from sockctl.services.program_reply import ProgramReply
        from sockctl.signals import wait_for_children

        service = ProgramReply(split_command(reply_with), max_programs=max_programs, idle_s=program_idle)
        wait_for_children()
        raise typer.Exit(serve(service, server))
    from sockctl.cli.operator_terminal import may_edit

    if may_edit() and not server.no_input:
        from sockctl.cli.talk_console import TalkConsole

        with TalkConsole() as console:
            raise typer.Exit(serve(console.talk, server, terminal=console))
    from sockctl.cli.line_console import TalkLines

    with TalkLines() as lines:
        raise typer.Exit(serve(lines.talk, server, terminal=lines))


@app.command(
    "exec",
    epilog="Examples:\n  sockctl serve exec -- tr a-z A-Z\n"
    "  sockctl serve exec --host '' --allow 192.0.2.0/24 --tls -- bc -lq\n"
    "  sockctl serve exec --unix shell.sock --pty -- bash",
    context_settings={"allow_interspersed_args": False},
)
@with_server_options
@functools.partial(with_option_group, name="options", group=ExecOptions)
def run_program(
    *,
    command: Annotated[
        list[str],
        typer.Argument(
            metavar="COMMAND...", help="The program and its arguments; no shell reads them.", show_default=False
        ),
    ],
    options: ExecOptions,
    server: ServerOptions,
) -> None:
    """Start a program for each client: its bytes are the program's input, the output goes to the client.

    Bytes pass unchanged, half-closes as well; standard error becomes events. The program ends with its connection, and
    the connection with its program. Each client uses the program with your rights. So beyond this machine it
    needs --allow; where others use this machine, too, --unix keeps them out.
    """
    from sockctl.cli.serve_exec import serve_exec

    raise typer.Exit(serve_exec(command, options, server))


@app.command(epilog="Example:\n  sockctl users add ann\n  sockctl serve auth --tls")
@with_server_options
@functools.partial(with_option_group, name="store", group=ServerStoreOptions)
def auth(
    *,
    signup: Annotated[
        bool,
        typer.Option(
            "--signup", help="Let an unknown client choose a password and become a user.", rich_help_panel="Accounts"
        ),
    ] = False,
    min_length: MinLength = DEFAULT_MIN_LENGTH,
    insecure: Annotated[
        bool,
        typer.Option(
            "--insecure",
            help="Take passwords in clear from other machines, where everyone may read them.",
            rich_help_panel="Accounts",
        ),
    ] = False,
    store: ServerStoreOptions,
    server: ServerOptions,
) -> None:
    """Let users log in by password, and stay logged in by token.

    Users come from 'sockctl users add', or sign up. A user who is logged in may list the sessions, change the password,
    and log out. The server takes no other port than its own (--strict-port): no other program may get a password.
    """
    from sockctl.cli.serve_accounts import find_stores, guard_options, make_login
    from sockctl.cli.serve_runner import serve
    from sockctl.services.auth import Auth

    server = guard_options(server, insecure=insecure)
    stores, warnings = find_stores(store)
    login = make_login(server, signup=signup, min_length=min_length, stores=stores)
    raise typer.Exit(serve(Auth(login), server, warnings=warnings))


@app.command(
    epilog="Example, the second in two other terminals:\n  sockctl serve chat\n  sockctl connect sockctl://localhost:9090"
)
@with_server_options
@with_web_options
@functools.partial(with_option_group, name="chat_options", group=ChatOptions)
def chat(*, chat_options: ChatOptions, web: WebOptions, server: ServerOptions) -> None:
    """Serve a chat with rooms, for people and programs.

    Everybody hears the same in the same order. On a terminal you read along, and chat as the operator 'server'; /help
    lists the commands. Topics, bans and the last messages of each room outlast a restart.
    """
    from sockctl.cli.serve_chat import serve_chat

    raise typer.Exit(serve_chat(server, chat_options, web))
