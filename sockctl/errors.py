"""The whole error tree. It is one file, longer than others, so that a programmer finds an error among its relatives.

Every error that a user may see derives from `SockctlError`. Its text is one sentence that says what went wrong, which
value was wrong, and what to do next. ``sockctl.cli`` alone decides which exit code an error leads to.
"""

import errno
from collections.abc import Sequence
from typing import ClassVar

NO_DESCRIPTOR = {errno.EMFILE, errno.ENFILE}
"""Codes of an `OSError` that say that no file descriptor is left."""
RAISE_DESCRIPTORS = "Raise the limit of open files (ulimit -n)."
"""What to do next then."""


class SockctlError(Exception):
    """Something went wrong that the user can understand and act on."""


class AddressError(SockctlError):
    """A host, port or target as typed can't be understood."""


class RuleError(SockctlError):
    """An ``--allow`` or ``--deny`` rule is not an address or a network."""


class InputNeededError(SockctlError):
    """A value is missing and there is no terminal to ask at."""


class ListenError(SockctlError):
    """The server can't listen on its address."""


class PortTakenError(ListenError):
    """Another program listens on the port, and the server may not move to another one."""


class ControlError(SockctlError):
    """The socket by which a server is watched can't be made, or doesn't answer as a server does."""


class ServerGoneError(ControlError):
    """The server that was watched has stopped, or its process is gone.

    Attributes:
        in_order: Whether it has said goodbye.
    """

    def __init__(self, message: str, *, in_order: bool) -> None:
        super().__init__(message)
        self.in_order = in_order


class NoServerError(SockctlError):
    """There is no running server that can be watched."""


class LogFileError(SockctlError):
    """The log file can't be opened."""


class DumpError(SockctlError):
    """The folder for the bytes of connections can't be used."""


class SinkError(SockctlError):
    """Events could not be written.

    Args:
        message: A sentence that says which sink failed, and why.
        written: How many of the records were written before the failure.
    """

    def __init__(self, message: str, *, written: int = 0) -> None:
        super().__init__(message)
        self.written = written


class StreamError(SockctlError):
    """Standard input can't be read, or standard output not written."""

    @classmethod
    def of_output(cls, error: OSError) -> "StreamError":
        """Return the error of a standard output that can't be written, for the system's own error."""
        why = "it is closed" if error.errno == errno.EBADF else error.strerror
        return cls(f"Standard output can't be written: {why}. The rest is lost.")


class UnreachableError(SockctlError):
    """No address of the host can be connected to."""


class TargetIsProxyError(SockctlError):
    """The target of a proxy is that proxy itself."""


class SourceError(SockctlError):
    """The connection can't begin at the own address that the user has chosen."""


class PacketLabError(SockctlError):
    """The system refuses the network in which packets can be seen; the text names the step that failed."""


class TopicError(SockctlError):
    """The run of a topic has failed."""


class IdleTimeoutError(SockctlError):
    """Nothing was sent or received for the time that the user has chosen."""


class ConnectTimeoutError(SockctlError):
    """The host did not answer in time."""


class ConnectionBrokenError(SockctlError):
    """The other side reset the connection, or closed it before it had received everything."""


class WebSocketClosedError(ConnectionBrokenError):
    """The server closed the WebSocket with a code that tells of a failure, or without any."""


class PeerGoneError(SockctlError):
    """The connection ends: no message can be received or sent any more.

    A conversation need not catch it; the server core does.
    """


class AnswerRefusedError(SockctlError):
    """An answer to a question breaks a rule.

    Attributes:
        code: A stable word for it, as the `error` message carries it.
    """

    code: ClassVar[str] = "bad_answer"


class NameRefusedError(AnswerRefusedError):
    """A name breaks the rule for names, or is reserved."""

    code = "bad_name"


class NameTakenError(AnswerRefusedError):
    """Another user or client has the name."""

    code = "name_taken"


class TooManyNewError(AnswerRefusedError):
    """Too many clients of a network were new within a short time."""

    code = "too_many_new"


class PasswordRefusedError(AnswerRefusedError):
    """A password breaks a rule. The text says which, and never shows any of the password."""

    code = "bad_password"


class WeakPasswordError(PasswordRefusedError):
    """A new password is easy to guess.

    Attributes:
        guesses: How many guesses find it, by estimate.
        needed: How many guesses a new password must withstand.
    """

    def __init__(self, message: str, *, guesses: float, needed: float) -> None:
        super().__init__(message)
        self.guesses = guesses
        self.needed = needed


