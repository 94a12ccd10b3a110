"""The certificate of a server: which one, its event, and loading it again."""

from pathlib import Path

import pytest

from sockctl.cli.serve_tls import ServingTls
from sockctl.cli.server_options import ServerOptions
from sockctl.errors import CertificateError
from sockctl.events.base import Event
from sockctl.events.server import TlsCertificate, TlsCertificateRefused
from sockctl.net.fingerprints import read_fingerprint
from tests.support.tls import self_signed


def test_a_certificate_is_made_once(tmp_path: Path) -> None:
    told: list[Event] = []
    options = ServerOptions(tls=True, data_dir=tmp_path)
    first, second = ServingTls(options, told.append), ServingTls(options, told.append)
    assert first.fingerprint == second.fingerprint
    first.tell_certificate()
    (event,) = told
    assert isinstance(event, TlsCertificate)
    assert event.fingerprint == read_fingerprint(Path(event.path))
    assert Path(event.path).is_relative_to(tmp_path)


def test_files_that_are_spoiled_are_refused_and_told(tmp_path: Path) -> None:
    told: list[Event] = []
    certificate, key = self_signed(tmp_path)
    tls = ServingTls(ServerOptions(tls_cert=certificate, tls_key=key), told.append)
    whole = certificate.read_bytes()
    certificate.write_text("rubbish")
    tls.reload()
    certificate.write_bytes(whole)
    tls.reload()
    assert [type(event) for event in told] == [TlsCertificateRefused, TlsCertificate]


def test_a_file_that_is_missing_at_the_start_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(CertificateError, match=r"no\.crt"):
        ServingTls(ServerOptions(tls_cert=tmp_path / "no.crt", tls_key=tmp_path / "no.key"), lambda _: None)
