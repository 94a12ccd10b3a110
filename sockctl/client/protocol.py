"""The client's side of a connection whose server speaks in messages, or may; it sends and shows nothing itself."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sockctl.client.chat.unconfirmed import NumberedTexts
from sockctl.client.entry import Entry, as_said
from sockctl.client.plaintext_guard import PlaintextGuard
from sockctl.client.refusals import ASKING_SERVICES, SILENT_SERVICES, Refusals
from sockctl.client.token_login import TokenLogin
from sockctl.errors import TurnedAwayError, UnsendableError
from sockctl.protocol.client_wire import ClientWire
from sockctl.protocol.messages import Message, make_message
from sockctl.text import make_visible

if TYPE_CHECKING:
    from sockctl.client.chat.roster import ChatContext
    from sockctl.client.chat.view import ChatView

CHAT = "chat"
CAPABILITIES = ("blocks", "typing")
"""What the line editor's session can show of a chat, and not every client can."""
NONE: frozenset[str] = frozenset()
TYPING_EVERY_S = 3.0
RETURN_REASONS = {
    "ping_timeout": "the server got no answer for too long",
    "engine_away": "the server can't reach the engine that it shares with others",
}
"""Reasons of a goodbye that only says that the connection was lost: the client was asleep, for instance."""
MOVE_REASONS = {**RETURN_REASONS, "server_stopping": "the server is stopping"}
"""Reasons after which another server of the same chat lets the client in."""
BUSY = "busy"
"""The code of a server that can let nobody in now."""


