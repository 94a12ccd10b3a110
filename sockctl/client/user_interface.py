"""The user's side of a session: how it shows what comes, the person at the terminal, and the log of rooms."""

import contextlib
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from sockctl.client.outputs import ErrorOutput, HexOutput, JsonOutput, Output, PlainOutput, WindowOutput
from sockctl.client.screen import Screen
from sockctl.client.session import ClientSession
from sockctl.client.settings import ClientSettings
from sockctl.errors import StoreReadError
from sockctl.events.base import Level
from sockctl.net.address import Endpoint
from sockctl.terminal import STDIN

if TYPE_CHECKING:
    from sockctl.client.chat.view import ChatView
    from sockctl.client.room_log import RoomLog
    from sockctl.client.tty.no_echo import NoEcho
    from sockctl.client.tty.user import TerminalUser
    from sockctl.client.typed_entries import TypedEntries


def choose_level(settings: ClientSettings) -> Level | None:
    """Return the level from which on events are shown; None for none."""
    if settings.verbose:
        return Level.DETAIL
    if not settings.terminal:
        return Level.WARNING if settings.reconnects else None
    return Level.ERROR if settings.quiet else Level.INFO


def choose_output(
    settings: ClientSettings, screen: Screen, view: "ChatView | None", *, client: int | None = None
) -> Output:
    """Return the form in which the other side's words are shown.

    Args:
        settings: How the session behaves.
        screen: Where to.
        view: The memory of a chat; None without one.
        client: The number of the client, where JSON is to name it.
    """
    if settings.send_only:
        return ErrorOutput(screen)
    if settings.hex_dump:
        return HexOutput(screen)
    if settings.json:
        return JsonOutput(screen, client=client)
    if not screen.person or settings.raw_terminal:
        keeps_ends = settings.datagram_bytes is not None
        return PlainOutput(screen, None, errors_apart=not settings.terminal, keeps_ends=keeps_ends)
    from sockctl.client.chat.formatter import MessageFormatter

    formatter = MessageFormatter(colours=screen.colours)
    if view is None:
        return PlainOutput(screen, formatter, errors_apart=not settings.terminal)
    return WindowOutput(screen, formatter, view, errors_apart=not settings.terminal)


def make_user(
    servers: Sequence[Endpoint],
    settings: ClientSettings,
    screen: Screen,
    session: ClientSession | None,
    *,
    ahead: "NoEcho | None" = None,
) -> "TerminalUser | None":
    """Return the person at the terminal, if there is one.

    Args:
        servers: The servers for which typed lines are kept; empty for none.
        settings: How the session behaves.
        screen: Shows remarks.
        session: The only session; None where sessions come and go.
        ahead: What `hide_ahead` has returned.
    """
    if not settings.terminal:
        return None
    from sockctl.client.tty.user import TerminalUser

    return TerminalUser(
        screen,
        None if session is None else session.view,
        may_edit=may_edit(settings),
        quiet=settings.quiet,
        typed=_typed(servers, settings),
        away_s=lambda: None if session is None else session.away_s(time.monotonic()),
        may_keep=lambda: session is None or not session.may_be_asked,
        ahead=ahead,
    )


def hide_ahead(settings: ClientSettings, stack: contextlib.ExitStack) -> "NoEcho | None":
    """Hide what is typed until the user is invited to type, or the stack ends; return None where all may be seen.

    What is typed while the client connects may be a password, ahead of its question.
    """
    if settings.messages is False or not may_edit(settings):
        return None
    from sockctl.client.tty.no_echo import NoEcho

    ahead = NoEcho(STDIN)
    stack.enter_context(ahead.hidden())
    return ahead


def open_log(servers: Sequence[Endpoint], settings: ClientSettings, screen: Screen) -> "RoomLog | None":
    """Return the log of rooms; None without one."""
    if settings.log is None:
        return None
    from sockctl.client.room_log import RoomLog

    return RoomLog(settings.log, servers, remark=screen.remark)


def may_edit(settings: ClientSettings) -> bool:
    """Return whether a person may get the line editor."""
    if not settings.terminal or settings.plain or settings.hex_dump:
        return False
    from sockctl.client.tty.terminal_mode import can_edit_lines

    return can_edit_lines()


def _typed(servers: Sequence[Endpoint], settings: ClientSettings) -> "TypedEntries | None":
    """Return where typed lines are kept for the next time; None for nowhere."""
    if not servers or not settings.keep_typed or not settings.session or not may_edit(settings):
        return None
    from sockctl.client.typed_entries import TypedEntries
    from sockctl.paths import find_state_dir

    try:
        place = find_state_dir(settings.state_dir)
    except StoreReadError:
        return None  # there is no home directory
    return TypedEntries(place, servers)
