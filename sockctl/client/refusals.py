"""The refusals of a server on one connection, and the error with which the connection ends."""

from typing import TYPE_CHECKING

from sockctl.errors import (
    BadMessageError,
    BadTextError,
    ConnectionBrokenError,
    ExpectationError,
    InputDiscardedError,
    LateHelloError,
    MessageTimeoutError,
    MessageTooLargeError,
    NotLetInError,
    ProtocolError,
    ServerFailedError,
    SockctlError,
    TlsReceivedError,
    TruncatedMessageError,
)
from sockctl.text import format_count, make_visible

if TYPE_CHECKING:
    from sockctl.protocol.messages import Message

ASKING_SERVICES = frozenset({"identify", "auth", "chat"})
"""Services that ask or welcome before a line counts."""
SILENT_SERVICES = frozenset({"talk"})
"""Services that never ask, and may say nothing before a line has come."""
_BROKEN = frozenset(
    kind.code
    for kind in (
        BadMessageError,
        BadTextError,
        LateHelloError,
        MessageTimeoutError,
        MessageTooLargeError,
        ProtocolError,
        TlsReceivedError,
        TruncatedMessageError,
    )
)
"""Codes of a server that says that the client has broken the protocol."""
_FAILED = frozenset({"program_failed", "store_failed"})
"""Codes of a server that has failed."""
NOT_SAID = "not_said"
"""The code of a chat that could not carry out what it has taken."""
IN_DOUBT = "in_doubt"
"""The code of a chat that doesn't know whether it could."""
_LOST = frozenset({"discarded", NOT_SAID, IN_DOUBT})
"""Codes of a server that has taken input and not carried it out, as far as it knows."""


class Refusals:
    """The refusals of one connection.

    Attributes:
        is_welcomed: Whether the server has let the client in.
    """

    def __init__(self) -> None:
        self.is_welcomed = False
        self._service = ""
        self._has_asked = False
        self._refusal: Message | None = None  # the last error from before the welcome
        self._grave: Message | None = None  # the first error that fails the session at any time

    @property
    def is_refused(self) -> bool:
        """Whether the server has told an error before it let the client in."""
        return self._refusal is not None

    def greet(self, service: str) -> None:
        """Note which service has greeted."""
        self._service = service

    def receive(self, one: "Message") -> None:
        """Note a message of the server."""
        match one.kind:
            case "ask":
                self._has_asked = True
            case "welcome":
                self.is_welcomed = True
            case "error":
                code = one.get("code")
                if self._grave is None and code in _BROKEN | _FAILED | _LOST:
                    self._grave = one
                if not self.is_welcomed and code not in _LOST:
                    self._refusal = one

    def judge(
        self, error: SockctlError | None, question: "Message | None", *, unsent_lines: int, by_hand: bool
    ) -> SockctlError | None:
        """Return the error of the connection's end. A refusal takes the place of an error that it has caused.

        Args:
            error: The error with which it ended, if it did.
            question: The question that was open at the end.
            unsent_lines: Lines of the input that were not sent.
            by_hand: Whether a person was there. Then only an `error` of the server counts as a refusal.
        """
        if error is not None and not isinstance(error, (ConnectionBrokenError, ExpectationError)):
            return error
        refusal = self._find_refusal(question, unsent_lines, certain=by_hand or error is not None)
        return refusal or error

    def _find_refusal(self, question: "Message | None", unsent_lines: int, *, certain: bool) -> SockctlError | None:
        """Return the error of a refusal. Without `certain`, a question without a welcome is a refusal, too."""
        grave = self._grave
        code = "" if grave is None else grave.get("code")
        if grave is not None and code in _BROKEN:
            return ProtocolError(f"The server says that this client has broken the protocol ({code}).")
        if grave is not None and code in _FAILED:
            return ServerFailedError(f"The server has failed ({code}): its own events say why.")
        needs_welcome = self._has_asked or self._service in ASKING_SERVICES
        if not self.is_welcomed and (self._refusal is not None or (needs_welcome and not certain)):
            return self._explain_refusal(question, unsent_lines)
        if code == IN_DOUBT:
            return InputDiscardedError("The last of the input may not have been said: look before you send it again.")
        if grave is not None:
            return InputDiscardedError(
                f"The server has not carried out all of the input ({code}): send the rest again."
            )
        return None

    def _explain_refusal(self, question: "Message | None", unsent_lines: int) -> NotLetInError:
        code = "" if self._refusal is None else make_visible(self._refusal.get("code"))
        text = f"The server has not let you in{f' ({code})' if code else ''}"
        if question is not None:
            text += f": its question {make_visible(question.text)!r} was not answered. Send a line for each question."
        else:
            text += ": it ended the connection."
        if unsent_lines:
            text += (
                f" {format_count(unsent_lines, 'line')} of the input {'was' if unsent_lines == 1 else 'were'} not sent."
            )
        return NotLetInError(text)
