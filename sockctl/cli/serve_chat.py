"""Runs ``sockctl serve chat``: parses its options, and opens the server's terminal for an operator."""

import contextlib
import functools
import re
from collections.abc import Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sockctl.cli.chat_options import ChatOptions
from sockctl.cli.engine_options import is_given
from sockctl.cli.exit_codes import ExitCode
from sockctl.cli.operator_terminal import may_edit
from sockctl.cli.serve_accounts import find_stores, guard_options, make_login
from sockctl.cli.serve_cluster import check_name, check_store, make_backing
from sockctl.cli.serve_runner import serve
from sockctl.cli.serve_web import Advertised
from sockctl.cli.server_options import ServerOptions
from sockctl.cli.web_options import WebOptions
from sockctl.errors import OptionError
from sockctl.events.base import Event
from sockctl.events.cluster import StoreUnsafe
from sockctl.paths import find_data_dir
from sockctl.protocol.names import make_name_key
from sockctl.services.chat.commands import parse_room
from sockctl.services.chat.service import Chat
from sockctl.services.chat.settings import ChatRules
from sockctl.services.login import LoginConversation
from sockctl.terminal import STDIN, is_terminal

if TYPE_CHECKING:
    from sockctl.cluster.engine_access import EngineAccess
    from sockctl.cluster.node_settings import NodeTimes
    from sockctl.protocol.http_rules import Origin

MAX_MOTD_LINES, MAX_MOTD_BYTES = 50, 4_096
_FLOOD = re.compile(r"([0-9]{1,6})/([0-9]{1,6}(?:\.[0-9]{1,6})?)")


def serve_chat(
    options: ServerOptions, chat_options: ChatOptions, web: WebOptions, *, times: "NodeTimes | None" = None
) -> ExitCode:
    """Serve until a signal stops the server; on a terminal, an operator reads and types.

    Args:
        options: The options of the server.
        chat_options: The options of the chat.
        web: The options about browsers.
        times: The times of a node; None for the usual ones.

    Raises:
        OptionError: The options contradict each other, or a stranger could sign up as an operator.
        RoomRefusedError: A room can't have that name.
        SockctlError: As for `serve`; or the files or the engine of the chat can't be used.
    """
    rules, login, warnings = _parse_rules(chat_options), None, list[StoreUnsafe]()
    access = _find_engine(chat_options)
    own = _parse_advertised(chat_options, web, encrypted=options.encrypted)
    if access is not None:
        warnings = check_store(access)
    if chat_options.with_accounts:
        options = guard_options(options, insecure=chat_options.insecure)
        stores, more = find_stores(chat_options.accounts, cluster=access)
        warnings += more
        login = make_login(options, signup=chat_options.signup, min_length=chat_options.min_length, stores=stores)
    else:
        _refuse_without_accounts(chat_options)
    if login is not None and login.lets_sign_up:
        _check_operators(rules.operators, login)
    if access is None:
        return _serve(Chat(find_data_dir(options.data_dir), rules, login=login), options, web, warnings)
    from sockctl.services.chat.shared_pages import SharedPages

    pages = SharedPages(own)
    backing = make_backing(access, chat_options, times, pages=pages)
    chat = Chat(backing, rules, login=login)
    with contextlib.closing(backing):  # the server may not even start
        advertised = None if own is None else Advertised(own, pages.list_all)
        return _serve(chat, options, web, warnings, advertised=advertised)


def _serve(
    chat: Chat,
    options: ServerOptions,
    web: WebOptions,
    warnings: Sequence[Event],
    *,
    advertised: Advertised | None = None,
) -> ExitCode:
    run = functools.partial(serve, chat, options, warnings=warnings, web_options=web, advertised=advertised)
    if not is_terminal(STDIN) or options.no_input:
        return run()
    if may_edit():
        from sockctl.cli.chat_console import ChatConsole

        with ChatConsole(chat) as console:
            return run(terminal=console)
    from sockctl.cli.line_console import ChatLines

    with ChatLines(chat) as lines:
        return run(terminal=lines)


def _find_engine(options: ChatOptions) -> "EngineAccess | None":
    """Return the way to the engine that the chat's machines share; None for a chat on this machine alone."""
    if options.node is not None:
        if options.cluster is None:
            raise OptionError("--node is the name among several servers: add --cluster.")
        check_name(options.node)
    if options.cluster is not None:
        return options.accounts.engine.make_access(options.cluster)
    if options.accounts.store is None:
        options.accounts.engine.refuse_without_engine("--cluster")
    return None


def _parse_advertised(options: ChatOptions, web: WebOptions, *, encrypted: bool) -> "Origin | None":
    """Return the address that the server tells the others of its page; None if it tells none."""
    from sockctl.protocol.http_rules import parse_origin

    url = options.advertise
    if url is None:
        return None
    if options.cluster is None or web.web is None:
        raise OptionError("--advertise tells the pages of other servers where this one's is: add --cluster and --web.")
    origin = parse_origin(url.removesuffix("/"))
    if origin is None or ":" in origin.host:
        raise OptionError(
            f"--advertise {url!r} is no address of a page: give one such as http://one.example:9080. The host is a "
            "name or an IPv4 address, as the policy of a page can name no other."
        )
    if encrypted and origin.scheme != "https":
        raise OptionError(f"--advertise {url!r}: with --tls, the page is at https://{url.partition('://')[2]}.")
    return origin


def _refuse_without_accounts(options: ChatOptions) -> None:
    if options.operator or options.signup or options.insecure:
        raise OptionError("--operator, --signup and --insecure are about users who log in: add --auth.")
    if is_given("--store", options.accounts.store):
        raise OptionError("--store is about users who log in: add --auth. --cluster keeps the chat in an engine.")


def _parse_rules(options: ChatOptions) -> ChatRules:
    """Return the rules that the options set."""
    return ChatRules(
        rooms=list(dict.fromkeys(map(parse_room, options.room or []))),
        motd=[] if options.motd is None else _read_motd(options.motd),
        history=options.history,
        flood=None if options.no_flood_limit else _parse_flood(options.flood),
        operators=frozenset(make_name_key(operator.strip()) for operator in options.operator or []),
    )


def _check_operators(operators: Collection[str], login: LoginConversation) -> None:
    for name in sorted(operators):
        if login.authenticator.accounts.users.find(name) is None:
            raise OptionError(
                f"--operator {name}: there is no such user, so with --signup a stranger could become it. Add it first: "
                f"sockctl users add {name}"
            )


def _parse_flood(text: str) -> tuple[float, float]:
    match = _FLOOD.fullmatch(text)
    burst, rate = (float(match[1]), float(match[2])) if match else (0.0, 0.0)
    if burst < 1 or rate <= 0:
        raise OptionError(
            f"--flood {text!r} can't be understood: write BURST/RATE, such as 20/10 for 20 messages at once and 10 a "
            f"second; --no-flood-limit sets none."
        )
    return burst, rate


def _read_motd(path: Path) -> list[str]:
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except OSError as error:
        raise OptionError(f"--motd {path} can't be read: {error.strerror}. Is its name right?") from error
    except UnicodeDecodeError as error:
        raise OptionError(f"--motd {path} is not UTF-8 (byte {error.start}): save it as UTF-8.") from error
    if len(lines) > MAX_MOTD_LINES:
        raise OptionError(f"--motd {path} has {len(lines):,} lines: {MAX_MOTD_LINES} may be told to everybody.")
    if any(len(line.encode()) > MAX_MOTD_BYTES for line in lines):
        raise OptionError(f"--motd {path} has a line of more than {MAX_MOTD_BYTES:,} bytes: break it.")
    return lines
