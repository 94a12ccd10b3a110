"""What a server speaks TLS with: versions, authorities, files that won't do, keys that others can use."""

import os
import re
import ssl
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from sockctl.errors import CertificateError
from sockctl.net.fingerprints import compute_fingerprint, read_fingerprint
from sockctl.net.tls_server import make_server_context
from tests.support.certificates import make_pair, openssl
from tests.support.other_user import OTHER_UID, needs_root


def handshake(server: ssl.SSLContext, client: ssl.SSLContext, name: str = "localhost") -> ssl.SSLObject:
    """Shake hands in memory, and return the client's side."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    ours = client.wrap_bio(to_client, to_server, server_hostname=name)
    theirs = server.wrap_bio(to_server, to_client, server_side=True)
    waiting = [ours, theirs]
    for _ in range(10):
        for side in tuple(waiting):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
            waiting.remove(side)
    assert not waiting
    return ours


def trusting(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(certificate)
    return context


def test_a_client_verifies_chain_and_name(own: tuple[Path, Path]) -> None:
    server = make_server_context(*own, client_ca=None)
    for name in ("localhost", "127.0.0.1", "::1"):
        side = handshake(server, trusting(own[0]), name)
        assert side.version() == "TLSv1.3"
        assert compute_fingerprint(side.getpeercert(binary_form=True) or b"") == read_fingerprint(own[0])
    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        handshake(server, trusting(own[0]), "other.example")


def test_versions(own: tuple[Path, Path]) -> None:
    server = make_server_context(*own, client_ca=None)
    assert server.minimum_version is ssl.TLSVersion.TLSv1_2
    client = trusting(own[0])
    client.maximum_version = ssl.TLSVersion.TLSv1_2
    assert handshake(server, client).version() == "TLSv1.2"


def test_clients_must_show_a_certificate_of_the_authority(own: tuple[Path, Path], tmp_path: Path) -> None:
    ann, zoe = make_pair(tmp_path, "ann"), make_pair(tmp_path, "zoe")
    server = make_server_context(*own, client_ca=ann[0])
    client = trusting(own[0])
    client.maximum_version = ssl.TLSVersion.TLSv1_2  # where the client waits for the server's word
    with pytest.raises(ssl.SSLError, match="PEER_DID_NOT_RETURN_A_CERTIFICATE"):
        handshake(server, client)
    client.load_cert_chain(*zoe)
    with pytest.raises(ssl.SSLCertVerificationError):
        handshake(server, client)
    client.load_cert_chain(*ann)
    handshake(server, client)


@pytest.mark.parametrize("kind", [(), ("-newkey", "rsa:2048")])
def test_a_key_of_another_certificate(own: tuple[Path, Path], tmp_path: Path, kind: tuple[str, ...]) -> None:
    _, key = make_pair(tmp_path, "other", *kind)
    with pytest.raises(CertificateError, match=r"other\.key doesn't belong to .*tls-certificate\.pem"):
        make_server_context(own[0], key, client_ca=None)


@pytest.mark.parametrize("form", [(), ("-traditional",)])
def test_a_key_with_a_password_asks_nobody(own: tuple[Path, Path], tmp_path: Path, form: tuple[str, ...]) -> None:
    key = tmp_path / "locked.key"
    openssl("pkey", "-in", own[1], "-aes128", "-passout", "pass:secret", *form, "-out", key)
    with pytest.raises(CertificateError, match=r"protected by a password.* 'openssl pkey -in"):
        make_server_context(own[0], key, client_ca=None)


def test_a_pair_that_openssl_finds_too_weak(tmp_path: Path) -> None:
    with pytest.raises(CertificateError, match="OpenSSL says 'ee key too small'"):
        make_server_context(*make_pair(tmp_path, "weak", "-newkey", "rsa:512"), client_ca=None)


def test_one_file_with_both(own: tuple[Path, Path], tmp_path: Path) -> None:
    both = tmp_path / "both.pem"
    both.write_bytes(own[1].read_bytes() + own[0].read_bytes())
    both.chmod(0o600)
    make_server_context(both, both, client_ca=both)


def empty(_: str) -> str:
    return ""


def spoil(text: str) -> str:
    return re.sub(r"(-----BEGIN [^\n]*\n).{8}", r"\1AAAAAAAA", text, count=1)


@pytest.mark.parametrize("which", [0, 1, 2])
@pytest.mark.parametrize("change", [empty, spoil])
def test_a_file_that_is_not_what_it_should_be(
    own: tuple[Path, Path], tmp_path: Path, which: int, change: Callable[[str], str]
) -> None:
    paths = [own[0], own[1], own[0]]
    bad = tmp_path / "bad.pem"
    bad.write_text(change(paths[which].read_text()))
    bad.chmod(0o600)
    paths[which] = bad
    what = "private key" if which == 1 else "certificate"
    with pytest.raises(CertificateError, match=rf"bad\.pem holds no {what} that can be read"):
        make_server_context(paths[0], paths[1], client_ca=paths[2])


def test_an_authority_in_a_locked_block_asks_nobody(own: tuple[Path, Path], tmp_path: Path) -> None:
    locked = tmp_path / "locked.pem"
    head = "-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,0123456789ABCDEF0123456789ABCDEF\n\n"
    locked.write_text(own[0].read_text().replace("-----\n", head, 1))
    with pytest.raises(CertificateError, match=r"locked\.pem holds no certificate that can be read"):
        make_server_context(*own, client_ca=locked)


@pytest.mark.parametrize("which", [0, 1, 2])
def test_a_file_that_cannot_be_read(own: tuple[Path, Path], tmp_path: Path, which: int) -> None:
    for bad, why in ((tmp_path / "absent.pem", "No such file"), (tmp_path, "Is a directory")):
        paths = [own[0], own[1], own[0]]
        paths[which] = bad
        with pytest.raises(CertificateError, match=rf"{re.escape(str(bad))} can't be read: {why}"):
            make_server_context(paths[0], paths[1], client_ca=paths[2])


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o666])
def test_a_key_that_others_may_use_is_refused(own: tuple[Path, Path], mode: int) -> None:
    own[1].chmod(mode)
    for _ in range(2):
        with pytest.raises(CertificateError, match=f"is not used: .*its mode is {mode:04o}.*chmod 600 ") as refused:
            make_server_context(*own, client_ca=None)
    mend(str(refused.value))
    make_server_context(*own, client_ca=None)


def test_a_key_in_a_folder_that_others_may_write_to_is_refused(own: tuple[Path, Path], tmp_path: Path) -> None:
    link = tmp_path / "link.pem"
    link.symlink_to(own[1])
    own[1].parent.chmod(0o777)
    with pytest.raises(
        CertificateError, match=r"link\.pem is not used: others may write to .*: chmod go-w "
    ) as refused:
        make_server_context(own[0], link, client_ca=None)
    mend(str(refused.value))
    make_server_context(own[0], link, client_ca=None)


@needs_root
def test_a_key_of_another_user_is_refused(own: tuple[Path, Path]) -> None:
    os.chown(own[1], OTHER_UID, -1)
    with pytest.raises(CertificateError, match=r"another user owns it.*: chown [^ ]+ .* && chmod 600 ") as refused:
        make_server_context(*own, client_ca=None)
    mend(str(refused.value))
    make_server_context(*own, client_ca=None)


def mend(error: str) -> None:
    """Do what an error says at its end."""
    subprocess.run(error.rpartition(": ")[2], shell=True, check=True)  # noqa: S602  as who reads it would
