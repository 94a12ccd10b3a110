"""Runs `sockctl listen`: a session for each client that comes, from the first to the end."""

import contextlib
import functools
from typing import TYPE_CHECKING

from sockctl.client.door import Admittance, ListeningDoor
from sockctl.client.io_loop import IoLoop
from sockctl.client.line_screen import REST_S, LineScreen
from sockctl.client.link import Link
from sockctl.client.screen import Screen
from sockctl.client.session import ClientSession
from sockctl.client.session_events import EndReason
from sockctl.client.settings import ClientSettings
from sockctl.client.targets import Targets
from sockctl.client.user_interface import choose_output, make_user
from sockctl.errors import SockctlError
from sockctl.events.base import Level
from sockctl.net.address import Endpoint
from sockctl.net.listener import Listeners
from sockctl.terminal import close_line

if TYPE_CHECKING:
    from sockctl.client.token_store import TokenStore
    from sockctl.client.transcript import Transcript
    from sockctl.client.tty.user import TerminalUser


def make_screen(settings: ClientSettings) -> Screen:
    """Return the screen of a listener. In a pipe it shows warnings alone, such as of a client that was refused."""
    if settings.verbose:
        lowest = Level.DETAIL
    elif settings.quiet:
        lowest = Level.ERROR
    else:
        lowest = Level.INFO if settings.terminal else Level.WARNING
    return Screen(lowest, settings.explain, json=settings.json, service="listen")


def run_listener(listeners: Listeners, settings: ClientSettings, admittance: Admittance, screen: Screen) -> bool:
    """Let clients in, and hold a session with each.

    Args:
        listeners: The listening sockets; they are closed at the end.
        settings: How each session behaves.
        admittance: Which clients come in, and how.
        screen: Where all of it is shown.

    Returns:
        Whether it came to its end; False where Ctrl-C or another signal ended it.

    Raises:
        SockctlError: The one client's session failed, no client came in time, or a standard stream broke.
    """
    with contextlib.ExitStack() as end:
        transcript = None
        if settings.output is not None:
            from sockctl.client.transcript import Transcript

            transcript = end.enter_context(contextlib.closing(Transcript(settings.output, json=settings.json)))
        user = make_user([], settings, screen, None)
        make_link = functools.partial(
            _make_link,
            Targets([_find_place(listeners)]),
            settings,
            screen,
            transcript,
            encrypted=admittance.secure is not None,
            marks=admittance.places > 1,
        )
        door = end.enter_context(contextlib.closing(ListeningDoor(listeners, admittance, make_link, screen)))
        loop = end.enter_context(contextlib.closing(IoLoop(screen=screen, user=user, door=door)))
        return _run(loop, door, user)


def _run(loop: IoLoop, door: ListeningDoor, user: "TerminalUser | None") -> bool:
    reason = EndReason.STOPPED
    try:
        while not loop.is_over:
            if user is None or not user.edit(loop.run, loop.stop, loop.read_from, "exit"):
                with close_line():
                    if user is not None:
                        user.invite()
                    loop.run()
    except BrokenPipeError:
        reason = EndReason.OUTPUT_CLOSED  # as with `| head -1`: the reader has enough
    except KeyboardInterrupt:
        reason = EndReason.INTERRUPTED
        return False
    except SockctlError as error:
        reason = EndReason.of(error)
        raise
    finally:
        if user is not None:
            user.leave()
        for link in [*loop.links]:
            loop.links.remove(link)
            door.dismiss(link, reason)
    return True


def _make_link(
    targets: Targets,
    settings: ClientSettings,
    screen: Screen,
    transcript: "Transcript | None",
    number: int,
    *,
    encrypted: bool,
    marks: bool,
) -> Link:
    """Return the link of a new session."""
    session = ClientSession(targets, settings, open_tokens=_refuse_tokens, encrypted=encrypted, number=number)
    lines = None
    if marks or screen.person:
        mark = f"#{number} " if marks and not settings.json else ""
        lines = LineScreen(screen, mark, rest_s=REST_S if screen.person else None)
    output = choose_output(settings, lines or screen, None, client=number if marks else None)
    if transcript is not None:
        output = transcript.record(lines or screen, output, lambda: False)
    return Link(session, screen=screen, output=output, lines=lines)


def _refuse_tokens() -> "TokenStore":
    raise AssertionError("raw bytes need no login")


def _find_place(listeners: Listeners) -> Endpoint:
    """Return where the clients come to: it says whether that is a Unix socket."""
    if listeners.unix is not None and not listeners.port:
        return Endpoint(listeners.unix.host, 0)
    return Endpoint(listeners.hosts[0], listeners.port)