class CommandError(SockctlError):
    """A command of the chat has too few or too many words, or a wrong one.

    Attributes:
        code: A stable word for it, as the `error` message carries it.
        until: When the reason ends, as RFC 3339 has it; None where it doesn't end by itself.
    """

    code: ClassVar[str] = "bad_command"
    until: str | None = None


class MutedError(CommandError):
    """An operator lets the member read only.

    Attributes:
        until: When the mute ends, as RFC 3339 has it; None for a mute for good.
    """

    code = "muted"

    def __init__(self, message: str, *, until: str | None) -> None:
        super().__init__(message)
        self.until = until


class TextTooLongError(CommandError):
    """A text or a command has more bytes, or a block more lines, than may be said at once."""

    code = "too_long"


class UnknownCommandError(CommandError):
    """There is no such command for the client that typed it."""

    code = "unknown_command"


class RoomRefusedError(CommandError):
    """The name of a room breaks the rule for names."""

    code = "bad_room"


class UnsendableError(SockctlError):
    """An own message can't be sent: it is too large, or isn't text. Nothing of it was sent."""


class ProtocolError(SockctlError):
    """The other side broke the protocol. The connection can't be used any more.

    Attributes:
        code: A stable word for it, as the `error` message carries it.
        close_code: The code of the Close frame that tells a WebSocket client (RFC 6455, section 7.4.1).
    """

    code: ClassVar[str] = "protocol_error"
    close_code: ClassVar[int] = 1002


class MessageTooLargeError(ProtocolError):
    """A frame or a line is larger than the limit in force; nothing was allocated for it."""

    code = "too_large"
    close_code = 1009


class BadTextError(ProtocolError):
    """A frame or a line is not UTF-8."""

    code = "bad_utf8"
    close_code = 1007


class BadMessageError(ProtocolError):
    """A message holds no JSON object, or one that lacks what a message needs."""

    code = "bad_message"
    close_code = 1007


class TruncatedMessageError(ProtocolError):
    """The input ended in the middle of a frame."""

    code = "truncated"


class MessageTimeoutError(ProtocolError):
    """A message that had begun was not complete in time."""

    code = "timeout"
    close_code = 1008


class TooManyLargeError(ProtocolError):
    """A large message came while the server keeps as many as it may."""

    code = "busy"
    close_code = 1013


class WebSocketError(ProtocolError):
    """The other side of a WebSocket sent a frame that RFC 6455 doesn't allow."""

    code = "websocket"


class BinaryRefusedError(ProtocolError):
    """A WebSocket client sent a binary message to a service of texts."""

    code = "binary"
    close_code = 1003


class LateHelloError(ProtocolError):
    """A client changed to frames after so much text that the server no longer remembers it."""

    code = "late_hello"


class HttpError(SockctlError):
    """An HTTP request is refused.

    Attributes:
        status: The status code of the answer.
        headers: Its further headers.
    """

    def __init__(self, status: int, message: str, headers: Sequence[tuple[str, str]] = ()) -> None:
        super().__init__(message)
        self.status = status
        self.headers = headers


class HttpRefusedError(ProtocolError):
    """The first line is an HTTP request: a web page must not be able to speak to a server on loopback."""

    code = "http"


class NotGreetedError(ProtocolError):
    """The server didn't begin with the greeting of a message service."""

    code = "not_greeted"


class NotWebSocketError(ProtocolError):
    """The server opens no WebSocket at the address, or in a wrong form."""

    code = "not_websocket"


class UnknownClientError(SockctlError):
    """No client with that address or name is known."""


class UnknownHostError(SockctlError):
    """No certificate of that host and port is saved."""


class CertificateError(SockctlError):
    """A certificate or its key can't be made, read or used."""


class FingerprintError(SockctlError):
    """A fingerprint as typed is not one of a certificate."""


class UnknownUserError(SockctlError):
    """There is no user of that name."""


class UnknownSessionError(SockctlError):
    """There is no such session."""


class HashFailedError(SockctlError):
    """A password can't be hashed: there is not enough memory for it."""


