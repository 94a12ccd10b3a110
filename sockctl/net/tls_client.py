"""The client's side of TLS: its context, and the handshake."""

import contextlib
import socket
import ssl
from collections.abc import Sequence
from pathlib import Path

from sockctl.deadline import Deadline
from sockctl.errors import CertificateError, ConnectTimeoutError, TlsError, UntrustedError
from sockctl.net.address import Endpoint, is_unix
from sockctl.net.tls import TlsSocket
from sockctl.net.transport import CertificateRefusedError, TransportError
from sockctl.net.wait import Wait, wait_for

PLAIN_SCHEMES = ("tcp", "sockctl")


def make_client_context(
    *, ca: Path | None, system_authorities: bool, certificate: Path | None, key: Path | None
) -> ssl.SSLContext:
    """Return the TLS context of a client, for TLS 1.2 or newer.

    Args:
        ca: The file (PEM) of authorities that must vouch for the server, by chain and name; None for none.
        system_authorities: Whether the system's authorities may vouch.
        certificate: The client's own certificate (PEM), or None.
        key: Its key (PEM), or None if the certificate's file holds it, too.

    Without authorities, the caller must compare the certificate with one that it trusts.

    Raises:
        CertificateError: A file can't be used.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if system_authorities:
        context.load_default_certs(ssl.Purpose.SERVER_AUTH)
    if ca is not None:
        try:
            context.load_verify_locations(ca)
        except OSError as error:  # SSLError is one
            raise CertificateError(f"--ca {ca} can't be used: {_explain(error)}. Give a file in PEM form.") from error
    if ca is None and not system_authorities:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    if certificate is not None:
        try:
            context.load_cert_chain(certificate, key, password=_refuse_password)
        except (OSError, ValueError) as error:
            raise CertificateError(
                f"The client certificate {certificate} can't be used: {_explain(error)}. Give --cert and --key in PEM "
                f"form, the key without a password."
            ) from error
    return context


def shake_hands(
    sock: socket.socket,
    context: ssl.SSLContext,
    endpoint: Endpoint,
    timeout_s: float,
    *,
    plain_schemes: Sequence[str] = PLAIN_SCHEMES,
    wait: Wait = wait_for,
) -> TlsSocket:
    """Do the handshake on a connected socket, and return TLS over it, which owns `sock`; close `sock` on errors.

    Args:
        sock: The socket.
        context: The TLS context.
        endpoint: The server.
        timeout_s: Seconds for the handshake.
        plain_schemes: The schemes of targets without TLS, for advice.
        wait: Waits for the server; errors of its own pass.

    Raises:
        UntrustedError: The authorities don't vouch for the server.
        TlsError: The handshake failed.
        ConnectTimeoutError: The server did not finish the handshake in time.
    """
    name = "localhost" if is_unix(endpoint.host) else endpoint.host.partition("%")[0]
    plain = " or ".join(f"{scheme}://{endpoint}" for scheme in plain_schemes)
    with contextlib.ExitStack() as undo:
        undo.callback(sock.close)
        tls = TlsSocket(sock, context, server_side=False, server_hostname=name)
        _shake_hands(tls, endpoint, timeout_s, plain, wait)
        undo.pop_all()
    return tls


def _shake_hands(tls: TlsSocket, endpoint: Endpoint, timeout_s: float, plain: str, wait: Wait) -> None:
    deadline = Deadline.after(timeout_s)
    try:
        while event := tls.shake_hands():
            try:
                wait(tls.fileno(), event, deadline.left_s)
            except TimeoutError as error:
                raise ConnectTimeoutError(
                    f"{endpoint} did not finish the TLS handshake within {timeout_s:.2g} s. Does it speak TLS? "
                    f"{plain} talks without."
                ) from error
    except CertificateRefusedError as error:
        raise UntrustedError(
            f"The certificate of {endpoint} is not to be trusted: {error}. Nothing was sent to it."
        ) from error
    except TransportError as error:
        raise TlsError(f"No TLS with {endpoint}: {error}. If it doesn't speak TLS: {plain} talks without.") from error
    except OSError as error:
        raise TlsError(
            f"No TLS with {endpoint}: the server broke the connection off ({error.strerror}). If it doesn't speak TLS: "
            f"{plain} talks without."
        ) from error


def _explain(error: Exception) -> str:
    return getattr(error, "strerror", None) or getattr(error, "reason", None) or str(error)


def _refuse_password() -> str:
    raise ValueError("the key is locked with a password")
