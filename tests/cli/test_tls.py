"""TLS as processes: first use, second use, changed, given, vouched for; beside openssl, ncat and the wrong ports."""

import contextlib
import hashlib
import json
import re
import shutil
import signal
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sockctl.cli.exit_codes import ExitCode
from sockctl.net.limits import Timeouts
from tests.support.running import START_S, TIMEOUT_S, Process, free_port, process, receive_all, sockctl, wait_until
from tests.support.terminal import ended
from tests.support.tls import openssl, self_signed, tls_client
from tests.support.tools import tool

Files = tuple[Path, Path]


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Files:
    return self_signed(tmp_path_factory.mktemp("tls"))


@pytest.fixture(autouse=True)
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SOCKCTL_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("SOCKCTL_STATE_DIR", str(tmp_path / "state"))
    return tmp_path


@contextlib.contextmanager
def served(*arguments: str) -> Iterator[tuple[Process, int, str]]:
    """Start a server; return it with its port and its certificate's fingerprint."""
    service, *options = arguments
    with process("serve", service, "--port", "0", "--log-format", "json", *options) as run:
        port = int(run.event("listening")["port"])
        yield run, port, run.event("tls_certificate")["fingerprint"]


@contextlib.contextmanager
def played(files: Files, play: Callable[[ssl.SSLSocket], None] = lambda _: None) -> Iterator[tuple[int, list[bytes]]]:
    """Play a TLS server for one connection, and keep what the application on the other side sent to it."""
    got: list[bytes] = []
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*files)

    def serve() -> None:
        plain, _ = listener.accept()
        plain.settimeout(TIMEOUT_S)
        with contextlib.suppress(OSError), context.wrap_socket(plain, server_side=True) as sock:
            play(sock)
            got.append(receive_all(sock))
        plain.close()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(START_S)  # a client has to start
        thread = threading.Thread(target=serve)
        thread.start()
        yield listener.getsockname()[1], got
        thread.join(TIMEOUT_S)


def test_first_use_second_use_and_changed(places: Path) -> None:
    with served("echo", "--tls", "--port", str(free_port())) as (run, port, fingerprint):
        target = f"tls://localhost:{port}"
        unknown = sockctl("connect", target, stdin=b"abc")
        assert unknown.returncode == ExitCode.NOT_LET_IN
        assert fingerprint.encode() in unknown.stderr
        assert b"--accept-new" in unknown.stderr
        given = sockctl(
            "connect", target, "--fingerprint", f"SHA256:{fingerprint.replace(':', '').lower()}", stdin=b"a"
        )
        assert (given.returncode, given.stdout) == (0, b"a")
        first = sockctl("connect", target, "--accept-new", stdin=b"abc")
        assert (first.returncode, first.stdout) == (0, b"abc")
        data = bytes(range(256)) * 20_000
        second = sockctl("connect", target, stdin=data)
        assert second.returncode == 0
        assert second.stdout == data, "the end of the input brings back every byte"
        known = json.loads((places / "state" / "known_hosts.json").read_text())["hosts"]
        assert known[f"localhost:{port}"]["fingerprint"] == fingerprint
        assert run.end() == 0
    shutil.rmtree(places / "data")
    with process("serve", "echo", "--tls", "--port", str(port), "--strict-port", "--log-format", "json") as again:
        new = again.event("tls_certificate")["fingerprint"]
        assert new != fingerprint
        changed = sockctl("connect", target, stdin=b"secret")
        assert changed.returncode == ExitCode.NOT_LET_IN
        for part in (b"CHANGED", new.encode(), fingerprint.encode(), f"sockctl hosts remove localhost:{port}".encode()):
            assert part in changed.stderr
        assert sockctl("hosts", "forget", f"localhost:{port}").returncode == 0
        assert sockctl("hosts", "trust", f"localhost:{port}", new).returncode == 0
        assert sockctl("connect", target, stdin=b"fine").stdout == b"fine"


@pytest.mark.parametrize(
    "options", [[], ["--fingerprint", "00" * 32], ["--verify-system"]], ids=["unknown", "given", "system"]
)
def test_nothing_is_sent_to_whom_is_not_trusted(files: Files, options: list[str]) -> None:
    with played(files) as (port, got):
        run = sockctl("connect", f"tls://127.0.0.1:{port}", *options, stdin=b"secret")
    assert run.returncode == ExitCode.NOT_LET_IN
    assert b"Nothing was sent to it." in run.stderr
    assert b"".join(got) == b""


