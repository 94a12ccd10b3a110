"""Completion, tried in the shells themselves: each types a word and Tab, and shows the line that comes of it."""

import os
import re
import shutil
import sys
from pathlib import Path
from typing import Any

import pexpect
import pytest

from sockctl.client.known_hosts import KnownHosts
from sockctl.client.token_store import Login, TokenStore
from sockctl.services.known_clients import KnownClients
from tests.support.accounts import accounts_at
from tests.support.running import TIMEOUT_S, UNMEASURED, sockctl
from tests.support.tools import unavailable

LATER = "2999-01-01T00:00:00Z"
SHELLS = {
    "bash": ["bash", "--norc", "--noprofile", "-i"],
    "zsh": ["zsh", "-f", "-i"],
    "fish": ["fish", "--no-config", "-i"],
}
SETTINGS = {
    "bash": "bind 'set enable-bracketed-paste off'; PS1='ready> '; source <(_SOCKCTL_COMPLETE=source_bash sockctl)",
    "zsh": "PS1='ready> '; autoload -Uz compinit; compinit -D; source <(_SOCKCTL_COMPLETE=source_zsh sockctl)",
    "fish": "function fish_prompt; echo -n 'ready> '; end; _SOCKCTL_COMPLETE=source_fish sockctl | source",
}

COMPLETED = {
    "conn": "ect",
    "users remove z": "oe",
    "serve chat --room t": "earoom",
    "connect ser": "ver.example:9090",
    "connect server.example:": "9090",
    "connect server.example:90": "90",
    "logout log": "in.example:7070",
    "logins remove login.example:7": "070",
}
"""What is typed before Tab, and what the shell adds."""


@pytest.fixture
def kept(tmp_path: Path) -> dict[str, str]:
    """Return an environment in which names are kept of all that the shell completes."""
    environment = {**UNMEASURED, "SOCKCTL_DATA_DIR": str(tmp_path), "SOCKCTL_STATE_DIR": str(tmp_path)}
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment['PATH']}"
    environment |= {"TERM": "dumb", "HOME": str(tmp_path), "NO_COLOR": "1"}
    KnownClients(tmp_path).remember("192.0.2.7", "mary")
    KnownHosts(tmp_path).trust("server.example", 9090, "ab" * 32)
    for host in ("login.example", "::1"):
        TokenStore(tmp_path).keep(Login.at(host, 7070, "chat", ""), token="secret", expires=LATER, user="zoe")
    (tmp_path / "chat-history.jsonl").write_text('{"room": "tearoom", "id": 1}\n')
    accounts_at(tmp_path, "zoe")
    return environment


def complete(environment: dict[str, str], *words: str) -> list[str]:
    """Return what bash would offer for the last of the words."""
    line = " ".join(("sockctl", *words))
    asked = {"_SOCKCTL_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": str(len(words))}
    return sockctl(env={**environment, **asked}).stdout.decode().split()


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (["conn"], ["connect"]),
        (["serve", "id"], ["identify"]),
        (["serve", "echo", "--max-p"], ["--max-pending"]),
        (["serve", "echo", "--log-format", "j"], ["json"]),
        (["users", "remove", "z"], ["zoe"]),
        (["clients", "rename", "ma"], ["mary"]),
        (["clients", "rename", "192"], ["192.0.2.7"]),
        (["connect", "ser"], ["server.example:9090"]),
        (["connect", "log"], ["login.example:7070"]),
        (["connect", "a:1,ser"], ["a:1,server.example:9090"]),
        (["connect", "wss://ser"], ["wss://server.example:9090"]),
        (["connect", "tls://a:1,ser"], ["tls://a:1,server.example:9090"]),
        (["hosts", "remove", ""], ["server.example:9090"]),
        (["logout", "log"], ["login.example:7070"]),
        (["logins", "remove", "log"], ["login.example:7070"]),
        (["logout", "login.example", ":"], ["7070"]),
        (["logout", "login.example", ":", "70"], ["7070"]),
        (["logout", "[", "::", "1]", ":", "70"], ["7070"]),
        (["logout", "login.example:70"], ["login.example:7070"]),
        (["logout", "login.example", ":", "7070", ""], []),
        (["serve", "echo", "--log-format", "=", "j"], ["json"]),
        (["serve", "echo", "--log-format", "="], ["text", "json"]),
        (["serve", "chat", "--room", "t"], ["tearoom"]),
        (["serve", "chat", "--operator", ""], ["zoe"]),
        (["nonsense", "x"], []),
    ],
)
def test_what_is_offered(kept: dict[str, str], words: list[str], offered: list[str]) -> None:
    assert complete(kept, *words) == offered


def test_files_that_cannot_be_used_offer_nothing(kept: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "users.json").write_text("rubbish")
    (tmp_path / "config.toml").write_text("rubbish")
    assert complete({**kept, "SOCKCTL_CONFIG": str(tmp_path)}, "users", "remove", "z") == []


def test_nobody_waits_for_an_engine_while_typing(kept: dict[str, str]) -> None:
    assert complete({**kept, "SOCKCTL_STORE": "redis://192.0.2.1"}, "users", "remove", "z") == []
    assert complete(kept, "users", "remove", "--store", "redis://192.0.2.1", "z") == []


@pytest.mark.parametrize("shell", SHELLS)
def test_in_the_shell_itself(kept: dict[str, str], shell: str) -> None:
    if shutil.which(shell) is None:
        unavailable(shell)
    command, *arguments = SHELLS[shell]
    child: Any = pexpect.spawn(command, arguments, env=kept, encoding="utf-8", timeout=TIMEOUT_S, dimensions=(40, 160))
    try:
        child.sendline(f"{SETTINGS[shell]}; echo settings ma''de")  # the echo of what is typed doesn't say so
        child.expect("settings made\r?\n")
        child.expect("ready> ")
        for typed, wanted in COMPLETED.items():
            child.send(f"sockctl {typed}\t")
            child.expect_exact(f"{typed}{wanted}" if shell == "fish" else wanted)
            child.send("\x01echo \r")
            child.expect(rf"\nsockctl {re.escape(typed + wanted)} ?\r?\n")
            child.expect("ready> ")
    finally:
        child.close(force=True)
