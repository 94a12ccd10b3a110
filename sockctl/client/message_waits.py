"""The waits of a connection that may speak in messages: for the greeting, a decision, a question, a turn."""

from typing import TYPE_CHECKING

from sockctl.client.receiver import Receiver
from sockctl.client.sender import Sender
from sockctl.client.settings import ClientSettings
from sockctl.errors import ConnectTimeoutError

if TYPE_CHECKING:
    from sockctl.client.protocol import MessageProtocol


class Waits:
    """The waits of one connection. A wait has a name, and lasts from when the caller first needs it.

    Args:
        default_s: How long a wait lasts that has no time of its own.
    """

    def __init__(self, default_s: float) -> None:
        self._default_s = default_s
        self._until: dict[str, float] = {}

    def end_of(self, wait: str, now: float, *, needed: bool, seconds: float | None = None) -> float | None:
        """Return when a wait is over; None where it isn't needed.

        Args:
            wait: Its name.
            now: The time.
            needed: Whether it is needed.
            seconds: How long it lasts from when it is first needed; None for the default.
        """
        if not needed:
            self.forget(wait)
            return None
        return self._until.setdefault(wait, now + (self._default_s if seconds is None else seconds))

    def forget(self, wait: str) -> None:
        """Let a wait begin anew when it is needed the next time."""
        self._until.pop(wait, None)


class MessageWaits:
    """The waits of one connection.

    Args:
        settings: How long they last.
        sender: Sends the lines whose turn has come.
        receiver: Shows a question that waited for the decision on a token.
        held_until: Until when a person's first line waits for a greeting.
    """

    def __init__(self, settings: ClientSettings, sender: Sender, receiver: Receiver, held_until: float) -> None:
        self._settings = settings
        self._sender = sender
        self._receiver = receiver
        self._held_until = held_until
        self._waits = Waits(settings.timeout_s)

    def settle(self, protocol: "MessageProtocol", now: float) -> list[float | None]:
        """Do all that is due, and send the lines that may go out; return the next times.

        Raises:
            ConnectTimeoutError: The server has not greeted in time, or a line has waited too long for its turn.
            SockctlError: A line can't be sent, as for `Sender.release`.
        """
        waits, settings, listening = self._waits, self._settings, protocol.wire.is_listening
        greeting = waits.end_of("greeting", now, needed=listening and protocol.insists)
        if greeting is not None and now >= greeting:
            raise ConnectTimeoutError(
                f"The server has not greeted within {settings.timeout_s:g} s (--timeout): is it a message service? "
                f"tcp://HOST:PORT talks with it all the same; if it speaks TLS, write sockctls://HOST:PORT."
            )
        decision = waits.end_of("decision", now, needed=protocol.login.undecided)
        if decision is not None and now >= decision and (question := protocol.login.stop_waiting()) is not None:
            self._receiver.show_message(protocol, question, now)
        silence = waits.end_of("silence", now, needed=protocol.may_ask, seconds=settings.first_line_held_s)
        if silence is not None and now >= silence:
            protocol.expect_no_question()
            silence = None
        if protocol.wire.is_framed and self._sender.release(protocol):
            waits.forget("turn")
        turn = waits.end_of("turn", now, needed=bool(self._sender.held))
        if turn is not None and now >= turn:
            from sockctl.client.plaintext_guard import make_never_asked_error

            raise make_never_asked_error(settings.timeout_s, in_turns=not settings.terminal)
        first_line = self._held_until if listening and now < self._held_until else None
        return [greeting, decision, silence, turn, first_line]
