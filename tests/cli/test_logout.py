"""``sockctl logout`` as a process, against a server that gives tokens."""

import json
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sockctl.cli.exit_codes import ExitCode
from sockctl.client.token_store import Login, TokenStore
from sockctl.net.address import Endpoint
from sockctl.net.fingerprints import read_fingerprint
from sockctl.net.reachability import find_reach
from tests.support.changes import changed
from tests.support.frames import framed
from tests.support.played_server import read_frame
from tests.support.played_server import server as played
from tests.support.running import CLOSED_PORT, process, receive_all, sockctl, wait_until
from tests.support.tls import self_signed
from tests.support.token_server import LATER, PASSWORD, TokenServer, token_server
from tests.support.tools import unavailable

pytestmark = pytest.mark.usefixtures("state")

LOGIN = f"ann\n{PASSWORD}\n".encode()


@pytest.fixture
def server() -> Iterator[TokenServer]:
    with token_server() as one:
        yield one


def keep(state: Path, target: str, token: str = "tok", *, service: str = "auth", fingerprint: str = "") -> None:  # noqa: S107
    host, _, port = target.rpartition(":")
    login = Login.at(host, int(port), service, fingerprint)
    TokenStore(state).keep(login, token=token, expires=LATER, user="ann")


def kept(state: Path, target: str) -> list[str]:
    host, _, port = target.rpartition(":")
    return [one.token for one in TokenStore(state).list_servers([Endpoint(host, int(port))])]


def log_out(target: str, *options: str) -> subprocess.CompletedProcess[bytes]:
    run = sockctl("logout", target, *options)
    assert b"Traceback" not in run.stderr
    assert b"tok-" not in run.stdout + run.stderr
    return run


def not_told(run: subprocess.CompletedProcess[bytes], code: ExitCode, why: str) -> None:
    assert run.returncode == code, run.stderr
    assert run.stdout == b""
    assert b"is forgotten, but the server was not told: " in run.stderr
    assert why in run.stderr.decode()


def test_logged_out(server: TokenServer, state: Path) -> None:
    sockctl("connect", f"sockctl://{server.target}", stdin=LOGIN)
    run = log_out(server.target)
    assert (run.returncode, run.stderr) == (0, b"")
    assert run.stdout.decode() == f"You are logged out of {server.target} (auth, as ann).\n"
    assert server.said() == [("resume", ""), ("line", "logout")]
    assert kept(state, server.target) == []
    again = log_out(server.target)
    assert again.returncode == ExitCode.FAILED
    assert again.stderr.decode() == f"sockctl: No login of {server.target} is kept: there is nothing to end.\n"


def test_nothing_is_said_in_a_chat(state: Path) -> None:
    with token_server(service="chat") as server:
        sockctl("connect", f"sockctl://{server.target}", stdin=LOGIN)
        assert log_out(server.target).returncode == 0
        assert server.said() == [("resume", ""), ("line", "/logout")]
        assert kept(state, server.target) == []


def test_one_users_login_ends(server: TokenServer, state: Path) -> None:
    for user in ("ann", "Bob"):
        login = f"{user}\n{PASSWORD}\n".encode()
        sockctl("connect", f"sockctl://{server.target}", "--user", user, stdin=login)
    run = log_out(server.target, "--user", "bob")
    assert run.stdout.decode() == f"You are logged out of {server.target} (auth, as Bob).\n"
    assert [one.user for one in TokenStore(state).list_all()] == ["ann"]
    again = log_out(server.target, "--user", "bob")
    assert again.returncode == ExitCode.FAILED
    assert again.stderr.decode() == f"sockctl: No login of bob at {server.target} is kept: there is nothing to end.\n"
    other = sockctl("logins", "remove", server.target, env={**os.environ, "SOCKCTL_USER": "cem"})
    assert b"No login of cem" in other.stderr
    assert [one.user for one in TokenStore(state).list_all()] == ["ann"]


def test_logged_out_for_programs(server: TokenServer, state: Path) -> None:
    sockctl("connect", f"sockctl://{server.target}", stdin=LOGIN)
    (end,) = changed(log_out(server.target, "--json"))
    assert end == {
        "server": server.target,
        "service": "auth",
        "user": "ann",
        "fingerprint": None,
        "expires": LATER,
        "ended": True,
        "error": None,
    }
    keep(state, server.target)
    refused = log_out(server.target, "--json")
    assert refused.returncode == ExitCode.NOT_LET_IN
    (end,) = json.loads(refused.stdout)["changed"]
    assert not end["ended"]
    assert end["error"].startswith("It doesn't know the login any more")
    assert b"the server was not told" in refused.stderr
    assert changed(log_out(server.target, "--if-exists", "--json")) == []
    nothing = log_out(server.target, "--if-exists")
    assert nothing.returncode == 0
    assert nothing.stdout.decode() == f"No login of {server.target} is kept. Nothing has changed.\n"