class MessageProtocol:
    """Raw until the server greets, then in messages.

    Args:
        insist: Whether only a message service will do.
        login: The login by token.
        guard: Keeps passwords back where the connection is in clear; None where they may go.
        view: The memory of a person's session; None without one.
        in_turns: Whether each question gets one line, so that no line goes ahead of an answer that may fail. A
            terminal sends ahead: a password typed ahead must not answer a repeated question.
        can: What the client can show in a chat, and not every client can.
        moves_on: Whether the user has named other servers of this chat.
        tries_again: Whether the client tries another server, or this one again, if it doesn't let the client in.

    Attributes:
        wire: The connection's wire.
        insists, login: As the arguments.
        refusals: What the server has refused.
        question: The server's last question, until a line was sent to it.
        is_over: Whether the server has said goodbye for good.
        farewell: Why the server has said goodbye, where the client may come back.
        room: The room in which the user spoke when the server let the client in.
    """

    def __init__(
        self,
        *,
        insist: bool,
        login: TokenLogin,
        guard: PlaintextGuard | None = None,
        view: "ChatView | None" = None,
        in_turns: bool = False,
        can: Sequence[str] = (),
        moves_on: bool = False,
        tries_again: bool = False,
    ) -> None:
        self.wire = ClientWire(insist=insist, opening=self._open)
        self.insists = insist
        self.login = login
        self._guard = guard
        self._view = view
        self._in_turns = in_turns
        self._asks: bool | None = None  # whether the service asks or welcomes; None for unknown
        self.refusals = Refusals()
        self.question: Message | None = None
        self.is_over = False
        self.farewell = ""
        self.room = ""
        self._can = can
        self._moves_on = moves_on
        self._return_reasons = MOVE_REASONS if moves_on else RETURN_REASONS
        self._tries_again = tries_again
        self._server_can: frozenset[str] = frozenset()
        self._numbered = NumberedTexts()
        self._typing_due_at = 0.0

    @property
    def is_welcomed(self) -> bool:
        """Whether the server has let the client in."""
        return self.refusals.is_welcomed

    def may_tell_typing(self, now: float) -> bool:
        """Return whether the server is to learn now that something is being typed."""
        in_room = self._view is not None and bool(self._view.roster.rooms)
        if "typing" not in self._server_can or not in_room or now < self._typing_due_at:
            return False
        self._typing_due_at = now + TYPING_EVERY_S
        return True

    @property
    def may_ask(self) -> bool:
        """Whether lines wait for a moment, since an unknown service may ask."""
        return self._in_turns and self._asks is None and self.wire.is_framed

    @property
    def is_chat(self) -> bool:
        """Whether a chat has greeted."""
        return self.wire.service == CHAT

    @property
    def can_send(self) -> bool:
        """Whether a line may go out now.

        Lines wait while the server decides on a token, and while the guard holds them. In turns, each line waits for a
        question, until the server has welcomed.
        """
        if self.login.undecided or not (self._guard is None or self._guard.can_send):
            return False
        goes_ahead = not self._in_turns or self._asks is False
        return goes_ahead or self.is_welcomed or self.question is not None

    @property
    def may_be_asked(self) -> bool:
        """Whether the server may ask, or ask again, before it lets the client in."""
        return not self.is_welcomed and (self.wire.is_listening or self._asks is True)

    @property
    def has_turn(self) -> bool:
        """Whether a line is awaited: the server has asked, or welcomed."""
        return self.can_send and (self.is_welcomed or self.question is not None)

    @property
    def is_undone(self) -> bool:
        """Whether the service lets clients in, and has neither let this one in nor said why not."""
        return self._asks is True and not (self.is_welcomed or self.is_over or self.refusals.is_refused)

    @property
    def hears_pings(self) -> bool:
        """Whether the server pings a client that is silent, and another server is there for one that doesn't."""
        return self._moves_on and self.is_chat and self.can_return

    @property
    def can_return(self) -> bool:
        """Whether the server would let the client in again by itself: it has welcomed, and given a token."""
        return self.is_welcomed and self.login.held is not None

    @property
    def context(self) -> "ChatContext | None":
        """The user's name and rooms, where a chat is remembered."""
        return None if self._view is None else self._view.roster.context

    def admit(self, one: Message) -> bool:
        """Process a message when its turn has come; return whether it is to be shown.

        Tokens are never shown, nor the questions from before the server has seen one.

        Raises:
            NotLetInError: The server asks anew, and nobody is there to answer.
            TurnedAwayError: The server can let nobody in now, and the client tries again.
        """
        if self._tries_again and not self.is_welcomed and one.kind == "error" and one.get("code") == BUSY:
            raise _make_turned_away(one.text)
        shown = self.login.process_message(one)
        if not shown:
            return False
        if self._guard is not None:
            self._guard.receive(one.kind)
        self.refusals.receive(one)
        if one.kind in {"ask", "welcome"}:
            self.question = one if one.kind == "ask" else None
            self._asks = True
        if one.kind == "welcome":
            can = one.fields.get("can")
            self._server_can = (
                frozenset(each for each in can if isinstance(each, str)) if isinstance(can, list) else NONE
            )
            self.room = one.get("room")
        if one.kind == "bye":
            self.farewell = self._return_reasons.get(one.get("reason"), "")
            self.is_over = self.is_over or not self.farewell
            if self.farewell and self._view is not None and self.can_return:
                return False  # the client comes back: that is no goodbye
        return self._view is None or self._view.admit(one)

    def take_arrived(self) -> list[str]:
        """Return the lines that have arrived after all, though the connection was lost."""
        if self._view is None or not self._view.arrived:
            return []
        arrived, self._view.arrived = self._view.arrived, []
        return arrived

    def take_refused(self, one: Message) -> str | None:
        """Return the text that an error refuses, if the client has kept it; for a person, None for a mere command."""
        text = self._numbered.take(one.fields.get("n")) if one.kind == "error" else None
        if text is None or self._view is None:
            return text
        return text if self._view.note_refused(text) or self._in_turns else None

    def encode_entry(self, entry: Entry) -> bytes:
        """Return the frames that carry what a person has entered.

        Raises:
            UnsendableError: It is too long for a message, or has several lines and is to answer a question.
            InsecureError: It is a password, and would go in clear.
        """
        if not entry.is_block:
            return self.encode_line(entry.text)
        if self.question is not None:
            raise UnsendableError("The answer to a question has one line: nothing was sent.")
        if not self.is_chat:
            return b"".join(self.encode_line(line) for line in entry.lines)
        if "blocks" not in self._server_can:
            return b"".join(self.encode_line(as_said(line)) for line in entry.lines if line.strip())
        frame = ClientWire.encode(
            make_message("block", entry.lines[0], lines=entry.lines, n=self._numbered.add(entry.text))
        )
        if self._view is not None:
            self._view.note_block_sent(entry.lines)
        return frame

    def encode_name(self) -> bytes:
        """Return the answer to an open question for the user's name that was chosen; nothing where the user answers.

        Raises:
            InsecureError: It is a password, and would go in clear.
        """
        asked = self.question
        if asked is None or asked.get("field") != "name" or asked.asks_secret:
            return b""
        return self._answer(asked, name) if (name := self.login.take_name()) else b""

    def encode_line(self, line: str) -> bytes:
        """Return the frame that carries a line: an answer where a question is open.

        Raises:
            UnsendableError: It is too long for a message, or no text.
            InsecureError: It is a password, and would go in clear.
            OptionError: It is the name of another user than that of the token.
        """
        if not self.login.needs(line):
            return b""
        if self.question is not None:
            return self._answer(self.question, line)
        number = self._numbered.add(line) if "blocks" in self._server_can else None
        frame = ClientWire.encode(make_message("line", line, n=number))
        if self._view is not None:
            self._view.note_sent(line)
        return frame

    def _answer(self, question: Message, line: str) -> bytes:
        if self._guard is not None:
            self._guard.check(question)
        frame = ClientWire.encode(make_message("answer", line, field=question.get("field")))
        self.question = None
        if self._guard is not None:
            self._guard.hold()
        return frame

    def expect_no_question(self) -> None:
        """Let lines go: the service waits for the client."""
        self._asks = False

    def refuse_end(self) -> None:
        """Refuse the end of a connection whose server has greeted, said something in text, and not read the answer.

        Raises:
            TurnedAwayError: The connection is such a one.
        """
        said = self.wire.dropped_text.partition(b"\n")[2].decode(errors="replace").split()
        if said:
            raise _make_turned_away(" ".join(said))

    def encode_goodbye(self) -> bytes:
        """Return the frame of a goodbye; nothing before the server has greeted."""
        return ClientWire.encode(make_message("bye")) if self.wire.is_framed else b""

    @staticmethod
    def encode_typing() -> bytes:
        """Return the frame that tells that something is being typed."""
        return ClientWire.encode(make_message("typing"))

    def _open(self, service: str) -> bytes:
        """Return the answer to the greeting of a service."""
        self._asks = True if service in ASKING_SERVICES else False if service in SILENT_SERVICES else None
        self.refusals.greet(service)
        if self._guard is not None:
            self._guard.greet(service)
        can = self._can if service == CHAT else ()
        if self._view is None:
            return self.login.answer_greeting(service, can=can)
        return self.login.answer_greeting(service, self._view.list_seen(), self._view.roster.me, can)


def _make_turned_away(text: str) -> TurnedAwayError:
    return TurnedAwayError(f"The server has not let you in: {make_visible(text)}")
