"""A server's certificate: made where there is none, loaded, and told by its fingerprint.

A pair is made under a lock, so that of several processes that start at once one makes it and all use it:

    lock → write KEY.tmp and CERTIFICATE.tmp → fsync → rename KEY → rename CERTIFICATE → fsync of the folder → unlock

A process that is killed between the two renamings leaves one file and the other's .tmp, which the next process puts in
its place.
"""

import hashlib
import ipaddress
import os
import re
import socket
import string
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from sockctl.errors import AddressError, CertificateError, FingerprintError
from sockctl.net.address import parse_host
from sockctl.stores.files import (
    exposure_of,
    folder_exposure_of,
    make_private_folder,
    mending_of,
    sync_folder,
    take_lock,
    write_private_file,
)

if TYPE_CHECKING:
    from ssl import SSLContext, SSLError

    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec

__all__ = [
    "CERTIFICATE_NAME",
    "KEY_NAME",
    "fingerprint_of",
    "fingerprint_of_file",
    "own_certificate",
    "parse_fingerprint",
    "server_context",
]

CERTIFICATE_NAME, KEY_NAME = "tls-certificate.pem", "tls-key.pem"
VALID_DAYS = 3652
"""Ten years: clients know the certificate by its fingerprint, so that a new one would alarm them all."""
EARLY_DAYS = 1
"""So much behind the server's clock a client's may be."""
MAX_COMMON_NAME = 64
"""Bytes in a common name, RFC 5280 appendix A.1 (ub-common-name)."""
LOCK_TIMEOUT_S = 10.0
SHA256_DIGITS = 64

