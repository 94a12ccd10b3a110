"""Reads files in PEM form (RFC 7468), which hold certificates and keys."""

import re
from pathlib import Path

from sockctl.errors import CertificateError

_PEM_CERTIFICATE = re.compile(rb"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", re.DOTALL)


def read_certificates(path: Path, what: str) -> list[bytes]:
    """Return the certificates of a file, each in PEM form, perhaps none.

    Args:
        path: The file.
        what: A word for the file, for the error.

    Raises:
        CertificateError: The file can't be read.
    """
    return _PEM_CERTIFICATE.findall(read_pem(path, what))


def read_pem(path: Path, what: str) -> bytes:
    """Return the content of a file; args and errors as with `read_certificates`."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise CertificateError(
            f"The {what} file {path} can't be read: {error.strerror}. See to its place and its permissions."
        ) from error


def make_no_certificate_error(path: Path) -> CertificateError:
    """Return the error that a file holds no certificate."""
    return CertificateError(
        f"{path} holds no certificate that can be read: give the PEM file that begins with BEGIN CERTIFICATE."
    )