def test_each_login_of_a_server(state: Path, tmp_path: Path) -> None:
    files = self_signed(tmp_path)
    with token_server(files=files) as server:
        sockctl("connect", "--accept-new", f"sockctls://{server.target}", stdin=LOGIN)
        keep(state, server.target, "tok-plain")
        sockctl("hosts", "forget", server.target)
        run = log_out(server.target, "--timeout", "4")
        assert f"You are logged out of {server.target} (auth, as ann).\n" in run.stdout.decode()
        assert b"was not told" in run.stderr, "without TLS nobody answers there"
        assert run.returncode in {ExitCode.TIMED_OUT, ExitCode.BROKEN}
        assert [one["text"] for one in server.heard[-1] if one["kind"] == "line"] == ["logout"]
        assert kept(state, server.target) == []


def test_another_certificate(state: Path, tmp_path: Path) -> None:
    fingerprint = read_fingerprint(self_signed(tmp_path)[0])
    with token_server(files=self_signed(tmp_path, "other")) as server:
        keep(state, server.target, fingerprint=fingerprint)
        run = log_out(server.target)
        not_told(run, ExitCode.NOT_LET_IN, "another one than at the login. Nothing was sent to it.")
        assert not any(server.heard), "nothing was said"
        assert kept(state, server.target) == []


def test_a_server_that_asks_for_a_certificate(state: Path, tmp_path: Path) -> None:
    files, (cert, key) = self_signed(tmp_path), self_signed(tmp_path, "client")
    shown = ("--cert", str(cert), "--key", str(key))
    with token_server(files=files, client_ca=cert) as server:
        target = f"sockctls://{server.target}"
        for log_out_with in ((), shown):
            assert sockctl("connect", "--accept-new", *shown, target, stdin=LOGIN).returncode == 0
            run = log_out(server.target, *log_out_with)
            assert kept(state, server.target) == []
            if log_out_with:
                assert (run.returncode, run.stderr) == (0, b"")
                assert server.said()[-1] == ("line", "logout")
            else:
                not_told(run, ExitCode.BROKEN, "give --cert and --key")


@pytest.mark.parametrize(
    ("options", "code", "why"),
    [
        (("--key", "here.key"), ExitCode.USAGE, "--key belongs to --cert: give both."),
        (("--cert", "missing.crt"), ExitCode.FAILED, "missing.crt can't be used: No such file or directory. Give"),
    ],
)
def test_a_wrong_option_costs_no_login(state: Path, options: tuple[str, ...], code: ExitCode, why: str) -> None:
    keep(state, "localhost:9", fingerprint=":".join(["AB"] * 32))
    run = log_out("localhost:9", *options)
    assert run.returncode == code
    assert why in run.stderr.decode()
    assert kept(state, "localhost:9") == ["tok"]


def test_logins_in_clear_are_ended_where_they_came_from(server: TokenServer, state: Path) -> None:
    sockctl("connect", f"sockctl://localhost:{server.port}", stdin=LOGIN)
    with token_server(host="::1", port=server.port) as other:
        keep(state, f"::1:{server.port}")
        other.tokens["tok"] = "ann"
        run = log_out(f"localhost:{server.port}")
        assert (run.returncode, run.stderr) == (0, b"")
        for each, token in ((other, "tok"), (server, server.given[0])):
            assert each.said() == [("resume", ""), ("line", "logout")]
            assert each.resumed() == [token]
    assert kept(state, server.target) == kept(state, f"::1:{server.port}") == []


def test_a_login_in_clear_that_was_kept_by_name_is_shown_to_nobody(server: TokenServer, state: Path) -> None:
    target = f"localhost:{server.port}"
    keep(state, target)
    not_told(log_out(target), ExitCode.NOT_LET_IN, "without saying at which address")
    assert server.heard == []
    assert kept(state, target) == []


def test_a_name_that_is_not_known_any_more(state: Path) -> None:
    keep(state, "nowhere.invalid:9")
    not_told(log_out("nowhere.invalid:9"), ExitCode.NOT_LET_IN, "without saying at which address")
    assert kept(state, "nowhere.invalid:9") == []


def test_nobody_there(state: Path) -> None:
    target = f"127.0.0.1:{CLOSED_PORT}"
    keep(state, target)
    not_told(log_out(target), ExitCode.UNREACHABLE, "Is the server running")
    assert kept(state, target) == []


def test_a_token_that_does_not_count_any_more(server: TokenServer, state: Path) -> None:
    keep(state, server.target)
    not_told(log_out(server.target), ExitCode.NOT_LET_IN, "doesn't know the login any more, and says: Please log in")
    assert kept(state, server.target) == []


def test_an_expired_token_is_only_forgotten(server: TokenServer, state: Path) -> None:
    server.expires = "2020-01-01T00:00:00Z"
    sockctl("connect", f"sockctl://{server.target}", stdin=LOGIN)
    assert len(kept(state, server.target)) == 1
    assert log_out(server.target).returncode == 0
    assert len(server.heard) == 1
    assert kept(state, server.target) == []


