"""Commands on two hosts: far from each other on a line that loses packets, and across a cable that is cut."""

import random
from pathlib import Path
from typing import Any

import pytest

from sockctl.events.reasons import DisconnectReason
from sockctl.net.listener import SocketOptions
from sockctl.services.chat.service import Chat
from sockctl.services.chat.settings import ChatRules
from tests.support.accounts import PASSWORD, accounts_at
from tests.support.chat_client import client
from tests.support.running import process, running, sockctl
from tests.support.terminal import ended
from tests.support.two_hosts import SERVER, TwoHosts

SERVED = ("--host", SERVER, "--port", "0", "--log-format", "json")


@pytest.fixture(autouse=True)
def places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SOCKCTL_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("SOCKCTL_STATE_DIR", str(tmp_path / "state"))
    return tmp_path / "data"


@pytest.mark.usefixtures("far")
@pytest.mark.parametrize("secure", [False, True])
def test_every_byte_comes_back_from_afar(secure: bool) -> None:
    data = random.Random(5).randbytes(400_000)
    with process("serve", "echo", *SERVED, *(["--tls"] if secure else [])) as run:
        port = str(run.event("listening")["port"])
        done = sockctl("connect", SERVER, port, *(["--tls", "--accept-new"] if secure else []), stdin=data)
        assert done.returncode == 0, done.stderr
        assert done.stdout == data
        assert run.event("client_disconnected")["reason"] == "client_closed"
        assert run.end() == 0


@pytest.mark.usefixtures("far")
def test_a_login_from_afar(places: Path) -> None:
    accounts_at(places, "ann")
    with process("serve", "auth", *SERVED, "--tls") as run:
        target = f"sockctls://{SERVER}:{run.event('listening')['port']}"
        first = sockctl("connect", target, "--accept-new", stdin=f"ann\n{PASSWORD}\nwhoami\n".encode())
        assert b"You are ann" in first.stdout, first.stderr
        again = sockctl("connect", target, stdin=b"whoami\n")
        assert b"You are ann" in again.stdout, "by the token"
        assert run.end() == 0


@pytest.mark.usefixtures("far")
def test_a_chat_from_afar() -> None:
    with process("serve", "chat", *SERVED) as run:
        target = f"sockctl://{SERVER}:{run.event('listening')['port']}"
        said = [word for number in range(5) for word in ("--send", f"line {number}", "--expect", f"line {number}")]
        done = sockctl("connect", target, "--expect", "name", "--send", "ann", "--expect", "Welcome", *said)
        assert done.returncode == 0, done.stdout + done.stderr
        assert run.end() == 0


def test_a_member_comes_back_across_a_cut_cable(near: TwoHosts, terminal: Any, tmp_path: Path) -> None:
    options = SocketOptions(keepalive_s=1, vanish_timeout_s=2)
    with running(Chat(tmp_path / "data", ChatRules(flood=None)), options=options) as run:
        child = terminal("connect", f"sockctl://{SERVER}:{run.port}", "--plain", "--insecure")
        child.expect("name")
        child.sendline("ann")
        child.expect("In #lobby")
        near.cut()
        child.sendline("typed while it was cut")
        assert run.sink.wait_for("client_disconnected")[0].reason is DisconnectReason.CLIENT_VANISHED
        near.mend()  # what the client's kernel sends again meets a server that knows nothing of it
        child.expect("lost")
        child.expect("may not have arrived: typed while it was cut")
        child.expect("Welcome, ann!")
        with client(run) as bob:
            bob.enter("bob").ready()
            child.expect("bob joined")
            child.sendline("typed afterwards")
            bob.until("say", sender="ann", text="typed afterwards")
        child.sendline("exit")
        assert ended(child) == 0
