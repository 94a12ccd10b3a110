"""Runs a session of the client, from connecting to its end."""

import contextlib
import functools
import socket
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from sockctl.client.io_loop import INPUT_BYTES, IoLoop
from sockctl.client.link import READ_BYTES, Link
from sockctl.client.screen import Screen
from sockctl.client.session import ClientSession
from sockctl.client.session_events import EndReason, SessionEnded
from sockctl.client.settings import ClientSettings
from sockctl.client.targets import Targets, describe_failure
from sockctl.client.user_interface import choose_level, choose_output, hide_ahead, make_user, may_edit, open_log
from sockctl.deadline import Deadline
from sockctl.errors import ConnectTimeoutError, SockctlError, StreamError, UnreachableError
from sockctl.net.address import Endpoint
from sockctl.net.connector import Secure, Tell, connect, try_again
from sockctl.net.transport import Transport
from sockctl.terminal import close_line

if TYPE_CHECKING:
    from sockctl.client.token_store import TokenStore
    from sockctl.client.transcript import Transcript
    from sockctl.client.trust import TlsPolicy
    from sockctl.client.tty.user import TerminalUser
    from sockctl.net.web.client import WebRequest


def run_session(
    endpoints: Sequence[Endpoint],
    settings: ClientSettings,
    policy: "TlsPolicy | None",
    web: "WebRequest | None" = None,
) -> bool:
    """Connect to the first server that answers, and hold the session.

    Args:
        endpoints: The server, or several of one chat.
        settings: How the session behaves.
        policy: The user's options for TLS; None without TLS.
        web: The request for a WebSocket; None for another wire.

    Returns:
        Whether it came to its end; False where Ctrl-C ended it.

    Raises:
        SockctlError: The server can't be reached, the connection broke, the server did something unexpected, or a
            standard stream broke.
    """
    targets = Targets(endpoints)
    screen = Screen(choose_level(settings), settings.explain, json=settings.json)

    def open_tokens() -> "TokenStore":
        from sockctl.client.token_store import TokenStore
        from sockctl.paths import find_state_dir

        return TokenStore(find_state_dir(settings.state_dir))

    connect_to = functools.partial(_connect, targets, settings, policy, web)
    go_round = functools.partial(_go_round, targets, functools.partial(connect_to, asks=True), screen.emit)
    with contextlib.ExitStack() as stack:
        ahead = hide_ahead(settings, stack) if policy is None else None  # else a question may come, on a certificate
        with close_line():
            sock = try_again(go_round, tell=screen.emit, retries=settings.retries)
        transcript = _open_transcript(settings, sock)
        session = ClientSession(
            targets,
            settings,
            open_tokens=open_tokens,
            encrypted=policy is not None,
            own_lines_stay=screen.person,
            edits=may_edit(settings),
        )
        user = make_user(targets.endpoints, settings, screen, session, ahead=ahead or hide_ahead(settings, stack))
        output = choose_output(settings, screen, session.view)
        if transcript is not None:
            stack.callback(transcript.close)
            output = transcript.record(screen, output, lambda: session.is_framed or settings.web)
        log = open_log(targets.endpoints, settings, screen)
        link = Link(session, connect_to, screen=screen, output=output, user=user, log=log)
        if settings.raw_terminal:  # now: while connecting, the user may be asked about a certificate
            from sockctl.client.tty.raw_terminal import raw_terminal

            stack.enter_context(raw_terminal(screen, quiet=settings.quiet))
        input_bytes = READ_BYTES if settings.web or settings.udp else INPUT_BYTES  # a read may be a message there
        loop = IoLoop(link, screen=screen, user=user, input_bytes=input_bytes)
        return _run(loop, link, sock, user, raw=settings.raw_terminal)