def test_nothing_is_sent_to_a_changed_certificate(files: Files) -> None:
    with played(files) as (port, got):
        sockctl("hosts", "trust", f"127.0.0.1:{port}", "AA" * 32)
        run = sockctl("connect", f"tls://127.0.0.1:{port}", stdin=b"secret")
    assert run.returncode == ExitCode.NOT_LET_IN
    assert b"".join(got) == b""


def test_authorities_check_chain_name_and_time(files: Files, tmp_path: Path) -> None:
    trusting = ["--ca", str(files[0])]
    with played(files) as (port, got):
        assert sockctl("connect", f"tls://localhost:{port}", *trusting, stdin=b"abc").returncode == 0
    assert got == [b"abc"]
    wrong = self_signed(tmp_path, "elsewhere", names="DNS:elsewhere.example")
    with played(wrong) as (port, got):
        run = sockctl("connect", f"tls://localhost:{port}", "--ca", str(wrong[0]), stdin=b"abc")
    assert run.returncode == ExitCode.NOT_LET_IN
    assert b"ostname mismatch" in run.stderr
    expired = expired_certificate(tmp_path)
    with played(expired) as (port, got):
        run = sockctl("connect", f"tls://localhost:{port}", "--ca", str(expired[0]), stdin=b"abc")
    assert run.returncode == ExitCode.NOT_LET_IN
    assert b"expired" in run.stderr
    assert b"".join(got) == b""


def expired_certificate(folder: Path) -> Files:
    """Make a certificate of the past; only `openssl ca` lets one say when it was."""
    key, request, certificate = folder / "old.key", folder / "old.csr", folder / "old.crt"
    (folder / "index").touch()
    (folder / "ca.cnf").write_text(
        "[ca]\ndefault_ca=own\n[own]\ndatabase=index\nrand_serial=yes\nnew_certs_dir=.\ndefault_md=sha256\n"
        "policy=any\nx509_extensions=names\n[any]\ncommonName=supplied\n[names]\nsubjectAltName=DNS:localhost\n"
    )
    kind = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -subj /CN=localhost"
    openssl("req", "-new", *kind.split(), "-keyout", str(key), "-out", str(request))
    how = f"-batch -selfsign -config ca.cnf -keyfile {key} -in {request} -out {certificate} -notext"
    subprocess.run(
        [tool("openssl", "openssl"), "ca", *how.split(), "-startdate", "200101000000Z", "-enddate", "210101000000Z"],
        check=True,
        capture_output=True,
        cwd=folder,
        timeout=60,
    )
    return certificate, key


def test_a_person_is_asked_once(terminal: Any) -> None:
    with served("talk", "--tls", "--reply-with", "cat") as (_, port, fingerprint):
        child = terminal("connect", "--plain", f"sockctls://localhost:{port}")
        child.expect(re.escape(fingerprint))
        child.expect(r"Trust it from now on\? \[yes/no\]: ")
        child.sendline("perhaps")
        child.expect("Please type yes or no")
        child.sendline("no")
        child.expect("is not trusted")
        assert ended(child) == ExitCode.NOT_LET_IN
        child = terminal("connect", "--plain", f"sockctls://localhost:{port}")
        child.expect("connected.*Connected to")
        child.expect("Trust it from now on")
        child.sendline("yes")
        child.expect("host_trusted.*from now on")
        child.expect("tls_established.*TLSv1.3")
        child.expect("greeted")
        child.expect("Type lines")
        child.sendline("hello")
        child.expect("hello\r\nhello\r\n")
        child.sendline("exit")
        assert ended(child) == 0
        child = terminal("connect", "--plain", f"sockctls://localhost:{port}")
        child.expect("greeted")
        child.sendeof()
        assert ended(child) == 0


def test_what_was_typed_ahead_trusts_nobody(terminal: Any) -> None:
    with served("talk", "--tls") as (_, port, _):
        waits = ("sh", "-c", 'echo ready; read begin; exec "$@"', "sh")
        child = terminal("connect", "--plain", f"sockctls://localhost:{port}", command=waits)
        child.expect("ready")
        child.send("begin\ryes\r")
        child.expect("Trust it from now on")
        child.sendline("no")
        child.expect("is not trusted")
        assert ended(child) == ExitCode.NOT_LET_IN


