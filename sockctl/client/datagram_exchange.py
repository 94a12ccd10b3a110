"""The datagrams of a session, on their way in both directions.

Each line of the input is a datagram, without its line feed. With --datagram-size, each block of the input is one. There
is no connection that could end. So the session ends after its input, once each datagram has an answer, or the time for
it is up. A refusal by ICMP ends no session: a server may start later, while the client sends more.

The session and its loop carry streams. So the loop gets frames of `sockctl.net.udp.framing`, and its transport makes
datagrams of them.
"""

from collections import Counter, deque
from collections.abc import Iterable

from sockctl.client.datagram_answers import DatagramAnswers
from sockctl.client.inputs import LineInput, PipeInput
from sockctl.client.receiver import Receiver
from sockctl.client.sender import Sender
from sockctl.client.session_events import DatagramToShow, EndReason, EventToEmit, Remark, SessionEvent, Signal
from sockctl.client.settings import ClientSettings
from sockctl.errors import ConnectTimeoutError, SockctlError, UnreachableError, UnsendableError
from sockctl.events.base import Event
from sockctl.events.client_udp import (
    DatagramReceived,
    DatagramRefused,
    DatagramsEnded,
    DatagramSent,
    DatagramsLost,
)
from sockctl.events.rate_limit import EventRateLimit
from sockctl.net.udp.framing import DATAGRAM, HEAD_BYTES, LONGEST_BYTES, find_frames, frame
from sockctl.text import format_count
from sockctl.token_bucket import TokenBucket

_EVENTS_PER_SECOND = 10
_REFUSED = "refused"
_LAST_WORD_S = 0.1
"""How long a session that waits for no answer still waits for a refusal."""


