"""A server's certificate: made, kept, loaded, and what is wrong with those that others made."""

import errno
import os
import socket
import ssl
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from sockctl.errors import CertificateError
from sockctl.net.certificates import ensure_certificate
from sockctl.stores.files import take_lock
from tests.support.certificates import make_pair, openssl
from tests.support.running import TIMEOUT_S, UNMEASURED


def test_what_openssl_reads_in_the_certificate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: "Box.example.")
    hosts = ["LOCALHOST", "bücher.example", "192.0.2.7", "fe80::1%eth0", "[2001:db8::1]", "::", "", "a b"]
    certificate, key = ensure_certificate(tmp_path, hosts=hosts)
    text = openssl("x509", "-in", certificate, "-noout", "-text")
    lines = [line.strip() for line in text.splitlines()]
    for expected in (
        "Version: 3 (0x2)",
        "Signature Algorithm: ecdsa-with-SHA256",
        "ASN1 OID: prime256v1",
        "Issuer: CN = box.example",
        "Subject: CN = box.example",
        "DNS:localhost, DNS:box.example, IP Address:127.0.0.1, IP Address:0:0:0:0:0:0:0:1, DNS:xn--bcher-kva.example, "
        "IP Address:192.0.2.7, IP Address:FE80:0:0:0:0:0:0:1, IP Address:2001:DB8:0:0:0:0:0:1",
    ):
        assert expected in lines
    for extension, value in (
        ("Basic Constraints: critical", "CA:FALSE"),
        ("Key Usage: critical", "Digital Signature"),
        ("Extended Key Usage:", "TLS Web Server Authentication"),
    ):
        assert lines[lines.index(f"X509v3 {extension}") + 1] == value
    openssl("verify", "-x509_strict", "-CAfile", certificate, "-verify_hostname", "localhost", certificate)
    openssl("x509", "-in", certificate, "-noout", "-checkend", str(3650 * 86_400))
    openssl("pkey", "-in", key, "-noout", "-check")


def test_it_is_valid_since_yesterday_for_those_whose_clock_is_behind(own: tuple[Path, Path]) -> None:
    day_s = 86_400
    dates = openssl("x509", "-in", own[0], "-noout", "-dates")
    first, last = (ssl.cert_time_to_seconds(line.partition("=")[2]) for line in dates.splitlines())
    assert abs(first - own[0].stat().st_mtime + day_s) < TIMEOUT_S
    assert last - first == 3653 * day_s


@pytest.mark.parametrize(
    ("name", "subject"), [("", "sockctl"), ("a b", "sockctl"), ("::1", "sockctl"), ("x" * 60 + ".example", "sockctl")]
)
def test_a_machine_whose_name_cannot_stand_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, subject: str
) -> None:
    monkeypatch.setattr(socket, "gethostname", lambda: name)
    certificate, _ = ensure_certificate(tmp_path, hosts=[])
    assert openssl("x509", "-in", certificate, "-noout", "-subject").strip() == f"subject=CN = {subject}"


def test_only_the_user_can_read_it(own: tuple[Path, Path]) -> None:
    certificate, key = own
    assert (certificate.name, key.name) == ("tls-certificate.pem", "tls-key.pem")
    assert [stat.S_IMODE(path.stat().st_mode) for path in (key, key.parent)] == [0o600, 0o700]
    assert not list(key.parent.glob("*.tmp"))


def test_what_is_there_is_never_made_anew(own: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    before = [path.read_bytes() for path in own]
    monkeypatch.setitem(sys.modules, "cryptography", None)
    assert ensure_certificate(own[0].parent, hosts=["new.example"]) == own
    assert [path.read_bytes() for path in own] == before


@pytest.mark.parametrize("gone", [0, 1])
def test_one_file_alone_is_left_as_it_is(own: tuple[Path, Path], gone: int) -> None:
    own[gone].unlink()
    left = own[1 - gone].read_bytes()
    with pytest.raises(CertificateError, match=rf"{own[1 - gone].name} is there without {own[gone].name}"):
        ensure_certificate(own[0].parent, hosts=[])
    assert own[1 - gone].read_bytes() == left
    assert not own[gone].exists()


def test_a_link_that_leads_nowhere_is_left_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "tls-key.pem").symlink_to(tmp_path / "elsewhere.pem")
    with pytest.raises(CertificateError, match="is there without"):
        ensure_certificate(tmp_path, hosts=[])


@pytest.mark.parametrize("last", [0, 1])
def test_what_a_killed_process_began_is_finished(own: tuple[Path, Path], last: int) -> None:
    before = [path.read_bytes() for path in own]
    own[last].rename(f"{own[last]}.tmp")
    assert ensure_certificate(own[0].parent, hosts=[]) == own
    assert [path.read_bytes() for path in own] == before


def test_a_left_file_of_another_pair_is_not_taken(own: tuple[Path, Path], tmp_path: Path) -> None:
    other, _ = make_pair(tmp_path, "other")
    own[0].unlink()
    other.rename(f"{own[0]}.tmp")
    with pytest.raises(CertificateError, match="is there without"):
        ensure_certificate(own[0].parent, hosts=[])


STARTING = """
import sys
from pathlib import Path
import cryptography.x509
from sockctl.net.certificates import ensure_certificate
from sockctl.net.fingerprints import read_fingerprint
from sockctl.net.tls_server import make_server_context
print("ready", flush=True)
sys.stdin.readline()
certificate, key = ensure_certificate(Path(sys.argv[1]), hosts=[])
make_server_context(certificate, key, client_ca=None)
print(read_fingerprint(certificate), key.read_text())
"""


def test_processes_that_start_at_once_use_one_pair(tmp_path: Path) -> None:
    command = [sys.executable, "-c", STARTING, str(tmp_path / "data")]
    runs = [
        subprocess.Popen(command, text=True, env=UNMEASURED, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        for _ in range(4)
    ]
    try:
        for run in runs:
            assert run.stdout is not None
            assert run.stdout.readline() == "ready\n"
        for run in runs:
            assert run.stdin is not None
            run.stdin.write("\n")
            run.stdin.flush()
        told = {run.communicate(timeout=TIMEOUT_S)[0] for run in runs}
        assert [run.returncode for run in runs] == [0] * 4
        assert len(told) == 1
        assert "BEGIN PRIVATE KEY" in told.pop()
    finally:
        for run in runs:
            run.kill()
            run.communicate()


def test_another_process_that_takes_too_long(tmp_path: Path) -> None:
    lock = take_lock(tmp_path / "tls-key.pem.lock", 0)
    try:
        with pytest.raises(CertificateError, match=r"Another process .*tls-key\.pem\.lock"):
            ensure_certificate(tmp_path, hosts=[], lock_timeout_s=0.05)
    finally:
        os.close(lock)


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(CertificateError, match=r"file/data/tls-certificate\.pem .* Not a directory"):
        ensure_certificate(tmp_path / "file" / "data", hosts=[])


@pytest.mark.parametrize("synced", [0, 1])
def test_a_disk_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, synced: int) -> None:
    fsync = os.fsync
    left = synced

    def fail_later(descriptor: int) -> None:
        nonlocal left
        if not left:
            raise OSError(errno.ENOSPC, "No space left on device")
        left -= 1
        fsync(descriptor)

    monkeypatch.setattr(os, "fsync", fail_later)
    with pytest.raises(CertificateError, match="No space left on device"):
        ensure_certificate(tmp_path, hosts=[])
    assert [path.name for path in tmp_path.iterdir()] == ["tls-key.pem.lock"]