def test_a_certificate_of_ones_own_and_a_changed_one(files: Files, tmp_path: Path) -> None:
    certificate, key = tmp_path / "server.crt", tmp_path / "server.key"
    shutil.copy(files[0], certificate)
    shutil.copy(files[1], key)
    with served("echo", "--tls-cert", str(certificate), "--tls-key", str(key)) as (run, port, fingerprint):
        with tls_client(port) as sock:
            other = self_signed(tmp_path, "other")
            shutil.copy(other[0], certificate)
            run.process.send_signal(signal.SIGHUP)
            run.wait_for('"event": "tls_certificate_refused"')
            shutil.copy(other[1], key)
            run.process.send_signal(signal.SIGHUP)
            assert run.event("tls_certificate")["fingerprint"] != fingerprint
            sock.sendall(b"still here")
            assert sock.recv(100) == b"still here"
        new = sockctl("connect", f"tls://localhost:{port}", "--fingerprint", fingerprint, stdin=b"")
        assert new.returncode == ExitCode.NOT_LET_IN
        assert run.end() == 0


def test_client_certificates(files: Files, tmp_path: Path) -> None:
    own = self_signed(tmp_path, "client")
    with served("echo", "--tls-cert", str(files[0]), "--tls-key", str(files[1]), "--tls-client-ca", str(own[0])) as (
        _,
        port,
        fingerprint,
    ):
        trusting = ("connect", f"tls://localhost:{port}", "--fingerprint", fingerprint)
        run = sockctl(*trusting, "--cert", str(own[0]), "--key", str(own[1]), stdin=b"abc")
        assert (run.returncode, run.stdout) == (0, b"abc")
        run = sockctl(*trusting, stdin=b"abc")
        assert run.returncode == ExitCode.BROKEN
        assert b"certificate" in run.stderr


@pytest.mark.parametrize(
    ("options", "code", "why"),
    [
        (["--tls-cert", "x.pem"], ExitCode.USAGE, b"belong together"),
        (["--tls-client-ca", "x.pem"], ExitCode.USAGE, b"add --tls"),
        (["--tls-cert", "/no/x.pem", "--tls-key", "/no/x.key"], ExitCode.FAILED, b"/no/x.pem"),
    ],
)
def test_servers_options_that_cannot_be(options: list[str], code: ExitCode, why: bytes) -> None:
    run = sockctl("serve", "echo", "--port", "0", *options)
    assert run.returncode == code
    assert why in run.stderr
    assert b"Traceback" not in run.stderr


@pytest.mark.parametrize(
    ("options", "why"),
    [
        (["localhost:9", "--accept-new"], b"add --tls"),
        (["tls://localhost:9", "--fingerprint", "xyz"], b"64"),
        (["tls://localhost:9", "--key", "x"], b"belongs to --cert"),
        (["tls://localhost:9", "--accept-new", "--ca", "x"], b"exclude each other"),
    ],
)
def test_clients_options_that_cannot_be(options: list[str], why: bytes) -> None:
    run = sockctl("connect", *options)
    assert run.returncode == ExitCode.USAGE
    assert why in run.stderr


@pytest.mark.parametrize("option", ["--ca", "--cert"])
def test_clients_files_that_cannot_be(option: str, tmp_path: Path) -> None:
    (tmp_path / "x").write_text("no certificate")
    run = sockctl("connect", "tls://localhost:9", option, str(tmp_path / "x"))
    assert run.returncode == ExitCode.FAILED
    assert str(tmp_path / "x").encode() in run.stderr
    assert b"Traceback" not in run.stderr


def test_ports_that_do_not_match() -> None:
    with served("echo", "--tls") as (run, port, _):
        plain = sockctl("connect", f"localhost:{port}", stdin=b"abc")
        assert plain.returncode == ExitCode.BROKEN
        said = f"The server speaks TLS: write tls://localhost:{port}, or sockctls://localhost:{port} for messages."
        assert said.encode() in plain.stderr
        run.wait_for('"event": "tls_failed".*plain text, not TLS')
        assert run.event("client_disconnected")["reason"] == "tls_error"
    with process("serve", "echo", "--port", "0", "--log-format", "json") as run:
        port = int(run.event("listening")["port"])
        met = sockctl("connect", f"tls://localhost:{port}", "--accept-new", stdin=b"abc")
        assert met.returncode == ExitCode.BROKEN
        assert b"does not speak TLS" in met.stderr
    with process("serve", "talk", "--reply-with", "cat", "--port", "0", "--log-format", "json") as run:
        port = int(run.event("listening")["port"])
        met = sockctl("connect", f"sockctls://localhost:{port}", "--accept-new", stdin=b"abc")
        assert met.returncode == ExitCode.BROKEN
        assert b"does not speak TLS" in met.stderr
        assert run.event("client_disconnected")["reason"] == "tls_error"


