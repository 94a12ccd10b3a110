"""The client's words on their way to the server: lines that wait for their turn, answers, unsent bytes."""

from collections import deque
from collections.abc import Callable
from typing import TYPE_CHECKING

from sockctl.client.entry import Entry
from sockctl.client.inputs import LineInput, PipeInput
from sockctl.client.session_events import BytesToSend, QuestionAsked, Remark, SessionEvent, Signal, TextReturned
from sockctl.client.settings import ClientSettings
from sockctl.errors import ConnectionBrokenError, StreamError, UnsendableError
from sockctl.protocol.frames import LIMIT_BYTES
from sockctl.text import make_visible

if TYPE_CHECKING:
    from sockctl.client.protocol import MessageProtocol
    from sockctl.client.script import Script

MAX_ANSWERS = 20
"""Answers that the client can give to another server again: a login asks for fewer."""
SHOWN_CHARACTERS = 500
"""How much is shown of a line that is refused."""


class Sender:
    """The sending half of a connection.

    Args:
        settings: How the session behaves. A person's line that can't be sent is told; a pipe's ends the input.
        source: The session's input.
        events: Where events are appended.

    Attributes:
        unsent_bytes: How many bytes wait to be sent.
        answers_bytes: Bytes of answers to the server since everything was sent the last time.
        held: Lines that were read, and may not go out yet.
        answers: A pipe's lines that have answered questions before the welcome: another server asks for them anew.
        half_closed: Whether the sending side was ended: from then on nothing is sent.
        encode_raw_line: Returns the bytes for a line of a script, where both sides don't speak in messages.
        is_asked: Whether a question was announced, and no line was typed since.
    """

    def __init__(self, settings: ClientSettings, source: LineInput | PipeInput, events: list[SessionEvent]) -> None:
        self.unsent_bytes = 0
        self.held: deque[bytes | Entry] = deque()
        self.answers: list[bytes | Entry] = []
        self.half_closed = False
        self.encode_raw_line: Callable[[str], bytes] = self._encode_raw
        self.is_asked = False
        self._settings = settings
        self._source = source
        self._events = events
        self.answers_bytes = 0
        self._line_number = 0
        self._said_goodbye = False

    def send(self, data: bytes) -> None:
        """Send bytes, unless the sending side was ended."""
        if data and not self.half_closed:
            self.unsent_bytes += len(data)
            self._events.append(BytesToSend(data))

    def count_sent(self, count: int) -> None:
        """Count bytes that went out."""
        self.unsent_bytes -= count
        if not self.unsent_bytes:
            self.answers_bytes = 0

    def answer(self, answers: bytearray) -> None:
        """Send the answers that the server has asked for, and clear them.

        Raises:
            ConnectionBrokenError: The server goes on asking, and takes no answer.
        """
        self.answers_bytes += len(answers)
        if self.answers_bytes > self._settings.max_answers_bytes:
            raise ConnectionBrokenError(
                f"The server asks for answers and takes none: {self.unsent_bytes:,} bytes wait to be sent."
            )
        self.send(bytes(answers))
        answers.clear()

    def hold(self, source: LineInput, data: bytes) -> None:
        """Let the lines in bytes of the input wait for their turn; one that is longer than a message ends the input."""
        self.held += source.feed(data)
        if len(source.open) > LIMIT_BYTES:
            number = self._line_number + len(self.held) + 1
            source.fail(UnsendableError(f"Line {number} of the input is longer than a message may be: split it."))

    def release(self, protocol: "MessageProtocol") -> bool:
        """Send the held lines that may go out now; return whether there was one.

        A piped line that is no text, or too long for a message, ends the input: no later one is sent.

        Raises:
            InsecureError: A line is a password, and would go in clear.
        """
        count = len(self.held)
        while self.held and protocol.can_send:
            if protocol.question is not None and not protocol.is_welcomed and len(self.answers) <= MAX_ANSWERS:
                self.answers.append(self.held[0])
            try:
                self.send(self._encode(protocol, self.held.popleft()))
            except (StreamError, UnsendableError) as error:
                self.held.clear()
                if isinstance(self._source, LineInput):
                    self._source.fail(error)
        return len(self.held) < count

    def give_back(self, protocol: "MessageProtocol | None") -> None:
        """Give the held lines back to a person; none while a secret question is open, since one may be its answer."""
        if not _asks_secret(protocol):
            texts = [one.text if isinstance(one, Entry) else one.decode(errors="replace") for one in self.held]
            self._events += [TextReturned(text, "Not sent") for text in texts if text.strip()]
        self.held.clear()

    @property
    def can_repeat(self) -> bool:
        """Whether the client still has all answers."""
        return len(self.answers) <= MAX_ANSWERS

    def run(self, script: "Script", protocol: "MessageProtocol | None", now: float) -> None:
        """Carry out the steps whose turn it is.

        Raises:
            ExpectationError: The time of an expectation is up.
            ConnectTimeoutError: The time of another step is up.
            UnsendableError: A line is no text, or too long for a message.
            InsecureError: A line is a password, and would go in clear.
        """
        while (line := script.run_to_line(now, can_send=protocol is None or protocol.can_send)) is not None:
            self.send(self.encode_raw_line(line) if protocol is None else protocol.encode_line(line))
        if script.ended and not script.ends_by_sending:
            self.say_goodbye(protocol)

    def say_goodbye(self, protocol: "MessageProtocol | None") -> None:
        """Say goodbye once, where there is a way to."""
        if not self._said_goodbye:
            self._said_goodbye = True
            self.send(b"" if protocol is None else protocol.encode_goodbye())

    def _encode_raw(self, line: str) -> bytes:
        try:
            return line.encode() + (b"\r\n" if self._settings.crlf else b"\n")
        except UnicodeEncodeError as error:
            raise UnsendableError(f"{line!r} is no text: it holds bytes that are not UTF-8.") from error

    def _encode(self, protocol: "MessageProtocol", line: bytes | Entry) -> bytes:
        """Return the frame of a line; nothing, with a remark, where a person's line can't be sent."""
        self._line_number += 1
        question, is_secret = protocol.question, _asks_secret(protocol)
        try:
            if isinstance(line, Entry):
                return protocol.encode_entry(line)
            return protocol.encode_line(line.removesuffix(b"\r").decode())
        except UnicodeDecodeError as error:
            problem = f"Line {self._line_number} of the input is not UTF-8 at its byte {error.start}: it can't be sent."
            if not self._settings.terminal:
                raise StreamError(problem) from error
        except UnsendableError as error:
            problem = str(error)
            if not self._settings.terminal:
                raise
        finally:
            if self.is_asked:
                self.is_asked = False
                self._events.append(Signal.QUESTION_ANSWERED)
        self._events.append(Remark(problem))
        if question is not None:
            self._events.append(QuestionAsked(question))  # it is still open: a secret must be hidden again
        if isinstance(line, Entry) and not is_secret:
            self._events.append(TextReturned(line.text))
        return b""


def _asks_secret(protocol: "MessageProtocol | None") -> bool:
    """Return whether a secret question is open."""
    question = None if protocol is None else protocol.question
    return question is not None and question.asks_secret


def refuse_lines(lines: list[bytes]) -> list[SessionEvent]:
    """Return the remarks that lines were not sent, since there is no connection."""
    shown = [make_visible(line.decode(errors="replace"))[:SHOWN_CHARACTERS] for line in lines if line.strip()]
    return [Remark(f"Not sent, there is no connection: {line}") for line in shown]