class DatagramExchange:
    """Both halves of a session over UDP.

    Args:
        settings: How the session behaves.
        sender: Sends the frames.
        receiver: Shows the datagrams.
        events: Where events are appended.
        peer: The server, for people.
        scripted: Whether the steps of a script are sent: a refusal ends it where nothing was heard.

    Attributes:
        quit_at: When the session ends; None for no such time yet.
        answers: The account of what was answered.
    """

    def __init__(
        self,
        settings: ClientSettings,
        sender: Sender,
        receiver: Receiver,
        events: list[SessionEvent],
        peer: str,
        *,
        scripted: bool = False,
    ) -> None:
        self.quit_at: float | None = None
        self.answers = DatagramAnswers(settings.timeout_s, kept=settings.max_unanswered)
        self._settings = settings
        self._sender = sender
        self._receiver = receiver
        self._events = events
        self._peer = peer
        self._scripted = scripted
        self._unsent: deque[bytes] = deque()
        self._block = b""  # the beginning of the next block of the input
        self._line_number = 0
        self._refusals = 0
        self._failure = ""  # the first refusal, in a sentence
        self._remark_at: float | None = None  # when the session remarks it, where a pipe goes on
        self._bytes_in = self._bytes_out = 0
        self._event_rate = TokenBucket(rate=_EVENTS_PER_SECOND, burst=_EVENTS_PER_SECOND)
        self._limit: EventRateLimit[Counter[str]] = EventRateLimit(self._event_rate, Counter, self._emit_sum)
        sender.encode_raw_line = self.encode_line

    @property
    def is_full(self) -> bool:
        """Whether no more of the input may be read: as many datagrams wait for answers as can be kept."""
        return self.answers.is_full

    # From the server.

    def receive(self, data: bytes, now: float) -> bool:
        """Process frames of the transport; return whether the server has ended the session: never.

        Raises:
            ExpectationError: They come when the time of an expectation is up.
            UnreachableError: No server is there that could answer a script.
        """
        for kind, content in find_frames(data):
            if kind == DATAGRAM:
                self._receive_one(bytes(content), now)
            else:
                self._note_failure(bytes(content).decode(errors="replace"), now)
        return False

    def _receive_one(self, data: bytes, now: float) -> None:
        self._bytes_in += len(data)
        round_trip_s = self.answers.note_received(data, now)
        total = self._limit.find_sum(now)
        if total is None:
            took = None if round_trip_s is None else round(round_trip_s, 6)
            self._emit(DatagramReceived(datagrams=1, bytes=len(data), round_trip_s=took))
        else:
            total["received"] += 1
            total["bytes_received"] += len(data)
        self._receiver.show_datagram(data, now)

    def _note_failure(self, error: str, now: float) -> None:
        self._refusals += 1
        self._failure = self._failure or self._describe_failure(error)
        if error == _REFUSED:
            self.answers.lose_all()
        else:
            self.answers.lose_latest()
        if self._event_rate.accept(now):
            self._emit(DatagramRefused(peer=self._peer, error=error))
        if self._scripted and not self.answers.received:
            raise self._make_unreachable_error()
        if self._refusals == 1 and not self._settings.terminal:
            self._remark_at = now + _LAST_WORD_S

    # To the server.

    def encode_input(self, source: LineInput | PipeInput, data: bytes) -> bytes:
        """Return the frames for bytes of the input; no bytes mean its end, and a last line or block.

        A piped line too long for a datagram ends the input.
        """
        if isinstance(source, PipeInput):
            return b"".join(self._encode_all(self._cut_blocks(source.feed_raw(data), ended=source.ended)))
        frames = bytearray()
        try:
            for each in self._encode_all(self._check_lines(source.feed(data), source)):
                frames += each
        except UnsendableError as error:
            source.fail(error)
        return bytes(frames)

    def encode_line(self, line: str) -> bytes:
        """Return the frame for a line of a script.

        Raises:
            UnsendableError: It is no text, or longer than a datagram may be.
        """
        try:
            data = line.encode()
        except UnicodeEncodeError as error:
            raise UnsendableError(f"{line!r} is no text: it holds bytes that are not UTF-8.") from error
        return b"".join(self._encode_all(self._check_lines([data])))

    def note_sent(self, count: int, now: float) -> None:
        """Note that frames of `count` bytes together have gone out."""
        while count > 0:
            data = self._unsent.popleft()
            count -= HEAD_BYTES + len(data)
            self._bytes_out += len(data)
            self.answers.note_sent(data, now, awaits=not self._settings.send_only)
            total = self._limit.find_sum(now)
            if total is None:
                self._emit(DatagramSent(datagrams=1, bytes=len(data)))
            else:
                total["sent"] += 1
                total["bytes_sent"] += len(data)
            self._events.append(DatagramToShow(data, is_sent=True))

    def _encode_all(self, datagrams: Iterable[bytes]) -> Iterable[bytes]:
        for each in datagrams:
            self._unsent.append(each)
            yield frame(each)

    def _cut_blocks(self, data: bytes, *, ended: bool) -> Iterable[bytes]:
        """Yield the blocks that are complete, at the end of the input also one that isn't."""
        size = self._settings.datagram_bytes or LONGEST_BYTES
        data = self._block + data
        whole = len(data) - len(data) % size
        self._block = data[whole:]
        for at in range(0, whole, size):
            yield data[at : at + size]
        if ended and self._block:
            yield self._block
            self._block = b""

    def _check_lines(self, lines: Iterable[bytes], source: LineInput | None = None) -> Iterable[bytes]:
        end = b"\r\n" if self._settings.crlf else b""
        for line in lines:
            self._line_number += 1
            data = line + end
            if len(data) <= LONGEST_BYTES:
                yield data
                continue
            if not self._settings.terminal:
                raise self._make_size_error(len(data))
            self._events.append(Remark(str(self._make_size_error(len(data)))))
        if source is not None and len(source.open) > LONGEST_BYTES and not self._settings.terminal:
            raise self._make_size_error(len(source.open), "at least ")

    def _make_size_error(self, size: int, more: str = "") -> UnsendableError:
        number = self._line_number + (1 if more else 0)
        return UnsendableError(
            f"Line {number} of the input has {more}{size:,} bytes, and a datagram has room for {LONGEST_BYTES:,}: "
            f"nothing of the line was sent. Split it, or cut the input into datagrams by --datagram-size BYTES."
        )

    # The time, and the end.

    def settle(self, now: float) -> float | None:
        """Do all that is due; return when to call again, None for no such time."""
        self._limit.emit_sum(now)
        if lost := self.answers.expire(now):
            self._emit(DatagramsLost(count=lost, timeout_s=self._settings.timeout_s))
        if self._remark_at is not None and now >= self._remark_at:
            self._remark_at = None
            if not self._sender.half_closed:
                self._events.append(Remark(self._failure))
        times = [at for at in (self._limit.due_at, self.answers.due_at, self._remark_at) if at is not None]
        return min(times, default=None)

    def settle_end(self, now: float, *, wait_s: float | None) -> float | None:
        """Go on with the end, once the input has ended and everything was sent; return when to call again.

        Args:
            now: The time.
            wait_s: Seconds to wait at most; None for as long as answers may come.
        """
        if not self._sender.half_closed:
            self._sender.half_closed = True
            self._events.append(Signal.TYPING_ENDED)
            if self._settings.send_only and self._settings.quit_after_s is None:
                wait_s = _LAST_WORD_S
            self.quit_at = None if wait_s is None else now + wait_s
        if not self.answers.waiting and not self._settings.send_only and self._settings.quit_after_s is None:
            self.quit_at = now
        return self.answers.due_at

    def judge(self, *, is_wanted: bool) -> SockctlError | None:
        """Return the error of a session that has ended: no server, or missing answers.

        Args:
            is_wanted: Whether answers may be missing: all has come that the user wants, or there is another error.
        """
        answers, settings = self.answers, self._settings
        if self._refusals and not answers.received:
            return self._make_unreachable_error()
        is_free = is_wanted or settings.terminal or settings.send_only or settings.quit_after_s is not None
        if is_free or not answers.lost:
            return None
        lost = format_count(answers.lost, "datagram")
        of = f" of {answers.sent:,}" if answers.sent > answers.lost else ""
        return ConnectTimeoutError(f"{lost}{of} got no answer within {settings.timeout_s:g} s (--timeout).")

    def make_ended(self, reason: EndReason, now: float, seconds: float) -> Event:
        """Return the event of the session's end, after the sums that are left."""
        self._limit.emit_sum(now, ending=True)
        answers = self.answers
        return DatagramsEnded(
            reason=reason,
            sent=answers.sent,
            received=answers.received,
            answered=answers.answered,
            lost=answers.lost,
            waiting=answers.waiting,
            echoed=answers.echoed,
            out_of_order=answers.out_of_order,
            duplicates=answers.duplicates,
            late=answers.late,
            bytes_in=self._bytes_in,
            bytes_out=self._bytes_out,
            seconds=seconds,
        )

    def _make_unreachable_error(self) -> UnreachableError:
        return UnreachableError(f"{self._failure} Is the server running, is the port right?")

    def _describe_failure(self, error: str) -> str:
        if error == _REFUSED:
            return f"{self._peer} refused: nothing listens for datagrams on that port (ICMP port unreachable)."
        return f"A datagram to {self._peer} did not go out: {error}."

    def _emit_sum(self, total: Counter[str], seconds: float) -> None:
        if total["sent"]:
            self._emit(DatagramSent(datagrams=total["sent"], bytes=total["bytes_sent"], seconds=seconds))
        if total["received"]:
            self._emit(DatagramReceived(datagrams=total["received"], bytes=total["bytes_received"], seconds=seconds))

    def _emit(self, event: Event) -> None:
        self._events.append(EventToEmit(event))