def _connect(
    targets: Targets,
    settings: ClientSettings,
    policy: "TlsPolicy | None",
    web: "WebRequest | None",
    endpoint: Endpoint,
    emit: Tell,
    *,
    asks: bool = False,
) -> Transport:
    """Connect to one server; ``asks`` lets the user be asked about its certificate. Raises what `connect` raises."""
    if settings.udp:
        from sockctl.net.udp.connector import open_datagrams

        return open_datagrams(
            endpoint, tell=emit, timeout_s=settings.timeout_s, family=settings.family, source=settings.source
        )
    trusted = policy
    if policy is not None and not asks:
        from dataclasses import replace

        trusted = replace(policy, may_ask=False)  # the terminal has its line to show
    return connect(
        endpoint,
        tell=emit,
        timeout_s=settings.timeout_s / len(targets.endpoints),
        family=settings.family,
        source=settings.source,
        secure=_make_secure(endpoint, trusted, web, emit),
    )


def _go_round(targets: Targets, connect_to: Callable[[Endpoint, Tell], Transport], emit: Tell) -> Transport:
    """Connect to the first server of a round that answers.

    An error of TLS ends the round: nothing may hide from the user that somebody may be in between.

    Raises:
        SockctlError: A server is not to be trusted, or none can be reached.
    """
    while True:
        try:
            return connect_to(targets.current, emit)
        except (UnreachableError, ConnectTimeoutError) as error:
            if not targets.are_several:
                raise
            server, explained = targets.current, targets.explain(error)
            if not targets.advance(error):
                raise explained from error
            from sockctl.events.reconnecting import TargetFailed

            emit(TargetFailed(server=str(server), error=describe_failure(server, error), next=str(targets.current)))


def _open_transcript(settings: ClientSettings, sock: Transport) -> "Transcript | None":
    """Empty the file of the transcript, now that there is a connection to tell of; None where none is wanted.

    Raises:
        StreamError: It can't be opened; the connection is closed.
    """
    if settings.output is None:
        return None
    from sockctl.client.transcript import Transcript

    try:
        return Transcript(settings.output, json=settings.json)
    except StreamError:
        sock.close()
        raise


def _run(loop: IoLoop, link: Link, sock: Transport, user: "TerminalUser | None", *, raw: bool) -> bool:
    def end(reason: EndReason) -> None:
        if user is not None:
            user.leave()
        link.tell_end(reason)

    try:
        link.begin(sock)
        _hold(loop, link, user, raw=raw)
        ended = link.ended or SessionEnded(EndReason.STOPPED)
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


def _hold(loop: IoLoop, link: Link, user: "TerminalUser | None", *, raw: bool) -> None:
    """Run to the end, under the line editor where that can be; a raw terminal shows no ``^C`` of a key."""
    session = link.session
    if user is not None:

        def listens() -> bool:
            if session.is_listening and session.wants_input:
                user.invite()
            return session.is_listening

        with close_line():
            loop.run(listens)
        if (
            session.is_framed
            and link.ended is None
            and user.edit(loop.run, loop.stop, loop.read_from, session.leave_word)
        ):
            return
    with contextlib.nullcontext() if raw else close_line():
        if user is not None and link.ended is None:
            user.invite()
        loop.run()


def _make_secure(endpoint: Endpoint, policy: "TlsPolicy | None", web: "WebRequest | None", emit: Tell) -> Secure | None:
    """Return what makes TLS, a WebSocket, or both of a connected socket; None for nothing."""
    secure: Secure | None = None
    if policy is not None:
        from sockctl.client.trust import Trust

        secure = Trust(endpoint, policy, emit).secure
    return secure if web is None else functools.partial(_open_websocket, endpoint, secure, web, emit)


def _open_websocket(
    endpoint: Endpoint, secure: Secure | None, web: "WebRequest", emit: Tell, sock: socket.socket, timeout_s: float
) -> Transport:
    from sockctl.events.client_web import WebSocketAgreed
    from sockctl.net.web.client import open_websocket

    deadline = Deadline.after(timeout_s)
    transport = sock if secure is None else secure(sock, timeout_s)
    emit(WebSocketAgreed(subprotocol=open_websocket(transport, endpoint, web, deadline.left_s)))
    return transport