def test_a_silent_server_ends_the_clients_patience() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        run = sockctl("connect", f"tls://127.0.0.1:{port}", "--timeout", "2")
    assert run.returncode == ExitCode.TIMED_OUT
    assert b"did not finish the TLS handshake" in run.stderr


def test_a_cut_is_told(files: Files) -> None:
    def cut(sock: ssl.SSLSocket) -> None:
        sock.sendall(b"half of it")
        socket.socket.shutdown(sock, socket.SHUT_WR)  # past TLS: no close_notify

    with played(files, cut) as (port, _):
        run = sockctl("connect", f"tls://127.0.0.1:{port}", "--accept-new")
    assert run.stdout == b"half of it"
    assert b"without the goodbye of TLS" in run.stderr


# Beside other tools.


def test_openssl_talks_with_our_server() -> None:
    with served("echo", "--tls") as (_, port, _):
        data = b"one\n" * 1000
        run = subprocess.run(
            [tool("openssl", "openssl"), "s_client", "-connect", f"127.0.0.1:{port}", "-quiet", "-no_ign_eof"],
            input=data,
            capture_output=True,
            timeout=TIMEOUT_S,
            check=False,
        )
        assert data.startswith(run.stdout)
        with subprocess.Popen(
            [tool("openssl", "openssl"), "s_client", "-connect", f"127.0.0.1:{port}", "-quiet"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        ) as client:
            assert client.stdin is not None
            assert client.stdout is not None
            client.stdin.write(b"hello\n")
            client.stdin.flush()
            assert client.stdout.readline() == b"hello\n"
            client.kill()


def test_our_client_talks_with_openssl(files: Files) -> None:
    port = free_port()
    command = [tool("openssl", "openssl"), "s_server", "-accept", str(port), "-rev", "-quiet"]
    with subprocess.Popen(
        [*command, "-cert", str(files[0]), "-key", str(files[1])], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as server:
        try:
            wait_until(lambda: is_listening(port))
            run = sockctl(
                "connect", f"tls://127.0.0.1:{port}", "--accept-new", "--send", "hello", "--expect", "^olleh$"
            )
            assert (run.returncode, run.stdout) == (0, b"olleh\n")
        finally:
            server.kill()


def test_our_client_talks_with_ncat(files: Files) -> None:
    port = free_port()
    command = [tool("ncat", "ncat"), "--ssl", "--ssl-cert", str(files[0]), "--ssl-key", str(files[1])]
    with subprocess.Popen([*command, "-l", "127.0.0.1", str(port), "-k", "-e", "/bin/cat"]) as server:
        try:
            wait_until(lambda: is_listening(port))
            run = sockctl("connect", f"tls://127.0.0.1:{port}", "--accept-new", "--send", "hello", "--expect", "hello")
            assert (run.returncode, run.stdout) == (0, b"hello\n")
        finally:
            server.kill()


def is_listening(port: int) -> bool:
    with socket.socket() as sock:
        return sock.connect_ex(("127.0.0.1", port)) == 0


def test_a_silent_handshake_delays_nobody() -> None:
    with served("echo", "--tls", "--max-clients-per-address", "100") as (_, port, fingerprint):
        silent = [socket.create_connection(("127.0.0.1", port)) for _ in range(50)]
        started = time.monotonic()
        with tls_client(port) as sock:
            sock.sendall(b"x")
            assert sock.recv(1) == b"x"
        assert time.monotonic() - started < Timeouts().handshake_s
        for one in silent:
            one.close()
        assert fingerprint


def test_quiet_still_tells_the_fingerprint(places: Path) -> None:
    with process("serve", "echo", "--tls", "--port", "0", "--quiet") as run:
        said = run.wait_for(r"^Listening on .* Its certificate has SHA256 ((?:[0-9A-F]{2}:){31}[0-9A-F]{2})\.$")[1]
        made = ssl.PEM_cert_to_DER_cert((places / "data" / "tls-certificate.pem").read_text())
        assert said.replace(":", "").lower() == hashlib.sha256(made).hexdigest()