_PEM_CERTIFICATE = re.compile(rb"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)
_OF_ANOTHER_PAIR = {"KEY_VALUES_MISMATCH", "KEY_TYPE_MISMATCH", "NO_CERTIFICATE_ASSIGNED"}
"""What OpenSSL calls a key that isn't the certificate's: of another value, or of another kind."""


# Fingerprints.


def fingerprint_of(der: bytes) -> str:
    """Return the SHA-256 of a certificate, given as DER, in upper-case hex with colons: ``AB:CD:…``."""
    return hashlib.sha256(der).digest().hex(":").upper()


def fingerprint_of_file(path: Path) -> str:
    """Return the fingerprint of the first certificate in a PEM file.

    Raises:
        CertificateError: The file can't be read, or holds none.
    """
    from ssl import PEM_cert_to_DER_cert

    found = _PEM_CERTIFICATE.search(_content(path, "certificate"))
    try:
        der = PEM_cert_to_DER_cert(found[0].decode("ascii")) if found else b""
    except ValueError:  # no ASCII, or no base64
        der = b""
    if not der:
        raise _no_certificate(path)
    return fingerprint_of(der)


def parse_fingerprint(text: str) -> str:
    """Return a fingerprint as `fingerprint_of` does.

    Args:
        text: 64 hex digits in any case, in pairs with colons between them or without; ``SHA256:`` may stand in front,
            and space around.

    Raises:
        FingerprintError: It is something else.
    """
    digits = text.strip().upper().removeprefix("SHA256:").strip()
    pairs = digits.split(":") if ":" in digits else [digits[at : at + 2] for at in range(0, len(digits), 2)]
    hexadecimal = all(len(pair) == 2 and set(pair) <= set(string.hexdigits) for pair in pairs)  # noqa: PLR2004
    if not hexadecimal or len(pairs) * 2 != SHA256_DIGITS:
        raise FingerprintError(
            f"{text[:120]!r} is not a fingerprint: the SHA-256 of a certificate has {SHA256_DIGITS} hex digits, with "
            f"colons between pairs or without, such as the server tells at its start."
        )
    return ":".join(pairs)


# The server's own pair.


def own_certificate(data_dir: Path, *, hosts: Sequence[str]) -> tuple[Path, Path]:
    """Return the paths of the certificate and the key in the data directory, which are made if neither is there.

    The certificate is self-signed (ECDSA P-256) and valid for ten years; what is there is never made anew. Several
    threads and processes may call this at once: one makes the pair, the others wait for it, 10 s at most.

    Args:
        data_dir: The folder, made (0700) if it isn't there.
        hosts: Names and addresses the server is reached by, besides those of loopback and the machine's name; what is
            neither is left out.

    Raises:
        CertificateError: One of the two is there without the other, or the disk failed.
    """
    certificate, key = data_dir / CERTIFICATE_NAME, data_dir / KEY_NAME
    if _is_there(certificate) and _is_there(key):
        return certificate, key
    try:
        make_private_folder(data_dir)
        lock = take_lock(f"{key}.lock", time.monotonic() + LOCK_TIMEOUT_S)
        try:
            _complete(certificate, key, hosts)
        finally:
            os.close(lock)
    except BlockingIOError as error:
        raise CertificateError(
            f"Another process has been making {certificate} for more than {LOCK_TIMEOUT_S:g} s: see which one holds "
            f"{key}.lock, and try again."
        ) from error
    except OSError as error:
        raise CertificateError(
            f"{certificate} and {key.name} can't be made: {error.strerror}. See to the disk and the permissions, or "
            f"choose another place with --data-dir."
        ) from error
    return certificate, key


def _complete(certificate: Path, key: Path, hosts: Sequence[str]) -> None:
    """Make what isn't there. The caller holds the lock."""
    there = [path for path in (certificate, key) if _is_there(path)]
    if not there:
        _make(certificate, key, hosts)
    elif len(there) == 1:
        _finish(certificate, key, there=there[0])


def _make(certificate: Path, key: Path, hosts: Sequence[str]) -> None:
    certificate_pem, key_pem = _new_pair(hosts)
    write_private_file(_temporary(key), key_pem)
    try:
        write_private_file(_temporary(certificate), certificate_pem)
    except OSError:
        _temporary(key).unlink()
        raise
    _temporary(key).replace(key)
    _temporary(certificate).replace(certificate)
    sync_folder(key.parent)


def _finish(certificate: Path, key: Path, *, there: Path) -> None:
    """Put the second file in its place, where a process was killed before it could."""
    missing = key if there == certificate else certificate
    halves = [path if path == there else _temporary(path) for path in (certificate, key)]
    try:
        server_context(*halves, client_ca=None)
    except CertificateError:
        raise CertificateError(
            f"{there} is there without {missing.name}: put that back, or move the one file away, and a new pair is "
            f"made, which clients will not know. Nothing was changed."
        ) from None
    _temporary(missing).replace(missing)
    sync_folder(missing.parent)


def _temporary(path: Path) -> Path:
    return path.with_name(f"{path.name}.tmp")


def _is_there(path: Path) -> bool:
    return os.path.lexists(path)  # a link that leads nowhere is somebody's, too


def _new_pair(hosts: Sequence[str]) -> tuple[bytes, bytes]:
    """Return a new certificate and its key, both as PEM."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    key_pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return _self_signed(key, hosts).public_bytes(serialization.Encoding.PEM), key_pem


def _self_signed(key: "ec.EllipticCurvePrivateKey", hosts: Sequence[str]) -> "x509.Certificate":
    import datetime

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.x509.oid import ExtendedKeyUsageOID

    own_name = _own_name()
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, own_name or "sockctl")])
    now = datetime.datetime.now(datetime.UTC)
    extensions: list[tuple[x509.ExtensionType, bool]] = [
        (x509.BasicConstraints(ca=False, path_length=None), True),
        (_signature_only(), True),
        (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False),
        (x509.SubjectAlternativeName(_names(["localhost", own_name, "127.0.0.1", "::1", *hosts])), False),
    ]
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=EARLY_DAYS))
        .not_valid_after(now + datetime.timedelta(days=VALID_DAYS))
    )
    for extension, critical in extensions:
        builder = builder.add_extension(extension, critical=critical)
    return builder.sign(key, hashes.SHA256())


def _signature_only() -> "x509.KeyUsage":
    from cryptography import x509

    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )


def _own_name() -> str:
    """Return the machine's name, or nothing where it can't stand in a certificate."""
    name = _dns_name(socket.gethostname())
    return name if len(name) <= MAX_COMMON_NAME else ""


def _names(hosts: Iterable[str]) -> "list[x509.GeneralName]":
    """Return each of the hosts once, as a certificate has it."""
    from cryptography import x509

    names: dict[x509.GeneralName, None] = {}
    for host in hosts:
        bare = host.strip("[]").partition("%")[0]  # a zone means something on one machine only
        try:
            address = ipaddress.ip_address(bare)
        except ValueError:
            if name := _dns_name(host):
                names[x509.DNSName(name)] = None
        else:
            if not address.is_unspecified:
                names[x509.IPAddress(address)] = None
    return list(names)


def _dns_name(host: str) -> str:
    """Return a name as DNS has it (RFC 5890's A-labels), or nothing if it is none."""
    try:
        name = parse_host(host).removesuffix(".").encode("idna").decode().lower()
    except (AddressError, UnicodeError):
        return ""
    return "" if ":" in name else name


# Loading.


def server_context(certificate: Path, key: Path, *, client_ca: Path | None) -> "SSLContext":
    """Return what a server needs for TLS: 1.2 or newer, with this certificate. Never asks at a terminal.

    Args:
        certificate: A PEM file, the server's certificate first, then those it was signed with.
        key: A PEM file with its private key, not protected by a password.
        client_ca: A PEM file with the authorities whose clients are let in; every client must show a certificate
            then. With None none is asked for.

    Raises:
        CertificateError: A file can't be read or doesn't hold that, or the key isn't the certificate's, or others may
            read or replace it.
    """
    import ssl

    _content(certificate, "certificate")
    _content(key, "key")
    key = _checked_key(key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION  # reading must never have to write
    context.num_tickets = 0  # nobody resumes; and a client that closes with tickets unread would reset the connection

    def refuse() -> NoReturn:
        raise CertificateError(
            f"The key in {key} is protected by a password, and a server must start without being asked for one: write "
            f"one without with 'openssl pkey -in {key} -out NEW-FILE', and keep that as safe."
        )

    try:
        context.load_cert_chain(certificate, key, password=refuse)
    except ssl.SSLError as error:
        raise _unusable(certificate, key, error) from error
    except OSError as error:
        raise CertificateError(f"{certificate} and {key} can't be read: {error.strerror}.") from error
    if client_ca is not None:
        context.load_verify_locations(cadata=_authorities(client_ca))
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def _checked_key(key: Path) -> Path:
    """Return where a key is, links followed: others can neither read it nor put another one there.

    Raises:
        CertificateError: They can.
    """
    real = Path(os.path.realpath(key))
    status = real.stat()
    if problem := exposure_of(status, roots_too=True):
        raise CertificateError(f"The key {key} is not used: {problem}. {mending_of(real, status)}")
    if problem := folder_exposure_of(real):
        raise CertificateError(f"The key {key} is not used: {problem}")
    return real


def _authorities(path: Path) -> str:
    """Return the certificates of a PEM file."""
    found = b"\n".join(_PEM_CERTIFICATE.findall(_content(path, "client authority"))).decode("latin-1")
    if not _loads(found):
        raise _no_certificate(path)
    return found


def _loads(pem: str) -> bool:
    """Return whether OpenSSL takes these certificates, of which there is at least one."""
    import ssl

    if not pem or "ENCRYPTED" in pem:  # for such a block OpenSSL would ask at the terminal
        return False
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(cadata=pem)
    except (ssl.SSLError, ValueError):
        return False
    return True


def _content(path: Path, what: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise CertificateError(
            f"The {what} file {path} can't be read: {error.strerror}. See to its place and its permissions."
        ) from error


def _unusable(certificate: Path, key: Path, error: "SSLError") -> CertificateError:
    """Say which of the two files is at fault: OpenSSL mostly doesn't."""
    if error.reason in _OF_ANOTHER_PAIR:
        return CertificateError(
            f"The key in {key} doesn't belong to the certificate in {certificate}: give the two that were made "
            f"together; where the file has several certificates, the server's own must come first."
        )
    if not _loads(b"\n".join(_PEM_CERTIFICATE.findall(_content(certificate, "certificate"))).decode("latin-1")):
        return _no_certificate(certificate)
    if error.reason:  # such as EE_KEY_TOO_SMALL
        why = error.reason.lower().replace("_", " ")
        return CertificateError(f"{certificate} with {key} can't be used: OpenSSL says {why!r}. Give a newer pair.")
    return CertificateError(
        f"{key} holds no private key that can be read: give the PEM file that begins with BEGIN PRIVATE KEY."
    )


def _no_certificate(path: Path) -> CertificateError:
    return CertificateError(
        f"{path} holds no certificate that can be read: give the PEM file that begins with BEGIN CERTIFICATE."
    )
