"""Makes errors for the user of those that redis-py raises."""

import re
import ssl
from collections.abc import Iterator

from redis.exceptions import (
    AuthenticationError,
    BusyLoadingError,
    NoPermissionError,
    OutOfMemoryError,
    ReadOnlyError,
    ResponseError,
)
from redis.exceptions import ConnectionError as BrokenError
from redis.exceptions import TimeoutError as SlowError

from sockctl.cluster.engine_access import EngineAccess
from sockctl.errors import (
    CertificateError,
    EngineAwayError,
    EngineError,
    EngineLoginError,
    EngineReplyError,
    EngineTimeoutError,
    EngineUntrustedError,
    NotAnEngineError,
    SockctlError,
)

_CODES: dict[type[Exception], str] = {
    BusyLoadingError: "LOADING",
    NoPermissionError: "NOPERM",
    OutOfMemoryError: "OOM",
    ReadOnlyError: "READONLY",
}
"""The first words of error replies that redis-py leaves out, by its classes."""

_SHORTEST_CODE = 4
"""Letters of the shortest such word but ERR, which the library leaves out: then "DB index is …" begins a sentence."""


_DETAIL = re.compile(r"(?: script: \S+, on \S+|, with args beginning with: .*)$", re.DOTALL)
"""What the engine puts behind an error: where in a function, or with which words, a command has failed."""


def read_reply_error(error: Exception) -> EngineReplyError:
    """Return an error reply of the engine."""
    text = _DETAIL.sub("", str(error))
    first = text.partition(" ")[0]
    code = _CODES.get(type(error)) or (first if first.isupper() and len(first) >= _SHORTEST_CODE else "ERR")
    return EngineReplyError(text.removeprefix(f"{code} "), code=code)


def explain_reply(error: EngineReplyError, access: EngineAccess) -> EngineReplyError:
    """Return the error for the user that an error reply to a function means."""
    return EngineReplyError(
        f"{access} refuses: {str(error).rstrip('.')}. 'sockctl cluster check {access}' says what is wrong.",
        code=error.code,
    )


def explain(error: Exception, access: EngineAccess) -> SockctlError:
    """Return the error for the user that an error of a connection means."""
    causes = list(_list_causes(error))
    tls = next((one for one in causes if isinstance(one, ssl.SSLError)), None)
    if tls is not None:
        return _explain_tls(tls, access)
    if isinstance(error, ResponseError | AuthenticationError | BusyLoadingError):
        return _explain_refusal(error, access)
    if isinstance(error, SlowError | TimeoutError):
        hint = ", and speaks TLS; redis:// does without" if access.tls else ""
        return EngineTimeoutError(
            f"{access} did not answer within {access.timeout_s:g} s: see whether the {_name(access)} runs there{hint}."
        )
    if isinstance(error, BrokenError | OSError):
        return _explain_away(error, causes, access)
    what = "no Sentinel" if access.is_sentinel else "neither Redis nor Valkey"
    return NotAnEngineError(f"What answers at {access} is {what}: see to host and port.")


def _explain_tls(error: ssl.SSLError, access: EngineAccess) -> EngineError:
    if isinstance(error, ssl.SSLCertVerificationError):
        return EngineUntrustedError(
            f"The certificate of {access} is not to be trusted: {error.verify_message}. Nothing was sent to it; "
            f"--engine-ca names the file of the authority that vouches for it."
        )
    if isinstance(error, ssl.SSLEOFError | ssl.SSLZeroReturnError):
        return _make_closed_error(access)
    why = (error.reason or str(error)).replace("_", " ").lower()
    if "certificate required" in why:
        return EngineLoginError(f"{access} asks for a certificate: give --engine-cert and --engine-key.")
    return NotAnEngineError(f"No TLS with {access}: {why}. redis:// talks with an engine without TLS.")


def _explain_refusal(error: Exception, access: EngineAccess) -> EngineError:
    text = str(error).rstrip(".")
    if isinstance(error, AuthenticationError) or "without any password configured" in text:
        return EngineLoginError(
            f"{access} doesn't let the client in: {text}. --engine-login-file, or SOCKCTL_ENGINE_USER and "
            f"SOCKCTL_ENGINE_PASSWORD, give user and password."
        )
    reply = read_reply_error(error)
    if reply.code == "DENIED":
        return EngineLoginError(
            f"{access} lets in clients of its own machine alone (protected mode): give it a user with a password."
        )
    if reply.code == "NOPERM" and access.database:
        grant = access.write_command("ACL", "SETUSER", access.user, "+select")
        return EngineReplyError(f"{access} refuses: {access.user} may not choose a database. {grant}", code=reply.code)
    return EngineReplyError(f"{access} refuses: {str(reply).rstrip('.')}.", code=reply.code)


def _explain_away(error: Exception, causes: list[BaseException], access: EngineAccess) -> EngineError:
    system = next((one for one in causes if isinstance(one, OSError) and one.strerror), None)
    if isinstance(system, ConnectionResetError | BrokenPipeError):
        return _make_closed_error(access)
    if system is not None:
        return EngineAwayError(
            f"{access} can't be reached: {system.strerror}. See whether the {_name(access)} runs there."
        )
    text = str(error).rstrip(".")
    return _make_closed_error(access) if "closed" in text.lower() else EngineAwayError(f"{access}: {text}.")


def _make_closed_error(access: EngineAccess) -> EngineAwayError:
    hint = "speaks TLS, as rediss:// does"
    if access.tls:
        hint = "wants another certificate" if access.certificate else "asks for one: --engine-cert and --engine-key"
    return EngineAwayError(f"{access} closed the connection: see whether the {_name(access)} is stopping, or {hint}.")


def _name(access: EngineAccess) -> str:
    return "Sentinel" if access.is_sentinel else "engine"


def explain_files(error: OSError | ValueError, access: EngineAccess) -> SockctlError:
    """Return the error for the user that a problem with the files of certificates means."""
    why = getattr(error, "strerror", None) or getattr(error, "reason", None) or str(error)
    named = {"--engine-ca": access.ca, "--engine-cert": access.certificate, "--engine-key": access.key}
    files = " or ".join(f"{option} {file}" for option, file in named.items() if file is not None)
    return CertificateError(f"{files} can't be used: {why}. Give files in PEM form, the key without a password.")


def _list_causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield an error, and those that led to it."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
