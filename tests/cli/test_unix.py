"""Unix sockets: `serve … --unix`, `connect unix:PATH` and `bench … unix:PATH`, each as processes."""

import contextlib
import json
import os
import pwd
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sockctl.cli.exit_codes import ExitCode
from tests.support.accounts import PASSWORD, accounts_at
from tests.support.chat_client import client_at
from tests.support.other_user import OTHER_UID, as_other_user, needs_root
from tests.support.running import SOCKCTL, TIMEOUT_S, Process, exchange, process, receive_all, sockctl, stall
from tests.support.tools import tool

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="other systems don't tell who has connected")
DATA = os.urandom(300_000)
LITTLE = DATA[:50_000]
ME = f"uid {os.geteuid()} ({pwd.getpwuid(os.geteuid()).pw_name}), pid "


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "s"


@contextlib.contextmanager
def serving(service: str, path: Path | str, *options: str) -> Iterator[Process]:
    """Start a server at a Unix socket, with its events as JSON; wait until it listens."""
    with process("serve", service, "--unix", str(path), "--log-format", "json", *options) as run:
        run.event("unix_listening")
        yield run


def connect(
    path: Path | str, *options: str, stdin: bytes = b"", scheme: str = ""
) -> subprocess.CompletedProcess[bytes]:
    return sockctl("connect", f"{scheme}unix:{path}", *options, stdin=stdin)


def test_an_echo_explains_itself(path: Path) -> None:
    with serving("echo", path) as run:
        assert run.lines[-1].count('"mode": "0600"') == 1
        assert run.event("reachable")["command"] == f"sockctl connect unix:{path}"
        done = connect(path, "-v", stdin=DATA)
        assert done.stdout == DATA
        connected = run.event("client_connected")
        assert connected["peer"].startswith(ME)
        ended = run.event("client_disconnected")
        assert (ended["bytes_in"], ended["bytes_out"], ended["reason"]) == (len(DATA), len(DATA), "client_closed")
        assert run.end() == 0
    told = done.stderr.decode()
    assert f"Connected to unix:{path}. The kernel has joined both sockets" in told
    for text in (told, *run.lines):
        assert not any(word in text for word in ("FIN", "SYN", "TCP", "handshake", "RST")), text
    assert "loopback_only" not in run.events
    assert not path.exists(), "it is removed at the stop"


THEIRS = {
    "nc": ("netcat-openbsd", ["-N", "-U", "PATH"]),
    "ncat": ("ncat", ["-U", "PATH"]),
    "socat": ("socat", ["-t", "10", "-", "UNIX-CONNECT:PATH"]),
}


@pytest.mark.parametrize("name", THEIRS)
def test_their_clients(name: str, path: Path) -> None:
    package, words = THEIRS[name]
    command = [tool(name, package), *(word.replace("PATH", str(path)) for word in words)]
    with serving("echo", path):
        done = subprocess.run(command, input=DATA, capture_output=True, timeout=60, check=False)
    assert done.stdout == DATA


