"""Fingerprints: how people write them, and that openssl tells the same."""

import ssl
from pathlib import Path

import pytest

from sockctl.errors import CertificateError, FingerprintError
from sockctl.net.fingerprints import compute_fingerprint, parse_fingerprint, read_fingerprint
from tests.support.certificates import make_pair, openssl

DIGITS = "0123456789abcdef" * 4


USUAL = "01:23:45:67:89:AB:CD:EF:" * 3 + "01:23:45:67:89:AB:CD:EF"


@pytest.mark.parametrize(
    "text", [DIGITS, DIGITS.upper(), USUAL, USUAL.lower(), f" SHA256:{USUAL}\n", f"sha256:{DIGITS}", f"Sha256: {USUAL}"]
)
def test_forms_of_a_fingerprint(text: str) -> None:
    assert parse_fingerprint(text) == USUAL


@pytest.mark.parametrize(
    "text",
    [
        "",
        "SHA256:",
        DIGITS[1:],
        DIGITS[2:],
        DIGITS + "00",
        USUAL + ":",
        USUAL.replace(":", "::", 1),
        USUAL.replace(":", " "),
        ":".join(DIGITS),
        f"SHA256:SHA256:{DIGITS}",
        f"SHA1:{DIGITS}",
        DIGITS[1:] + "g",
        DIGITS[1:] + "\N{FULLWIDTH DIGIT ONE}",
    ],
)
def test_what_is_no_fingerprint(text: str) -> None:
    with pytest.raises(FingerprintError, match=r"is not a fingerprint: .* 64 hex digits"):
        parse_fingerprint(text)


def test_the_fingerprint_is_the_one_that_openssl_tells(own: tuple[Path, Path], tmp_path: Path) -> None:
    told = openssl("x509", "-in", own[0], "-noout", "-fingerprint", "-sha256").strip().partition("=")[2]
    assert read_fingerprint(own[0]) == told == parse_fingerprint(told)
    chain = tmp_path / "chain.pem"
    chain.write_bytes(b"Z\xfcrich\n" + own[0].read_bytes() + make_pair(tmp_path, "other")[0].read_bytes())
    assert read_fingerprint(chain) == told, "the first one counts"
    assert compute_fingerprint(ssl.PEM_cert_to_DER_cert(own[0].read_text())) == told


@pytest.mark.parametrize("inside", ["", "A", "\xe9"])
def test_a_file_without_a_certificate(tmp_path: Path, inside: str) -> None:
    path = tmp_path / "empty.pem"
    path.write_text(f"-----BEGIN CERTIFICATE-----\n{inside}\n-----END CERTIFICATE-----\n")
    with pytest.raises(CertificateError, match=r"empty\.pem holds no certificate"):
        read_fingerprint(path)
    with pytest.raises(CertificateError, match="No such file"):
        read_fingerprint(tmp_path / "absent.pem")
