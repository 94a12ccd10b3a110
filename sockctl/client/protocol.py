"""The client's side of a connection whose server speaks in messages, or may."""

from typing import TYPE_CHECKING

from sockctl.client.dialogue import Dialogue
from sockctl.client.plaintext_guard import PlaintextGuard
from sockctl.client.token_login import TokenLogin
from sockctl.protocol.client_wire import ClientWire, Phase
from sockctl.protocol.messages import Message, message

if TYPE_CHECKING:
    from sockctl.client.chat.view import ChatView

__all__ = ["MessageDialogue"]

COMING_BACK = frozenset({"ping_timeout"})
"""Reasons of a goodbye that only says that the connection was lost: this side was asleep, for instance."""


class MessageDialogue(Dialogue):
    """Raw until the server greets, then in messages; each method means what that of `Dialogue` means.

    Args:
        insist: Whether only a message service will do.
        line_end: What ends a line where it stays raw.
        resuming: What is done about the login.
        discretion: What keeps passwords back where the connection is in clear; None where they may go.
        view: What a person's session remembers; None where it remembers nothing.
    """

    def __init__(
        self,
        *,
        insist: bool,
        line_end: bytes = b"\n",
        resuming: TokenLogin,
        discretion: PlaintextGuard | None,
        view: "ChatView | None" = None,
    ) -> None:
        super().__init__(line_end=line_end)
        self.insists = insist
        self._resuming = resuming
        self._discretion = discretion
        self._view = view
        self._welcomed = self._over = False
        self._wire = ClientWire(insist=insist)

    @property
    def listening(self) -> bool:
        """Whether it is still open what the wire is."""
        return self._wire.phase is Phase.LISTENING

    @property
    def in_messages(self) -> bool:
        """Whether both sides speak in messages."""
        return self._wire.phase in {Phase.GREETED, Phase.FRAMED}

    @property
    def service(self) -> str:
        """The name of the service that has greeted."""
        return self._wire.service

    @property
    def may_say(self) -> bool:
        """Whether a line may go out now: not before the server has decided on a token, nor one that is a password."""
        if not self.in_messages:
            return True
        return not self._resuming.undecided and (self._discretion is None or self._discretion.may_say)

    @property
    def has_turn(self) -> bool:
        """Whether a line is awaited: the server has asked, or let this side in."""
        return self.may_say and (self._welcomed or self.question is not None)

    @property
    def is_in(self) -> bool:
        """Whether the server has let this side in."""
        return self._welcomed

    @property
    def may_return(self) -> bool:
        """Whether the server would let this side in again by itself: it has welcomed, and given a token."""
        return self._welcomed and self._resuming.held is not None

    @property
    def is_over(self) -> bool:
        """Whether the server has said goodbye for good."""
        return self._over

    def undecided_s(self) -> float | None:
        """Return for how many seconds the server's decision on a token is still awaited, or None."""
        return self._resuming.undecided_s()

    def overdue(self) -> Message | None:
        """Return the question that was held back for it, when its time is up."""
        return self._resuming.overdue()

    def hear(self, data: bytes) -> tuple[bytes, bytes]:
        """Take what the server sent; the answer to a greeting must be sent before anything else."""
        listening = self.listening
        raw = self._wire.feed(data)
        return raw, self._opening() if listening and self.in_messages else b""

    def take(self) -> tuple[list[Message], bytes]:
        """Return messages, and the answers to pings, which nobody else has to see."""
        if not self.in_messages:
            return [], b""
        heard = self._wire.take()
        shown = [one for one in heard if one.kind != "ping"]
        return shown, self._wire.encode(message("pong")) * (len(heard) - len(shown))

    def admits(self, one: Message) -> bool:
        """Take note of a message; tokens are never shown, nor what the server asks before it has seen one."""
        shown = self._resuming.admits(one)
        if self._view is not None:
            self._view.held = self._resuming.held
        if not shown:
            return False
        if self._discretion is not None:
            self._discretion.heard(one.kind)
        if one.kind in {"ask", "welcome"}:
            self.question = one if one.kind == "ask" else None
            self._welcomed = self._welcomed or one.kind == "welcome"
        self._over = self._over or (one.kind == "bye" and one.get("reason") not in COMING_BACK)
        return self._view is None or self._view.admits(one)

    def end(self) -> bytes:
        """Take note of the end; text that was dropped for frames that never came is shown after all."""
        return self._wire.end()

    def stay_raw(self) -> bytes:
        """Speak before the server does."""
        return self._wire.speak_raw() if self.listening else b""

    def say(self, line: str) -> bytes:
        """Return what carries a line."""
        if not self.in_messages:
            return super().say(line)
        if not self._resuming.is_needed(line):
            return b""
        if self._discretion is not None:
            self._discretion.check(self.question)
        asked, self.question = self.question, None
        if asked is None:
            said = self._wire.encode(message("line", line))
            if self._view is not None:
                self._view.said(line)
            return said
        if self._discretion is not None:
            self._discretion.answered()
        return self._wire.encode(message("answer", line, field=asked.get("field")))

    def leave(self) -> bytes:
        """Return a `bye`."""
        return self._wire.encode(message("bye")) if self.in_messages else b""

    def _opening(self) -> bytes:
        if self._discretion is not None:
            self._discretion.greeted(self.service)
        if self._view is None:
            return self._resuming.opening(self.service)
        opening = self._resuming.opening(self.service, self._view.seen(), self._view.roster.me)
        self._view.held = self._resuming.held
        return opening