@pytest.mark.parametrize(
    "words", [["ncat", "-l", "-k", "-U", "PATH", "-e", "/bin/cat"], ["socat", "UNIX-LISTEN:PATH,fork", "PIPE"]]
)
def test_their_servers(words: list[str], path: Path) -> None:
    command = [tool(words[0], words[0]), *(word.replace("PATH", str(path)) for word in words[1:])]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL) as server:
        try:
            client = subprocess.Popen(
                [*SOCKCTL, "connect", f"unix:{path}", "--retry", "60"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
            )
            with client:
                assert client.stdin is not None
                assert client.stdout is not None
                client.stdin.write(LITTLE)
                client.stdin.flush()
                assert client.stdout.read(len(LITTLE)) == LITTLE
                client.stdin.close()
                assert client.wait(TIMEOUT_S) == 0
        finally:
            server.terminate()


def test_a_port_and_a_unix_socket_at_once(path: Path) -> None:
    with process("serve", "echo", "--unix", str(path), "--port", "0", "--log-format", "json") as run:
        port = int(run.event("listening")["port"])
        run.event("unix_listening")
        assert exchange(port, b"by TCP") == b"by TCP"
        assert connect(path, stdin=b"by Unix").stdout == b"by Unix"
        assert run.end() == 0


def test_a_killed_server_leaves_its_file_and_the_next_one_replaces_it(path: Path) -> None:
    with serving("echo", path) as run:
        refused = process("serve", "echo", "--unix", str(path))
        with refused as second:
            assert second.wait() == ExitCode.FAILED
        assert "another process listens there" in second.lines[-1]
        run.process.send_signal(signal.SIGKILL)
        run.wait()
    assert path.is_socket()
    alone = connect(path)
    assert alone.returncode == ExitCode.UNREACHABLE
    assert b"nothing listens on that socket" in alone.stderr
    with serving("echo", path) as run:
        assert connect(path, stdin=b"again").stdout == b"again"
        assert run.end(signal.SIGINT) == 0
    assert not path.exists()


@pytest.mark.parametrize("mode", ["0660", "666"])
def test_the_mode_of_the_file(path: Path, mode: str) -> None:
    with serving("echo", path, "--unix-mode", mode):
        assert stat.S_IMODE(path.lstat().st_mode) == int(mode, 8)


def test_a_relative_path_is_the_same_from_any_folder(path: Path) -> None:
    with process("serve", "echo", "--unix", "s", "-q", cwd=path.parent) as run:
        run.wait_for(f"Listening on unix:{path}")
        assert connect(path, stdin=b"x").stdout == b"x"


@pytest.mark.parametrize(
    ("options", "code", "says"),
    [
        (["--unix", "PLAIN"], 1, "what stands there is no socket"),
        (["--unix", "/nowhere/s"], 1, "No such file or directory"),
        (["--unix", "x" * 200], 2, "the address of a Unix socket has room for 107"),
        (["--unix", ""], 2, "is empty"),
        (["--unix", "s", "--unix-mode", "0888"], 2, "is no mode: write octal digits"),
        (["--unix", "s", "--unix-mode", "rw"], 2, "is no mode"),
        (["--unix", "@s", "--unix-mode", "0600"], 2, "An abstract name has no file"),
        (["--unix-mode", "0600"], 2, "add --unix PATH"),
        (["--unix", "s", "--allow", "uid:nobody at all"], 2, "names no user of this machine"),
    ],
)
def test_what_cannot_be_served(tmp_path: Path, options: list[str], code: int, says: str) -> None:
    (tmp_path / "PLAIN").touch()
    done = sockctl("serve", "echo", "--no-input", *options, cwd=tmp_path)
    assert done.returncode == code
    assert says in " ".join(done.stderr.decode().split())
    assert b"Traceback" not in done.stderr
    assert [each.name for each in tmp_path.iterdir()] == ["PLAIN"]


@pytest.mark.parametrize(
    ("options", "code", "says"),
    [
        (["unix:/nowhere"], 3, "there is no such socket"),
        (["unix:/etc/hostname"], 3, "nothing listens on that socket"),
        (["unix:/s", "9090"], 2, "has no port"),
        (["unix:/s", "-4"], 2, "are for IP"),
        (["unix:/s", "--source", "127.0.0.1"], 2, "are for IP"),
        (["-z", "unix:/s"], 2, "a Unix socket has none"),
        ([f"unix:/{'x' * 200}"], 2, "has room for 107"),
    ],
)
def test_what_cannot_be_connected_to(options: list[str], code: int, says: str) -> None:
    done = sockctl("connect", *options)
    assert (done.returncode, says in " ".join(done.stderr.decode().split())) == (code, True), done.stderr


@needs_root
def test_another_user_may_be_let_in_or_refused(path: Path) -> None:
    name = f"@{path}"

    def call() -> str:
        with socket.socket(socket.AF_UNIX) as sock:
            sock.settimeout(TIMEOUT_S)
            sock.connect(f"\0{path}")
            with contextlib.suppress(OSError):
                sock.send(b"x")
                sock.shutdown(socket.SHUT_WR)
                return receive_all(sock).decode()
        return ""

    with serving("echo", name) as run:
        assert connect(name, stdin=b"mine").stdout == b"mine"
        assert as_other_user(call) == "", "an abstract name lets in this user and root"
        assert run.event("client_refused")["peer"].startswith(f"uid {OTHER_UID}")
    with serving("echo", name, "--allow", f"uid:{OTHER_UID}") as run:
        assert as_other_user(call) == "x"
        assert connect(name, stdin=b"mine").stdout == b"", "a rule that allows denies all others"
        assert run.event("client_refused")["reason"] == "denied"


def test_identify_knows_a_client_by_its_user(path: Path) -> None:
    data = str(path.parent / "data")
    with serving("identify", path, "--data-dir", data):
        assert b"Hello, ann!" in connect(path, scheme="sockctl://", stdin=b"ann\n").stdout
        assert b"Hello again, ann!" in connect(path, scheme="sockctl://").stdout
    listed = sockctl("clients", "list", "--json", "--data-dir", data)
    assert json.loads(listed.stdout)[0]["address"] == f"uid:{os.geteuid()}"
    assert sockctl("clients", "remove", f"uid:{os.geteuid()}", "--yes", "--data-dir", data).returncode == 0


def test_limits_count_by_user(path: Path) -> None:
    with serving("echo", path, "--max-clients-per-address", "1") as run, socket.socket(socket.AF_UNIX) as first:
        first.connect(str(path))
        run.event("client_connected")
        assert connect(path, stdin=b"x").stdout == b""
        assert run.event("client_refused")["reason"] == "too_many_from_address"


def test_a_chat_bans_by_user(path: Path) -> None:
    data, uid = path.parent / "data", f"uid:{os.geteuid()}"
    accounts_at(data, "ann", "bob")
    options = ("serve", "chat", "--unix", str(path), "--port", "0", "--log-format", "json", "--data-dir", str(data))
    with process(*options, "--auth", "--operator", "ann") as run, client_at(int(run.event("listening")["port"])) as ann:
        run.event("unix_listening")
        bob = ("--state-dir", str(path.parent / "state"))
        login = f"bob\n{PASSWORD}\nhello\n".encode()
        assert b"<bob> hello" in connect(path, *bob, scheme="sockctl://", stdin=login).stdout
        for words in ("ann", PASSWORD):
            ann.expect("ask")
            ann.line(words)
        ann.until("members")
        ann.line(f"/ban {uid}")
        assert uid in run.event("operator_acted")["text"]
        banned = connect(path, *bob, scheme="sockctl://", stdin=b"again\n")
        assert b"You are banned here" in banned.stderr, "a kept token doesn't help"
        assert banned.returncode == ExitCode.NOT_LET_IN
        assert run.end() == 0


def test_tls_over_a_unix_socket(path: Path) -> None:
    data = str(path.parent / "data")
    state = ("--state-dir", str(path.parent / "state"))
    with serving("echo", path, "--tls", "--data-dir", data) as run:
        assert run.event("reachable")["command"] == f"sockctl connect tls://unix:{path}"
        first = connect(path, "--accept-new", *state, scheme="tls://", stdin=b"secret")
        again = connect(path, *state, scheme="tls://", stdin=b"secret")
        assert (first.stdout, again.stdout) == (b"secret", b"secret")
    hosts = sockctl("hosts", "list", *state)
    assert f"unix:{path}".encode() in hosts.stdout
    assert sockctl("hosts", "remove", f"unix:{path}", "--yes", *state).returncode == 0


def test_a_login_is_kept_for_the_socket(path: Path) -> None:
    data = path.parent / "data"
    state = ("--state-dir", str(path.parent / "state"))
    with serving("auth", path, "--signup", "--data-dir", str(data)):
        signs_up = b"ann\nsilver-otter-plays-42\nsilver-otter-plays-42\nwhoami\n"
        first = connect(path, *state, scheme="sockctl://", stdin=signs_up)
        assert b"You are ann" in first.stdout, first.stdout + first.stderr
        again = connect(path, *state, scheme="sockctl://", stdin=b"whoami\n")
        assert b"You are ann" in again.stdout, "by the token, and without TLS: nothing leaves the machine"
        assert sockctl("logout", f"unix:{path}", *state).returncode == 0


def test_the_load_tool(path: Path) -> None:
    with serving("echo", path, "--max-clients-per-address", "100"):
        done = sockctl("bench", "echo", f"unix:{path}", "--clients", "20", "--count", "2000", "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["errors"] == {}


def test_it_can_be_watched(path: Path) -> None:
    control = str(path.parent / "control")
    with serving("echo", path, "--control", control) as run, socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))
        run.event("client_connected")
        shown = json.loads(sockctl("watch", control, "--once", "--json").stdout)
        assert [(one["host"], one["port"]) for one in shown["server"]["listening"]] == [(f"unix:{path}", 0)]
        assert shown["connections"][0]["peer"].startswith(ME)
        assert f"unix:{path}".encode() in sockctl("watch", control, "--once").stdout
    with serving("echo", f"@{path}", "--control", control, "-v") as run:
        run.event("control_opened")
        assert f"unix:@{path}".encode() in sockctl("watch", control, "--once", "--json").stdout


def test_a_client_that_reads_nothing_stops_itself(path: Path) -> None:
    with serving("echo", path, "-v") as run, socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))
        sent = stall(run, client)
        client.settimeout(TIMEOUT_S)
        client.shutdown(socket.SHUT_WR)
        assert len(receive_all(client)) == sent
        assert run.end() == 0