@pytest.mark.parametrize(
    ("bye", "timeout_s", "code", "why"),
    [
        ("server_stopping", "20", ExitCode.NOT_LET_IN, "something else than goodbye: You are logged out."),
        (None, "0.4", ExitCode.TIMED_OUT, "within 0.4 s"),
    ],
)
def test_no_goodbye(
    server: TokenServer, state: Path, *, bye: str | None, timeout_s: str, code: ExitCode, why: str
) -> None:
    keep(state, server.target)
    server.tokens["tok"] = "ann"
    server.bye = bye
    not_told(log_out(server.target, "--timeout", timeout_s), code, why)
    assert kept(state, server.target) == []


def test_another_service_gets_no_token(server: TokenServer, state: Path) -> None:
    keep(state, server.target, service="chat")
    not_told(log_out(server.target), ExitCode.NOT_LET_IN, "The service there is auth, and the login is one of chat")
    assert server.heard == [[]]


def welcome_and_leave(sock: socket.socket) -> None:
    for piece in (b"sockctl/1", b" auth\r", b"\nYour name?\r\n"):
        sock.sendall(piece)
    assert [read_frame(sock)["kind"] for _ in range(2)] == ["hello", "resume"]
    sock.sendall(framed(kind="notice", text="") + framed(kind="welcome", text="") + framed(kind="welcome", text=""))
    assert read_frame(sock)["text"] == "logout"
    sock.sendall(framed(kind="say", text="Bye?"))


def greet_slowly(sock: socket.socket) -> None:
    for byte in b"sockctl/1 auth\r\n":
        sock.sendall(bytes([byte]))
        time.sleep(0.002)
    sock.sendall(framed(kind="bye", text="Too many are here.", reason="busy"))
    receive_all(sock)


def goodbye_and_more(sock: socket.socket) -> None:
    sock.sendall(b"sockctl/1 auth\r\n" + framed(kind="welcome", text=""))
    assert [read_frame(sock)["kind"] for _ in range(3)] == ["hello", "resume", "line"]
    sock.sendall(framed(kind="bye", text="", reason="logged_out") + framed(kind="bye", text="", reason="logged_out"))


@pytest.mark.parametrize(
    ("play", "code", "why"),
    [
        (welcome_and_leave, ExitCode.BROKEN, "without a goodbye"),
        (greet_slowly, ExitCode.NOT_LET_IN, "something else than goodbye: Too many are here."),
        (lambda sock: sock.sendall(b"220 mail.example\r\n"), ExitCode.BROKEN, "no message service"),
        (lambda _: None, ExitCode.BROKEN, "without a greeting"),
        (goodbye_and_more, ExitCode.DONE, ""),
    ],
)
def test_what_servers_do(state: Path, play: Callable[[socket.socket], None], code: ExitCode, why: str) -> None:
    with played(play) as target:
        keep(state, target)
        run = log_out(target)
    if code:
        not_told(run, code, why)
    assert run.returncode == code
    assert kept(state, target) == []


def test_no_token_goes_in_clear(state: Path) -> None:
    network = find_reach(["0.0.0.0"], 9090).network  # noqa: S104  nothing listens
    if not network:
        unavailable("this machine has no IPv4 address beyond loopback")
    with token_server(host=network[0].host) as server:
        keep(state, server.target)
        not_told(log_out(server.target), ExitCode.NOT_LET_IN, "is not encrypted (--insecure sends it)")
        wait_until(lambda: len(server.heard) == 1)
        keep(state, server.target)
        server.tokens["tok"] = "ann"
        assert log_out(server.target, "--insecure").returncode == 0
    assert server.heard[0] == []


def test_a_file_that_cannot_be_read(state: Path) -> None:
    state.mkdir()
    path = state / "tokens.json"
    path.write_text("junk")
    for mode, why in ((0o644, b"tokens.json is not used: others may use it"), (0o600, b"tokens.json is no JSON")):
        path.chmod(mode)
        run = log_out("localhost:9090")
        assert run.returncode == ExitCode.FAILED
        assert why in run.stderr


@pytest.mark.parametrize("target", ["localhost", ":9090", "localhost:x"])
def test_no_server(target: str) -> None:
    assert log_out(target).returncode == ExitCode.USAGE


def test_another_folder(server: TokenServer, tmp_path: Path) -> None:
    keep(tmp_path / "mine", server.target)
    server.tokens["tok"] = "ann"
    assert log_out(server.target, "--state-dir", str(tmp_path / "mine")).returncode == 0


def test_interrupted(server: TokenServer, state: Path) -> None:
    keep(state, server.target)
    server.decide.clear()
    with process("logout", server.target) as run:
        wait_until(lambda: bool(server.heard) and server.resumed() == ["tok"])
        assert run.end(signal.SIGINT) == ExitCode.INTERRUPTED
        assert "Traceback" not in "".join(run.lines)
    assert kept(state, server.target) == ["tok"]
