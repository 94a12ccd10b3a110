"""The fingerprint of a certificate: its SHA-256, which a server shows and a user compares."""

import hashlib
import string
from pathlib import Path

from sockctl.errors import FingerprintError
from sockctl.net.pem import make_no_certificate_error, read_certificates

SHA256_DIGITS = 64


def compute_fingerprint(der: bytes) -> str:
    """Return the SHA-256 of a certificate in DER, as upper-case hex with colons: ``AB:CD:…``."""
    return hashlib.sha256(der).digest().hex(":").upper()


def read_fingerprint(path: Path) -> str:
    """Return the fingerprint of the first certificate in a PEM file.

    Raises:
        CertificateError: The file can't be read, or holds no certificate.
    """
    from ssl import PEM_cert_to_DER_cert

    found = read_certificates(path, "certificate")
    try:
        der = PEM_cert_to_DER_cert(found[0].decode("ascii")) if found else b""
    except ValueError:  # no ASCII, or no base64
        der = b""
    if not der:
        raise make_no_certificate_error(path)
    return compute_fingerprint(der)


def parse_fingerprint(text: str) -> str:
    """Return a fingerprint in the form of `compute_fingerprint`.

    Args:
        text: 64 hex digits in any case, in pairs with colons between them or without; ``SHA256:`` may stand in front,
            and space around.

    Raises:
        FingerprintError: The text is no fingerprint.
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
