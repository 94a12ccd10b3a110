"""Files in PEM form: the certificates in them, and files that can't be read."""

from pathlib import Path

import pytest

from sockctl.errors import CertificateError
from sockctl.net.pem import make_no_certificate_error, read_certificates, read_pem

ONE = b"-----BEGIN CERTIFICATE-----\nb25l\n-----END CERTIFICATE-----"
TWO = b"-----BEGIN CERTIFICATE-----\ndHdv\n-----END CERTIFICATE-----"
KEY = b"-----BEGIN PRIVATE KEY-----\na2V5\n-----END PRIVATE KEY-----"


def test_the_certificates_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "chain.pem"
    path.write_bytes(b"a comment\n" + b"\n".join([ONE, KEY, TWO]) + b"\n-----BEGIN CERTIFICATE-----\ncut off")
    assert read_certificates(path, "certificate") == [ONE, TWO]
    assert read_pem(path, "certificate") == path.read_bytes()


def test_a_file_without_certificates(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    path.write_bytes(KEY)
    assert read_certificates(path, "certificate") == []
    assert f"{path} holds no certificate" in str(make_no_certificate_error(path))


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    for path in (tmp_path / "missing.pem", tmp_path):
        with pytest.raises(CertificateError, match=f"The authorities' file {path} can't be read: .*directory"):
            read_pem(path, "authorities'")