class LoginError(SockctlError):
    """A login failed.

    Attributes:
        code: A stable word for it, as the `error` message carries it.
        retry_after_s: Seconds after which another try makes sense; None if time doesn't matter.
    """

    code: ClassVar[str] = "login_failed"

    def __init__(self, message: str, *, retry_after_s: int | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class LoginFailedError(LoginError):
    """The name, the password, or both are wrong, or the user is disabled; the text doesn't say which.

    Attributes:
        user: The name, if it is one of a user: for the operator, not for the client.
    """

    def __init__(self, message: str, *, user: str | None = None) -> None:
        super().__init__(message)
        self.user = user


class TokenRefusedError(LoginError):
    """The token belongs to no session, or to none any more."""

    code = "bad_token"


class TokenReusedError(TokenRefusedError):
    """A client has shown a token that a newer one had replaced: a copy is in use, so its session has ended.

    Attributes:
        user: The user of the session, for the operator.
        session: The session's id.
    """

    def __init__(self, message: str, *, user: str, session: str) -> None:
        super().__init__(message)
        self.user = user
        self.session = session


class ThrottledError(LoginError):
    """Too many tries have failed: the next one must wait."""

    code = "throttled"


class BusyError(LoginError):
    """Too many users log in at once: the server has not looked up the name."""

    code = "busy"


class NotLoggedInError(SockctlError):
    """No login of that server is saved."""


class NotToldError(SockctlError):
    """The server doesn't know of a logout: it refused the token, or did not confirm."""


class NotLetInError(SockctlError):
    """The connection ended before the server had let the client in."""


class TurnedAwayError(NotLetInError):
    """The server greeted, said in text why it has no place for the client, and ended the connection."""


class ServerFailedError(SockctlError):
    """The server, or a program that answers for it, has failed."""


class InputDiscardedError(SockctlError):
    """The server has received lines of the input, and discarded them."""


class NobodyThereError(SockctlError):
    """The operator's message has no recipient, so it was not sent."""


class StoreError(SockctlError):
    """What sockctl keeps can't be used: a file, or the engine that several machines share."""


class StoreReadError(StoreError):
    """The file, or the place for it, can't be read."""


class StoreExposedError(StoreReadError):
    """The file holds secrets, and other users may read or replace it."""


class StoreFormatError(StoreError):
    """The file's content is of a wrong form; the file stays as it is."""


class StoreLockedError(StoreError):
    """Another process holds the file's lock; nothing was changed."""


class StoreWriteError(StoreError):
    """The file can't be written; it is as it was."""


class ProgramError(SockctlError):
    """The program that a server is to start for clients can't be run."""


class ScriptError(SockctlError):
    """A step of a scripted session can't be understood."""


class SecretFileError(SockctlError):
    """A file with a secret can't be read, or other users could read it, too."""


class ExpectationError(SockctlError):
    """The server did not send the expected line or message."""


class OptionError(SockctlError):
    """Options contradict each other, or the arguments leave open what is meant."""


class ConfigError(SockctlError):
    """The configuration file can't be used."""


class TlsReceivedError(ProtocolError):
    """A client speaks TLS to a port without TLS."""

    code = "tls"


class TlsError(ProtocolError):
    """The TLS handshake failed."""

    code = "tls"


class UntrustedError(SockctlError):
    """The server's certificate isn't trusted; nothing was sent to the server."""


class UnknownCertificateError(UntrustedError):
    """The client has never met the server, and nobody can be asked whether to trust its certificate."""


class InsecureError(SockctlError):
    """A password or token would go over the network in clear; it was not sent."""


class BenchFailedError(SockctlError):
    """A process of the load tool couldn't do its part."""


class LibraryMissingError(SockctlError):
    """A library that only some commands need isn't installed."""


class EngineError(StoreError):
    """The engine that several machines share, Redis or Valkey, can't be used."""


class EngineAwayError(EngineError):
    """The engine can't be reached, or closed the connection."""


class EngineTimeoutError(EngineAwayError):
    """The engine did not answer in time."""


class EngineLoginError(EngineError):
    """The engine doesn't let the client in."""


class EngineUntrustedError(EngineError, UntrustedError):
    """The engine's certificate isn't trusted; nothing was sent to the engine."""


class NotAnEngineError(EngineError):
    """Something else than an engine answers."""


class NoChatError(EngineError):
    """The engine holds no chat, or one that this version can't read."""


class EngineUnfitError(EngineError):
    """The engine's settings don't suit a chat on several machines."""


class RulesDifferError(EngineError):
    """The nodes that are there have another rule than this one."""


class EngineReplyError(EngineError):
    """The engine answered a request with an error; the text is the engine's own.

    Attributes:
        code: The first word of such an answer, such as ``NOPERM``.
    """

    def __init__(self, message: str, *, code: str = "ERR") -> None:
        super().__init__(message)
        self.code = code
