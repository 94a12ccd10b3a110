"""Makes a self-signed certificate and its key, for a server that has none yet.

A server makes the pair under a lock. So if several processes start at once, one makes it and all use it:

    lock → write KEY.tmp and CERTIFICATE.tmp → fsync → rename KEY → rename CERTIFICATE → fsync of the folder → unlock

A process that is killed between the two renamings leaves one file and the other's .tmp, which the next process renames.
"""

import ipaddress
import os
import socket
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from sockctl.deadline import Deadline
from sockctl.errors import AddressError, CertificateError
from sockctl.net.address import parse_host
from sockctl.net.tls_server import make_server_context
from sockctl.stores.files import make_private_folder, sync_folder, take_lock, write_private_file

if TYPE_CHECKING:
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import ec

CERTIFICATE_NAME, KEY_NAME = "tls-certificate.pem", "tls-key.pem"
VALID_DAYS = 3652
"""Ten years: clients know the certificate by its fingerprint, so a new one would alarm them all."""
EARLY_DAYS = 1
"""How much a client's clock may be behind the server's."""
MAX_COMMON_NAME = 64
"""Bytes in a common name, RFC 5280 appendix A.1 (ub-common-name)."""
LOCK_TIMEOUT_S = 10.0


def ensure_certificate(
    data_dir: Path, *, hosts: Sequence[str], lock_timeout_s: float = LOCK_TIMEOUT_S
) -> tuple[Path, Path]:
    """Return the paths of the certificate and the key in the data directory; make both if neither is there.

    The certificate is self-signed (ECDSA P-256) and valid for ten years; this never replaces a file. Several threads
    and processes may call this at once: one makes the pair, the others wait for it.

    Args:
        data_dir: The folder, created (0700) if it is missing.
        hosts: Further names and addresses of the server, besides those of loopback and the machine's name; others are
            left out.
        lock_timeout_s: Seconds to wait for another process that makes the pair.

    Raises:
        CertificateError: Only one of the two files is there, or the disk failed.
    """
    certificate, key = data_dir / CERTIFICATE_NAME, data_dir / KEY_NAME
    if _is_there(certificate) and _is_there(key):
        return certificate, key
    try:
        make_private_folder(data_dir)
        lock = take_lock(f"{key}.lock", Deadline.after(lock_timeout_s))
        try:
            _complete(certificate, key, hosts)
        finally:
            os.close(lock)
    except BlockingIOError as error:
        raise CertificateError(
            f"Another process has been making {certificate} for more than {lock_timeout_s:g} s: see which one holds "
            f"{key}.lock, and try again."
        ) from error
    except OSError as error:
        raise CertificateError(
            f"{certificate} and {key.name} can't be made: {error.strerror}. See to the disk and the permissions, or "
            f"choose another place with --data-dir."
        ) from error
    return certificate, key


def _complete(certificate: Path, key: Path, hosts: Sequence[str]) -> None:
    """Make the missing files. The caller holds the lock."""
    there = [path for path in (certificate, key) if _is_there(path)]
    if not there:
        _make(certificate, key, hosts)
    elif len(there) == 1:
        _finish(certificate, key, there=there[0])


def _make(certificate: Path, key: Path, hosts: Sequence[str]) -> None:
    certificate_pem, key_pem = _make_pair(hosts)
    write_private_file(_make_temporary_path(key), key_pem)
    try:
        write_private_file(_make_temporary_path(certificate), certificate_pem)
    except OSError:
        _make_temporary_path(key).unlink()
        raise
    _make_temporary_path(key).replace(key)
    _make_temporary_path(certificate).replace(certificate)
    sync_folder(key.parent)


def _finish(certificate: Path, key: Path, *, there: Path) -> None:
    """Rename the second file, for a process that was killed between the two renamings."""
    missing = key if there == certificate else certificate
    halves = [path if path == there else _make_temporary_path(path) for path in (certificate, key)]
    try:
        make_server_context(*halves, client_ca=None)
    except CertificateError:
        raise CertificateError(
            f"{there} is there without {missing.name}: put that back, or move the one file away, and a new pair is "
            f"made, which clients will not know. Nothing was changed."
        ) from None
    _make_temporary_path(missing).replace(missing)
    sync_folder(missing.parent)


def _make_temporary_path(path: Path) -> Path:
    return path.with_name(f"{path.name}.tmp")


def _is_there(path: Path) -> bool:
    return os.path.lexists(path)  # also if it is a link to a missing file, which a user may mend


def _make_pair(hosts: Sequence[str]) -> tuple[bytes, bytes]:
    """Return a new certificate and its key, both as PEM."""
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    key_pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return _sign_certificate(key, hosts).public_bytes(serialization.Encoding.PEM), key_pem


def _sign_certificate(key: "ec.EllipticCurvePrivateKey", hosts: Sequence[str]) -> "x509.Certificate":
    import datetime

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.x509.oid import ExtendedKeyUsageOID

    own_name = _find_own_name()
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, own_name or "sockctl")])
    now = datetime.datetime.now(datetime.UTC)
    extensions: list[tuple[x509.ExtensionType, bool]] = [
        (x509.BasicConstraints(ca=False, path_length=None), True),
        (_make_key_usage(), True),
        (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False),
        (x509.SubjectAlternativeName(_list_names(["localhost", own_name, "127.0.0.1", "::1", *hosts])), False),
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


def _make_key_usage() -> "x509.KeyUsage":
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


def _find_own_name() -> str:
    """Return the machine's name; empty if it can't stand in a certificate."""
    name = _encode_dns_name(socket.gethostname())
    return name if len(name) <= MAX_COMMON_NAME else ""


def _list_names(hosts: Iterable[str]) -> "list[x509.GeneralName]":
    """Return the hosts, each once, as names of a certificate."""
    from cryptography import x509

    names: dict[x509.GeneralName, None] = {}
    for host in hosts:
        bare = host.strip("[]").partition("%")[0]  # a zone has a meaning on one machine only
        try:
            address = ipaddress.ip_address(bare)
        except ValueError:
            if name := _encode_dns_name(host):
                names[x509.DNSName(name)] = None
        else:
            if not address.is_unspecified:
                names[x509.IPAddress(address)] = None
    return list(names)


def _encode_dns_name(host: str) -> str:
    """Return a name in the form of DNS (RFC 5890's A-labels); empty if the host is no name."""
    try:
        name = parse_host(host).removesuffix(".").encode("idna").decode().lower()
    except (AddressError, UnicodeError):
        return ""
    return "" if ":" in name else name
