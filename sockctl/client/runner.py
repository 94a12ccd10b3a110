"""Runs a session of the client, from connecting to its end."""

import contextlib
import time
from typing import TYPE_CHECKING

from sockctl.client.io_loop import IoLoop
from sockctl.client.outputs import ErrorOutput, HexOutput, JsonOutput, Output, PlainOutput, WindowOutput
from sockctl.client.screen import Screen
from sockctl.client.session import ClientSession
from sockctl.client.session_events import EndReason, SessionEnded
from sockctl.client.settings import ClientSettings
from sockctl.errors import SockctlError, StoreReadError
from sockctl.events.base import Level
from sockctl.net.address import Endpoint
from sockctl.net.connector import Secure, Tell, connect
from sockctl.net.transport import Transport

if TYPE_CHECKING:
    from sockctl.client.chat.view import ChatView
    from sockctl.client.room_log import RoomLog
    from sockctl.client.token_store import TokenStore
    from sockctl.client.transcript import Transcript
    from sockctl.client.trust import TlsPolicy
    from sockctl.client.tty.user import TerminalUser
    from sockctl.client.typed_entries import TypedEntries


def run_session(
    endpoint: Endpoint,
    settings: ClientSettings,
    policy: "TlsPolicy | None",
) -> bool:
    """Connect to `endpoint`, under TLS if there is a `policy` for it, and hold the session.

    Returns:
        Whether it came to its end; False where Ctrl-C ended it.

    Raises:
        SockctlError: The server can't be reached, the connection broke, the server did something unexpected, or a
            standard stream broke.
    """
    if settings.output is None:
        return _run_session(endpoint, settings, policy, None)
    from sockctl.client.transcript import Transcript

    with contextlib.closing(Transcript(settings.output, json=settings.json)) as transcript:
        return _run_session(endpoint, settings, policy, transcript)


def _run_session(
    endpoint: Endpoint, settings: ClientSettings, policy: "TlsPolicy | None", transcript: "Transcript | None"
) -> bool:
    screen = Screen(_choose_level(settings), settings.explain)
    secure = _make_secure(endpoint, policy, screen.emit)

    def connect_again(emit: Tell) -> Transport:
        from dataclasses import replace

        asking_nobody = None if policy is None else replace(policy, may_ask=False)  # the terminal has its line to show
        secure = _make_secure(endpoint, asking_nobody, emit)
        return connect(
            endpoint,
            tell=emit,
            timeout_s=settings.timeout_s,
            family=settings.family,
            source=settings.source,
            secure=secure,
        )

    def open_tokens() -> "TokenStore":
        from sockctl.client.token_store import TokenStore
        from sockctl.paths import find_state_dir

        return TokenStore(find_state_dir(settings.state_dir))

    sock = connect(
        endpoint,
        tell=screen.emit,
        timeout_s=settings.timeout_s,
        retries=settings.retries,
        family=settings.family,
        source=settings.source,
        secure=secure,
    )
    session = ClientSession(
        endpoint,
        settings,
        open_tokens=open_tokens,
        encrypted=secure is not None,
        own_lines_stay=screen.person,
        edits=_may_edit(settings),
    )
    user = _make_user(endpoint, settings, screen, session)
    output = _choose_output(settings, screen, session.view)
    if transcript is not None:
        output = transcript.record(screen, output, lambda: session.is_framed)
    loop = IoLoop(
        session, endpoint, connect_again, screen=screen, output=output, user=user, log=_log(endpoint, settings, screen)
    )
    return _run(loop, session, sock, user)


