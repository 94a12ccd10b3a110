"""The parts of a session that depend on its settings alone, and whether it makes a lost connection again."""

from collections.abc import Callable
from typing import TYPE_CHECKING

from sockctl.client.connection import ClientConnection
from sockctl.client.inputs import LineInput, PipeInput
from sockctl.client.session_events import EndReason, TellUser
from sockctl.client.settings import ClientSettings
from sockctl.client.targets import Targets
from sockctl.errors import SockctlError

if TYPE_CHECKING:
    from sockctl.client.absence import Absence
    from sockctl.client.chat.view import ChatView
    from sockctl.client.login_lines import LoginLines
    from sockctl.client.protocol import MessageProtocol
    from sockctl.client.script import Script
    from sockctl.client.server_identity import ServerIdentity
    from sockctl.client.token_store import TokenStore


def make_source(settings: ClientSettings) -> LineInput | PipeInput:
    """Return the input of the session."""
    in_lines = (settings.web and not settings.binary) or (settings.udp and settings.datagram_bytes is None)
    if settings.terminal or settings.messages or in_lines:
        return LineInput(crlf=settings.crlf, by_hand=settings.terminal)
    return PipeInput(crlf=settings.crlf)


def make_view(settings: ClientSettings, *, own_lines_stay: bool, remark: Callable[[str], None]) -> "ChatView | None":
    """Return the memory of a chat; None where nobody reads it and no connection is made again.

    Args:
        settings: How the session behaves.
        own_lines_stay: Whether typed lines stay on the terminal, so that they aren't shown when they come back.
        remark: Tells the user something.
    """
    if not settings.shows_chat and not settings.reconnects:
        return None
    from sockctl.client.chat.view import ChatView

    return ChatView(own_lines_stay=own_lines_stay and settings.terminal, remark=remark)


def make_script(settings: ClientSettings, other: str) -> "Script | None":
    """Return the steps in place of an input; None without steps.

    Args:
        settings: How the session behaves.
        other: What the other side is, for errors.
    """
    if not settings.steps:
        return None
    from sockctl.client.script import Script

    return Script(settings.steps, timeout_s=settings.timeout_s, other=other)


class Protocols:
    """Makes the protocol of each connection of a session.

    Args:
        targets: The servers, as the user has named them.
        settings: How the session behaves.
        open_tokens: Opens the store of tokens.
        view: The memory of a chat; None without one.
        remark: Tells the user something.
        edits: Whether a person may get the line editor, and with it the whole look of a chat.
    """

    def __init__(
        self,
        targets: Targets,
        settings: ClientSettings,
        *,
        open_tokens: "Callable[[], TokenStore]",
        view: "ChatView | None",
        remark: TellUser,
        edits: bool,
    ) -> None:
        self._targets = targets
        self._settings = settings
        self._open_tokens = open_tokens
        self._view = view
        self._remark = remark
        self._edits = edits
        self._login_lines: LoginLines | None = None  # made with the first protocol

    def restart(self) -> None:
        """Let the next connection begin with the first line of a pipe again."""
        self._login_lines = None

    def make(self, server: "ServerIdentity", absence: "Absence | None", *, tries_again: bool) -> "MessageProtocol":
        """Return the protocol for a new connection.

        Args:
            server: Which server it has reached.
            absence: What the lost connections have left; None for the first connection.
            tries_again: Whether the client tries another server, or this one again, if it doesn't let the client in.
        """
        from sockctl.client.login_lines import LoginLines
        from sockctl.client.protocol import CAPABILITIES
        from sockctl.client.protocol_factory import make_protocol

        settings = self._settings
        if self._login_lines is None:
            self._login_lines = LoginLines(piped=not settings.terminal and not settings.steps)
        return make_protocol(
            settings,
            self._targets.current,
            server,
            open_tokens=self._open_tokens,
            remark=self._remark,
            view=self._view,
            insist=absence is not None or settings.messages is True,
            lines=self._login_lines,
            held=None if absence is None else absence.token,
            can=CAPABILITIES if self._edits and self._view is not None else (),
            tries_again=tries_again,
        )


def may_return(settings: ClientSettings, connection: ClientConnection, error: SockctlError | None) -> bool:
    """Return whether the connection that has just ended is made again, where a server had let the client in before.

    Args:
        settings: How the session behaves.
        connection: The connection.
        error: The error with which it ended, if it did.
    """
    protocol = connection.protocol
    if not settings.reconnects or protocol is None or protocol.is_over or connection.input_ended:
        return False
    from sockctl.client.reconnect import FAILED, LOST

    if error is None:
        return connection.end.reason is EndReason.SERVER_CLOSED and (protocol.can_return or not protocol.is_welcomed)
    return protocol.can_return and isinstance(error, LOST) if protocol.is_welcomed else isinstance(error, FAILED)


def may_go_on(settings: ClientSettings, connection: ClientConnection, error: SockctlError | None) -> bool:
    """Return whether another server of the same chat may let the client in, where none has done so yet.

    A server that has refused the client for a reason of its own has decided for all of them.

    Args:
        settings: How the session behaves.
        connection: The connection that has just ended.
        error: The error with which it ended, if it did.
    """
    protocol = connection.protocol
    if protocol is None or (settings.terminal and connection.input_ended):
        return False
    from sockctl.client.reconnect import PASSED_OVER
    from sockctl.errors import TurnedAwayError

    if error is None:
        return connection.end.reason is EndReason.SERVER_CLOSED and protocol.is_undone
    has_begun = not (protocol.wire.is_listening or protocol.is_undone or isinstance(error, TurnedAwayError))
    return isinstance(error, PASSED_OVER) and not has_begun
