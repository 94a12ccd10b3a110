"""When and how a connection ends, on either side, and whether its end is an error."""

from typing import TYPE_CHECKING

from sockctl.client.connection_parts import ConnectionParts
from sockctl.client.ending import judge_end
from sockctl.client.half_close_limit import HalfCloseLimit
from sockctl.client.session_events import EndReason, EventToEmit, LastBytes, Signal
from sockctl.errors import ConnectionBrokenError, SockctlError
from sockctl.events.client import InputEnded
from sockctl.text import format_count

if TYPE_CHECKING:
    from sockctl.client.script import Script

_BY_SERVER = frozenset({EndReason.SERVER_CLOSED, EndReason.CLIENT_CLOSED, EndReason.WEBSOCKET_CLOSED})


class ConnectionEnd:
    """The end of one connection.

    Args:
        parts: The parts of the connection.
        now: The time.

    Attributes:
        reason: Why the connection ended; None while it stands.
    """

    def __init__(self, parts: ConnectionParts, now: float) -> None:
        settings = parts.settings
        self.reason: EndReason | None = None
        self._parts = parts
        self._settings = settings
        self._script = parts.script
        self._sender = parts.sender
        self._receiver = parts.receiver
        self._datagrams = parts.datagrams
        self._web = parts.web
        self._outlasts = parts.number is not None and not settings.terminal and not settings.recv_only
        self._half_close_limit = HalfCloseLimit(settings.quit_after_s, now)
        self._quit_at: float | None = None
        self._stop_at: float | None = None

    @property
    def is_stopping(self) -> bool:
        """Whether all has come that the user wants, and the connection ends once everything is sent."""
        return self._stop_at is not None

    def note_sent(self, now: float) -> None:
        """Note that bytes went out."""
        self._half_close_limit.note_sent(now)

    def receive(self, now: float) -> None:
        """Process the end of the other side.

        Raises:
            ProtocolError: A frame or a greeting is missing.
            ExpectationError: An expectation isn't met.
            ConnectionBrokenError: Not everything was sent.
        """
        parts = self._parts
        if parts.protocol is not None:
            parts.protocol.refuse_end()
        if self._web is not None:
            self._web.judge_end()
        if self._outlasts and not self._sender.half_closed and self._stop_at is None:
            self._half_close_limit.begin(now)
            if self._script is not None:
                self._script.note_end()
            return
        if unsent_bytes := self._sender.unsent_bytes if self._web is None else self._web.unsent_input_bytes:
            raise self._make_cut_short_error(f"{unsent_bytes} bytes were")
        if self._comes_back:
            self.reason = EndReason.SERVER_CLOSED  # what the input or the script waits for may come on the next one
            return
        closed = EndReason.SERVER_CLOSED if parts.number is None else EndReason.CLIENT_CLOSED
        self._finish(closed if self._web is None else EndReason.WEBSOCKET_CLOSED, now)
        if self._sender.held and not self._settings.terminal:
            raise self._make_cut_short_error(format_count(len(self._sender.held), "line was", "lines were"))

    def forgives(self, error: SockctlError) -> bool:
        """Return whether an error only ends the connection: the session has all that the user wanted."""
        if self._stop_at is None or not isinstance(error, ConnectionBrokenError):
            return False
        self.reason = EndReason.STOPPED
        return True

    def explain(self, error: SockctlError | None) -> EndReason:
        """Return why it ended, with an error or without."""
        if error is not None:
            return EndReason.of(error)
        by_hand = self._settings.terminal and self._parts.input_ended
        return EndReason.CLIENT_EXIT if by_hand else self.reason or EndReason.STOPPED

    def judge(self, error: SockctlError | None) -> SockctlError | None:
        """Return the error of the connection's end, with which it ended if there is one."""
        parts, failure = self._parts, self._parts.source.failure
        if self._datagrams is not None:
            is_met = self._script is not None and self._script.ended and self._script.ends_by_expecting
            is_wanted = is_met or self._receiver.has_enough or failure is not None
            return error or self._datagrams.judge(is_wanted=is_wanted) or failure
        if error is None and failure is not None:
            return failure
        return judge_end(
            error,
            parts.protocol,
            self._script,
            self._receiver,
            self._sender,
            self._settings,
            input_ended=parts.input_ended,
        )

    def say_last(self, reason: EndReason) -> None:
        """Say the last thing to the server, where there is something to say."""
        if self._web is not None and (data := self._web.encode_goodbye(reason)):
            self._parts.events.append(LastBytes(data))

    def settle(self, now: float) -> float | None:
        """End, or end the own side, where that is due; return when that goes on."""
        due_at = self._settle_sides(now)
        if self.reason is None and self._quit_at is not None and now >= self._quit_at:
            self._finish(EndReason.STOPPED if self._has_all_answers else EndReason.QUIT_AFTER, now)
        times = (due_at, self._quit_at, self._stop_at)
        return min([time for time in times if time is not None], default=None)

    def limit_script(self, script: "Script", now: float) -> float | None:
        """Return when a script must be over that waits for the server's end. A short count is the error then."""
        if self._settings.quit_after_s is not None or self._settings.send_only or self._datagrams is not None:
            return None
        if script.is_late(now):
            from sockctl.client.script import make_never_ended_error

            self._receiver.finish(self._parts.protocol, now, by_server=False)
            raise make_never_ended_error(self._settings.timeout_s, self._parts.other)
        return script.end_due_at

    def _settle_sides(self, now: float) -> float | None:
        """End, or end the own side, where that is due; return when that goes on."""
        unsent_bytes = self._sender.unsent_bytes
        if self._stop_at is None and self._settings.count is not None and self._receiver.has_enough:
            self._stop_at = now + self._settings.flush_s
        if self._stop_at is not None:
            if not unsent_bytes or now >= self._stop_at:
                self._finish(EndReason.STOPPED, now)
        elif self._half_close_limit.has_begun:
            return self._settle_half_close(now)
        elif self._parts.input_ended and not unsent_bytes:
            return self._settle_own_end(now)
        return None

    def _settle_half_close(self, now: float) -> float | None:
        """End once all was sent to a client that has half-closed; return when that is due at the latest."""
        if self._sender.unsent_bytes or (self._script is not None and not self._script.ended):
            return None
        if self._parts.input_ended or now >= self._half_close_limit.due_at:
            self._finish(EndReason.CLIENT_CLOSED, now)
        return self._half_close_limit.due_at

    def _settle_own_end(self, now: float) -> float | None:
        """End the own side, now that everything was sent; return when that goes on."""
        if self._parts.exchange is not None:
            due_at = self._parts.exchange.settle_end(now, wait_s=self._wait_for_end_s)
            self._quit_at = self._parts.exchange.quit_at
            return due_at
        if not self._sender.half_closed:
            self._half_close(now)
        return None

    def _half_close(self, now: float) -> None:
        self._sender.half_closed = True
        self._parts.events += [
            Signal.SENDING_ENDED,
            EventToEmit(InputEnded(connection=self._parts.number, local=self._parts.local)),
        ]
        wait_s = self._wait_for_end_s
        self._quit_at = None if wait_s is None else now + wait_s

    @property
    def _wait_for_end_s(self) -> float | None:
        """Seconds to wait for the server's end; None for as long as it takes."""
        ends_itself = self._script is not None and not self._script.ends_by_sending
        return self._settings.wait_for_end_s(script_ends_itself=ends_itself)

    @property
    def _has_all_answers(self) -> bool:
        """Whether no datagram waits for an answer; False for a connection."""
        return self._datagrams is not None and not self._datagrams.answers.waiting

    @property
    def _comes_back(self) -> bool:
        """Whether a pipe or a script loses something by the server's end, so that the client connects again."""
        protocol = self._parts.protocol
        if self._parts.goes_on and protocol is not None and protocol.is_undone:
            return True
        return (
            self._settings.reconnects
            and not self._settings.terminal
            and not self._parts.input_ended
            and protocol is not None
            and protocol.can_return
            and not protocol.is_over
        )

    def _finish(self, ending: EndReason, now: float) -> None:
        """End, and check that everything has come."""
        self._receiver.finish(self._parts.protocol, now, by_server=ending in _BY_SERVER)
        self.reason = ending

    def _make_cut_short_error(self, left: str) -> ConnectionBrokenError:
        return ConnectionBrokenError(
            f"The {self._parts.other} ended the connection before it took everything: {left} not sent."
        )
