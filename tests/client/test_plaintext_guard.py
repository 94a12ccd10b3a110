"""Passwords and tokens in clear: what the client keeps to itself, and that it does so beyond this machine only."""

import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sockctl.cli.exit_codes import ExitCode
from sockctl.client.plaintext_guard import PlaintextGuard, is_in_clear
from sockctl.client.token_store import Login, TokenStore
from sockctl.errors import InsecureError
from sockctl.net.address import Endpoint
from sockctl.net.reachability import find_reach
from sockctl.protocol.messages import make_message
from tests.support.running import process, sockctl, wait_until
from tests.support.terminal import ended
from tests.support.tls import self_signed
from tests.support.token_server import LATER, PASSWORD, TokenServer, token_server
from tests.support.tools import unavailable

pytestmark = pytest.mark.usefixtures("state")

LOGIN = f"ann\n{PASSWORD}\nhello\n".encode()


@pytest.fixture
def beyond() -> str:
    """Return an address of this machine that isn't loopback: to the client it is as far away as any."""
    network = find_reach(["0.0.0.0"], 9090).network  # noqa: S104  nothing listens
    if not network:
        unavailable("this machine has no IPv4 address beyond loopback")
    return network[0].host


@pytest.fixture
def server(beyond: str) -> Iterator[TokenServer]:
    with token_server(host=beyond) as one:
        yield one


def connect(
    server: TokenServer, *options: str, stdin: bytes = b"", scheme: str = "sockctl"
) -> subprocess.CompletedProcess[bytes]:
    run = sockctl("connect", *options, f"{scheme}://{server.target}", stdin=stdin)
    assert b"Traceback" not in run.stderr
    assert PASSWORD.encode() not in run.stdout + run.stderr
    return run


def passwords(server: TokenServer) -> list[Any]:
    return [one for heard in server.heard for one in heard if PASSWORD in one.get("text", "")]


# The decision.


def test_a_connection_that_is_gone_is_none_of_this_machine() -> None:
    with socket.socket() as sock:
        assert is_in_clear(sock)


def test_a_connection_within_the_machine() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        socket.create_connection(listener.getsockname()) as sock,
        listener.accept()[0],
    ):
        assert not is_in_clear(sock)


def test_when_a_line_may_go() -> None:
    one = PlaintextGuard(Endpoint("192.0.2.7", 9090))
    one.greet("auth")
    turns = [("notice", False), ("ask", True), ("", False), ("say", False), ("error", True), ("", False)]
    for kind, can_send in [*turns, ("welcome", True), ("say", True)]:
        if kind:
            one.receive(kind)
        else:
            one.hold()
        assert one.can_send is can_send, kind


def test_services_that_never_ask_for_a_password() -> None:
    one = PlaintextGuard(Endpoint("192.0.2.7", 9090))
    one.greet("identify")
    assert one.can_send
    one.hold()
    assert one.can_send
    with pytest.raises(InsecureError):
        one.check(make_message("ask", "Your password?", field="password", secret=True))


@pytest.mark.parametrize(
    ("fields", "refused"),
    [
        ({"field": "password", "secret": True}, True),
        ({"field": "password"}, True),
        ({"field": "pin", "secret": True}, True),
        ({"field": "name", "secret": False}, False),
        ({"field": ["password"]}, False),
    ],
)
def test_which_questions_are_not_answered(fields: dict[str, Any], refused: bool) -> None:
    one = PlaintextGuard(Endpoint("2001:db8::7", 9090))
    one.check(None)
    if not refused:
        one.check(make_message("ask", "?", **fields))
        return
    with pytest.raises(InsecureError, match=r"sockctls://\[2001:db8::7\]:9090; --insecure sends passwords in clear"):
        one.check(make_message("ask", "?", **fields))


# As a process.


def test_a_pipe_does_not_send_a_password(server: TokenServer) -> None:
    run = connect(server, stdin=LOGIN)
    assert run.returncode == ExitCode.NOT_LET_IN
    assert run.stdout == b"Your name?\nYour password?\n"
    for part in ("not encrypted", f"sockctls://{server.target}", "--insecure"):
        assert part.encode() in run.stderr
    assert server.heard[-1][1:] == [{"kind": "answer", "text": "ann", "field": "name"}]
    assert server.hello()["session"] is False


def test_a_script_does_not_send_a_password(server: TokenServer) -> None:
    run = connect(server, "--send", "ann", "--send", PASSWORD)
    assert run.returncode == ExitCode.NOT_LET_IN
    assert server.heard[-1][1:] == [{"kind": "answer", "text": "ann", "field": "name"}]


@pytest.mark.parametrize("plain", [True, False], ids=["plain", "editor"])
def test_a_person_does_not_send_a_password(terminal: Any, server: TokenServer, plain: bool) -> None:
    child = terminal("connect", *(["--plain"] if plain else []), server.target)
    child.expect(r"Your name\?")
    child.sendline("ann")
    child.expect(r"Your password\?")
    child.sendline(PASSWORD)
    child.expect("The password was not sent")
    assert ended(child) == ExitCode.NOT_LET_IN
    assert PASSWORD not in child.before
    assert passwords(server) == []


def test_a_name_alone_may_go(server: TokenServer) -> None:
    run = connect(server, "--expect", "name", "--send", "ann", "--expect", "password")
    assert (run.returncode, run.stdout) == (0, b"Your name?\nYour password?\n")


def test_no_token_is_sent_or_kept(server: TokenServer, state: Path) -> None:
    TokenStore(state).keep(Login.at(server.host, server.port, "auth"), token="tok", expires=LATER)
    assert connect(server).stdout == b"Your name?\n"
    assert server.resumed() == []


def test_insecure_lifts_it(server: TokenServer, state: Path) -> None:
    assert connect(server, "--insecure", stdin=LOGIN).stdout.endswith(b"Hello, ann!\n<ann> hello\n")
    assert len(passwords(server)) == 1
    assert [one.token for one in TokenStore(state).list_servers([Endpoint(server.host, server.port)])] == server.given
    assert connect(server, "--insecure").stdout == b"Hello, ann!\n"


def test_under_tls_it_may_go(beyond: str, tmp_path: Path) -> None:
    files = self_signed(tmp_path, names=f"IP:{beyond}")
    with token_server(host=beyond, files=files) as server:
        options = ["--ca", str(files[0])]
        assert connect(server, *options, stdin=LOGIN, scheme="sockctls").stdout.endswith(b"<ann> hello\n")
        assert connect(server, *options, scheme="sockctls").stdout == b"Hello, ann!\n"


def test_nothing_goes_ahead_of_a_question(server: TokenServer) -> None:
    server.mute = True
    for options, stdin in (((), LOGIN), (("--send", PASSWORD), b"")):
        run = connect(server, "--timeout", "2", *options, stdin=stdin)
        assert run.returncode == ExitCode.TIMED_OUT
        assert b"neither asked nor welcomed within 2 s" in run.stderr
        assert server.said() == []


def test_services_that_take_no_password_are_spoken_to_at_once(beyond: str) -> None:
    with token_server(host=beyond, service="talk") as server:
        server.mute = True
        with process("connect", f"sockctl://{server.target}", stdin=subprocess.PIPE) as run:
            assert run.process.stdin is not None
            run.process.stdin.write(b"ahead\n")
            run.process.stdin.close()
            wait_until(lambda: bool(server.heard) and server.said() == [("line", "ahead")])
