"""Makes the protocol of a new connection from the session's settings."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from sockctl.client.login_lines import LoginLines
from sockctl.client.plaintext_guard import PlaintextGuard
from sockctl.client.protocol import MessageProtocol
from sockctl.client.server_identity import ServerIdentity
from sockctl.client.session_events import TellUser
from sockctl.client.settings import ClientSettings
from sockctl.client.token_login import TokenLogin
from sockctl.net.address import Endpoint

if TYPE_CHECKING:
    from sockctl.client.chat.view import ChatView
    from sockctl.client.held_token import Held
    from sockctl.client.token_store import TokenStore


def make_protocol(
    settings: ClientSettings,
    endpoint: Endpoint,
    server: ServerIdentity,
    *,
    open_tokens: "Callable[[], TokenStore]",
    remark: TellUser,
    view: "ChatView | None",
    insist: bool,
    lines: LoginLines | None = None,
    held: "Held | None" = None,
    can: Sequence[str] = (),
    tries_again: bool = False,
) -> MessageProtocol:
    """Return the protocol of a connection.

    Args:
        settings: How the session behaves.
        endpoint: The server, as the user has named it.
        server: Which server the connection has reached.
        open_tokens: Opens the store of tokens.
        remark: Tells the user something.
        view: The memory of a chat; None without one.
        insist: Whether only a message service will do.
        lines: The lines of a pipe, which may begin with the user's name and password; None without a pipe.
        held: The token of an earlier connection of this session.
        can: What the client can show in a chat, and not every client can.
        tries_again: Whether the client tries another server, or this one again, if it doesn't let the client in.
    """
    guarded = server.in_clear and not settings.insecure
    login = TokenLogin(
        server,
        uses_tokens=settings.session and not settings.hex_dump and not guarded,  # a hex dump would show the token
        open_tokens=open_tokens,
        remark=remark,
        steps=settings.steps,
        lines=lines,
        held=held,
        user=settings.user,
        tells=settings.terminal or settings.verbose,
        unattended=not settings.terminal,
        comes_back=settings.reconnects,
    )
    guard = PlaintextGuard(endpoint) if guarded else None
    return MessageProtocol(
        insist=insist,
        login=login,
        guard=guard,
        view=view,
        in_turns=not settings.terminal,
        can=can,
        moves_on=bool(server.chat),
        tries_again=tries_again,
    )
