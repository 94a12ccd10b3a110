"""The time from a lost connection to the next one, and what the one leaves to the other."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sockctl.client.entry import Entry
from sockctl.client.idle_limit import IdleLimit
from sockctl.client.reconnect import Reconnector
from sockctl.client.session_events import EventToEmit, QuestionAsked, SessionEvent, Signal, TextArrived, TextReturned
from sockctl.client.settings import ClientSettings
from sockctl.errors import ConnectTimeoutError, InputDiscardedError, SockctlError
from sockctl.events.base import Event
from sockctl.text import format_count

if TYPE_CHECKING:
    from sockctl.client.chat.view import ChatView
    from sockctl.client.connection import ClientConnection
    from sockctl.client.held_token import Held


class Absence:
    """Says when to connect again, and when to give up. Times are seconds of one monotonic clock.

    Args:
        settings: How the session behaves.
        view: The memory of a chat; None without one.
        events: Where events are appended.
        reconnector: Decides on pauses.

    Attributes:
        token: The token that lets the session in again.
        lines: Lines of a pipe that wait for the next connection.
        wake_at: When `settle` is due at the latest; None for never.
    """

    def __init__(
        self,
        settings: ClientSettings,
        view: "ChatView | None",
        events: list[SessionEvent],
        reconnector: Reconnector,
    ) -> None:
        self.token: Held | None = None
        self.lines: Sequence[bytes | Entry] = ()
        self.wake_at: float | None = None
        self._settings = settings
        self._view = view
        self._events = events
        self._reconnector = reconnector
        self._idleness = IdleLimit(None, 0.0)
        self._connect_at: float | None = None  # when the pause before the next try is over
        self._was_in = False
        self._doubtful = 0  # lines of a pipe or a script that may not have arrived

    def begin(self, connection: "ClientConnection", error: SockctlError | None, now: float) -> None:
        """Pause after a connection was lost; one that was not welcomed was only a try.

        Before a server has let the client in, each connection begins with the kept login, as the first one does.

        Args:
            connection: The connection.
            error: How it was lost; None for its plain end.
            now: The time.
        """
        protocol = connection.protocol
        self._was_in = self._was_in or connection.is_welcomed
        if protocol is not None and self._was_in:
            self.token = protocol.login.held
        if protocol is not None and protocol.is_welcomed:
            self._idleness = IdleLimit(self._settings.idle_timeout_s, now)
            stood_s = now - connection.started
            self._pause(*self._reconnector.lose(error, stood_s=stood_s, farewell=protocol.farewell), now)
        else:
            self.go_on(error, now)
        if not self._settings.terminal:
            self.lines = connection.held
        self._events += [Signal.CONNECTION_DROPPED, QuestionAsked(None)]
        self.tell_doubtful()
        connection.give_back()

    def go_on(self, error: SockctlError | None, now: float) -> None:
        """Pause after a try has failed."""
        self._pause(*self._reconnector.fail(error), now)

    def left_s(self, now: float) -> float:
        """Return in how many seconds the client connects again, 0 while it tries."""
        return 0.0 if self._connect_at is None else max(0.0, self._connect_at - now)

    def settle(self, deadline: float | None, now: float) -> None:
        """Let a connection be made, if it is time.

        Args:
            deadline: When the time of the script is up; None without a script.
            now: The time.

        Raises:
            ConnectTimeoutError: The time of the script is up.
            IdleTimeoutError: Nothing has moved for too long.
        """
        idle_until = self._idleness.settle(now)
        if deadline is not None and now >= deadline:
            raise ConnectTimeoutError(
                f"The connection was lost, and the script's {self._settings.timeout_s:g} s (--timeout) are up."
            )
        if self._connect_at is not None and now >= self._connect_at:
            self._connect_at = None
            self._events.append(Signal.CONNECTION_WANTED)
        self.wake_at = min(
            [time for time in (idle_until, deadline, self._connect_at) if time is not None], default=None
        )

    # Lines that may not have arrived.

    def tell_doubtful(self) -> None:
        """Tell which lines may not have arrived."""
        doubtful = [] if self._view is None else self._view.lose()
        self._events += [TextReturned(text, "This may not have arrived") for text in doubtful]
        self._doubtful += len(doubtful)

    def note_arrived(self) -> None:
        """Take out those that the events of this moment show to have arrived."""
        if self._doubtful:
            self._doubtful -= sum(isinstance(event, TextArrived) for event in self._events)

    def judge(self) -> SockctlError | None:
        """Return the error of a pipe or a script that ends with lines that may not have arrived."""
        if self._settings.terminal or self._doubtful <= 0:
            return None
        return InputDiscardedError(
            f"{format_count(self._doubtful, 'line')} may not have arrived: the connection was lost behind it."
        )

    def _pause(self, pause_s: float, event: Event | None, now: float) -> None:
        self._connect_at = now + pause_s
        if event is not None:
            self._events.append(EventToEmit(event))