def _run(loop: IoLoop, session: ClientSession, sock: Transport, user: "TerminalUser | None") -> bool:
    def end(reason: EndReason) -> None:
        if user is not None:
            user.leave()
        loop.perform(session.close(reason, time.monotonic(), cut=loop.was_cut))

    try:
        loop.begin(sock)
        _hold(loop, session, user)
        ended = loop.ended or SessionEnded(EndReason.STOPPED)
        end(ended.reason)
        if ended.error is not None:
            raise ended.error
    except BrokenPipeError:
        end(EndReason.OUTPUT_CLOSED)  # as with `| head -1`: the reader has enough
    except KeyboardInterrupt:
        end(EndReason.INTERRUPTED)
        return False
    except SockctlError as error:
        end(EndReason.of(error))
        raise
    finally:
        if user is not None:
            user.leave()
        loop.close()
    return True


def _hold(loop: IoLoop, session: ClientSession, user: "TerminalUser | None") -> None:
    """Run to the end, under the line editor where that can be."""
    if user is not None:
        while session.is_listening and loop.ended is None:
            if session.wants_input:
                user.invite()
            loop.step()
        if (
            session.is_framed
            and loop.ended is None
            and user.edit(loop.run, loop.stop, loop.read_from, session.leave_word)
        ):
            return
        if loop.ended is None:
            user.invite()
    loop.run()


def _choose_level(settings: ClientSettings) -> Level | None:
    """Return the level from which on events are shown; None for none."""
    if settings.verbose:
        return Level.DETAIL
    if not settings.terminal:
        return Level.WARNING if settings.reconnects else None
    return Level.ERROR if settings.quiet else Level.INFO


def _make_secure(endpoint: Endpoint, policy: "TlsPolicy | None", emit: Tell) -> Secure | None:
    if policy is None:
        return None
    from sockctl.client.trust import Trust

    return Trust(endpoint, policy, emit).secure


def _choose_output(settings: ClientSettings, screen: Screen, view: "ChatView | None") -> Output:
    """Return the form in which the server's words are shown."""
    if settings.send_only:
        return ErrorOutput(screen)
    if settings.hex_dump:
        return HexOutput(screen)
    if settings.json:
        return JsonOutput(screen)
    if not screen.person:
        return PlainOutput(screen, None, errors_apart=not settings.terminal)
    from sockctl.client.chat.formatter import MessageFormatter

    formatter = MessageFormatter(colours=screen.colours)
    if view is None:
        return PlainOutput(screen, formatter, errors_apart=not settings.terminal)
    return WindowOutput(screen, formatter, view, errors_apart=not settings.terminal)


def _make_user(
    endpoint: Endpoint, settings: ClientSettings, screen: Screen, session: ClientSession
) -> "TerminalUser | None":
    """Return the person at the terminal, if there is one."""
    if not settings.terminal:
        return None
    from sockctl.client.tty.user import TerminalUser

    return TerminalUser(
        screen,
        session.view,
        may_edit=_may_edit(settings),
        quiet=settings.quiet,
        typed=_typed(endpoint, settings),
        away_s=lambda: session.away_s(time.monotonic()),
    )


def _log(endpoint: Endpoint, settings: ClientSettings, screen: Screen) -> "RoomLog | None":
    """Return the log of rooms; None without one."""
    if settings.log is None:
        return None
    from sockctl.client.room_log import RoomLog

    return RoomLog(settings.log, endpoint, remark=screen.remark)


def _typed(endpoint: Endpoint, settings: ClientSettings) -> "TypedEntries | None":
    """Return where typed lines are kept for the next time; None for nowhere."""
    if not settings.keep_typed or not settings.session or not _may_edit(settings):
        return None
    from sockctl.client.typed_entries import TypedEntries
    from sockctl.paths import find_state_dir

    try:
        place = find_state_dir(settings.state_dir)
    except StoreReadError:
        return None  # there is no home directory
    return TypedEntries(place, endpoint)


def _may_edit(settings: ClientSettings) -> bool:
    """Return whether a person may get the line editor."""
    if not settings.terminal or settings.plain or settings.hex_dump:
        return False
    from sockctl.client.tty.terminal_mode import can_edit_lines

    return can_edit_lines()
