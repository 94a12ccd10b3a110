"""The server's side of TLS: its context, with certificate and key, and the handshake."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from sockctl.deadline import Deadline
from sockctl.errors import CertificateError, PeerGoneError
from sockctl.events.connection import TlsEstablished, TlsFailed
from sockctl.events.journal import Journal
from sockctl.events.reasons import DisconnectReason
from sockctl.net.connection import Connection
from sockctl.net.pem import make_no_certificate_error, read_certificates, read_pem
from sockctl.net.transport import TlsTransport, TransportError
from sockctl.stores.files import describe_mending, find_exposure, find_folder_exposure

if TYPE_CHECKING:
    from ssl import SSLContext, SSLError

_OF_ANOTHER_PAIR = {"KEY_VALUES_MISMATCH", "KEY_TYPE_MISMATCH", "NO_CERTIFICATE_ASSIGNED"}
"""OpenSSL's reasons for a key that isn't the certificate's: of another value, or of another kind."""


def make_server_context(certificate: Path, key: Path, *, client_ca: Path | None) -> "SSLContext":
    """Return the TLS context of a server, for TLS 1.2 or newer, with this certificate. Never asks at a terminal.

    Args:
        certificate: A PEM file, with the server's certificate first, then those that signed it.
        key: A PEM file with its private key, not protected by a password.
        client_ca: A PEM file of authorities: every client must show a certificate of one of them. With None, the server
            asks for none.

    Raises:
        CertificateError: A file can't be read or is wrong, or the key isn't the certificate's, or other users may read
            or replace the key.
    """
    import ssl

    read_pem(certificate, "certificate")
    read_pem(key, "key")
    key = _check_key(key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION  # reading must never have to write
    context.num_tickets = 0  # no client resumes, and one that closes with unread tickets would reset the connection

    def refuse() -> NoReturn:
        raise CertificateError(
            f"The key in {key} is protected by a password, and a server must start without being asked for one: write "
            f"one without with 'openssl pkey -in {key} -out NEW-FILE', and keep that as safe."
        )

    try:
        context.load_cert_chain(certificate, key, password=refuse)
    except ssl.SSLError as error:
        raise _make_error(certificate, key, error) from error
    except OSError as error:
        raise CertificateError(f"{certificate} and {key} can't be read: {error.strerror}.") from error
    if client_ca is not None:
        context.load_verify_locations(cadata=_read_authorities(client_ca))
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def _check_key(key: Path) -> Path:
    """Return the real path of a key that other users can neither read nor replace."""
    real = Path(os.path.realpath(key))
    status = real.stat()
    if problem := find_exposure(status, roots_too=True):
        raise CertificateError(f"The key {key} is not used: {problem}. {describe_mending(real, status)}")
    if problem := find_folder_exposure(real):
        raise CertificateError(f"The key {key} is not used: {problem}")
    return real


def _read_authorities(path: Path) -> str:
    """Return the certificates of a PEM file."""
    found = b"\n".join(read_certificates(path, "client authority")).decode("latin-1")
    if not _can_load(found):
        raise make_no_certificate_error(path)
    return found


def _can_load(pem: str) -> bool:
    """Return whether there are certificates, and OpenSSL loads them."""
    import ssl

    if not pem or "ENCRYPTED" in pem:  # for such a block OpenSSL would ask at the terminal
        return False
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=pem)
    except (ssl.SSLError, ValueError):
        return False
    return True


def _make_error(certificate: Path, key: Path, error: "SSLError") -> CertificateError:
    """Return the error that names the file at fault, which OpenSSL mostly doesn't."""
    if error.reason in _OF_ANOTHER_PAIR:
        return CertificateError(
            f"The key in {key} doesn't belong to the certificate in {certificate}: give the two that were made "
            f"together; where the file has several certificates, the server's own must come first."
        )
    if not _can_load(b"\n".join(read_certificates(certificate, "certificate")).decode("latin-1")):
        return make_no_certificate_error(certificate)
    if error.reason:  # such as EE_KEY_TOO_SMALL
        why = error.reason.lower().replace("_", " ")
        return CertificateError(f"{certificate} with {key} can't be used: OpenSSL says {why!r}. Give a newer pair.")
    return CertificateError(
        f"{key} holds no private key that can be read: give the PEM file that begins with BEGIN PRIVATE KEY."
    )


def shake_hands(connection: Connection, tls: TlsTransport, journal: Journal, *, timeout_s: float) -> None:
    """Do the TLS handshake of a connection; its handler thread calls it.

    Raises:
        PeerGoneError: The handshake failed, or took too long; an event says which.
    """
    deadline = Deadline.after(timeout_s)
    try:
        while event := tls.shake_hands():
            connection.wait({connection.fd: event}, until=deadline)
    except TransportError as error:
        failure = str(error)
    except TimeoutError:
        failure = f"the client did not finish it within {timeout_s:g} s"
    except OSError as error:
        connection.note_error(error)
        raise PeerGoneError(f"{connection.peer} broke the connection off") from error
    else:
        version, cipher = tls.describe()
        journal.emit(TlsEstablished(connection=connection.number, peer=connection.peer, version=version, cipher=cipher))
        return
    if connection.reason is None:  # else the handshake failed only because the server has ended the connection
        journal.emit(TlsFailed(connection=connection.number, peer=connection.peer, error=failure))
        connection.reason = DisconnectReason.TLS_ERROR
    raise PeerGoneError(f"no TLS with {connection.peer}")
