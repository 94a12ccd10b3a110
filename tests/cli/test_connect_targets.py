"""Several servers of one chat, as processes: real clients, and servers that share their tokens."""

import contextlib
import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from sockctl.cli.exit_codes import ExitCode
from sockctl.client.known_hosts import KnownHosts
from sockctl.client.token_store import TokenStore
from sockctl.net.fingerprints import read_fingerprint
from tests.support.bots import Bot
from tests.support.running import CLOSED_PORT, sockctl
from tests.support.tls import self_signed
from tests.support.token_server import PASSWORD, TokenServer, token_server

pytestmark = pytest.mark.usefixtures("state")

CLOSED = f"127.0.0.1:{CLOSED_PORT}"
LOGIN = f"ann\n{PASSWORD}\n".encode()
Pair = tuple[TokenServer, TokenServer]


@contextlib.contextmanager
def pair_of_servers(*files: tuple[Path, Path]) -> Iterator[Pair]:
    """Start two servers of one chat, under TLS if each has a certificate."""
    own = files or (None, None)
    with token_server(files=own[0]) as one, token_server(files=own[1]) as other:
        other.tokens = one.tokens
        yield one, other


@pytest.fixture
def pair() -> Iterator[Pair]:
    with pair_of_servers() as both:
        yield both


def stop(server: TokenServer) -> None:
    """Let a server fall as one that is killed: it accepts no more, and its connections end without a goodbye."""
    server.close()
    server.drop()


def test_the_first_that_answers_is_taken(pair: Pair) -> None:
    one, other = pair
    run = sockctl("connect", f"sockctl://{CLOSED},{one.target},{other.target}", stdin=LOGIN + b"hello\n")
    assert run.returncode == ExitCode.DONE, run.stderr
    assert b"<ann> hello" in run.stdout
    assert run.stderr == b""
    assert (len(one.heard), len(other.heard)) == (1, 0)


def test_all_that_fail_are_named() -> None:
    run = sockctl("connect", f"{CLOSED},localhost:{CLOSED_PORT}", "--retry", "1", "-v")
    assert run.returncode == ExitCode.UNREACHABLE
    *_, first, second, third = run.stderr.decode().splitlines()
    assert first == "sockctl: None of the 2 servers lets the client in:"
    assert second.startswith(f"  Can't connect to {CLOSED}: connection refused")
    assert third.startswith(f"  Can't connect to localhost:{CLOSED_PORT}: [::1]:{CLOSED_PORT}: connection refused")
    assert third.endswith(" Tried 2 times.")
    assert run.stderr.count(b"target_failed") == 2


@pytest.mark.parametrize(
    ("target", "port", "says"),
    [
        ("a:1,", [], "names an empty target"),
        ("sockctl://a:1,tcp://b:1", [], "several schemes"),
        ("a:1,b", [], "PORT is missing"),
        ("a:1,b", ["2"], "The port is given twice"),
        ("tcp://a:1,b:1", ["--reconnect"], "write sockctl://"),
    ],
)
def test_what_is_no_list_of_targets(target: str, port: list[str], says: str) -> None:
    run = sockctl("connect", target, *port)
    assert run.returncode == ExitCode.USAGE
    assert says in run.stderr.decode()


def test_ports_of_all_are_looked_at(pair: Pair) -> None:
    one, other = pair
    run = sockctl("connect", "-z", "--json", f"{one.target},{other.target},{CLOSED}")
    assert run.returncode == ExitCode.UNREACHABLE
    states = [json.loads(line) for line in run.stdout.splitlines()]
    assert [(state["port"], state["open"]) for state in states] == [
        (one.port, True),
        (other.port, True),
        (CLOSED_PORT, False),
    ]
    assert sockctl("connect", "-qz", f"{one.target},{other.target}").returncode == ExitCode.DONE


def test_a_bot_goes_on_at_the_next(tmp_path: Path, pair: Pair, bots: list[Bot]) -> None:
    one, other = pair
    bots.append(bot := Bot(tmp_path, f"sockctl://{one.target},{other.target}"))
    bot.say("ann", PASSWORD, "one")
    bot.wait_for("<ann> one")
    stop(one)
    bot.say("two")
    bot.wait_for("<ann> two")
    assert bot.end() == ExitCode.DONE
    assert [line for line in bot.output.read_text().splitlines() if line.startswith("<")] == ["<ann> one", "<ann> two"]
    lost, changed = bot.errors.read_text().splitlines()
    assert f"The connection to {one.target} was lost" in lost
    assert re.search(rf"trying {re.escape(other.target)} (in 0\.\d s|at once)\.", lost), "the pause is random"
    assert f"The client is at {other.target} now; before, it was at {one.target}." in changed


def test_a_script_is_carried_out_at_the_next(pair: Pair) -> None:
    _, other = pair
    steps = ("--expect", "name", "--send", "ann", "--expect", "password", "--send", PASSWORD, "--send", "hello")
    run = sockctl("connect", *steps, "--expect", "hello", f"sockctl://{CLOSED},{other.target}")
    assert run.returncode == ExitCode.DONE, run.stderr


def test_a_login_is_kept_for_both_and_ended_at_one(pair: Pair, state: Path) -> None:
    one, other = pair
    assert sockctl("connect", f"sockctl://{one.target},{other.target}", stdin=LOGIN).returncode == ExitCode.DONE
    again = sockctl("connect", "-v", f"sockctl://{other.target},{one.target}", stdin=b"hello\n")
    assert again.returncode == ExitCode.DONE, again.stderr
    assert b"You are ann (kept login" in again.stderr
    assert other.resumed() != []
    (login,) = json.loads(sockctl("logins", "list", "--json").stdout)
    assert login["server"] == ",".join(sorted([one.target, other.target]))
    stop(one)
    run = sockctl("logout", f"{one.target},{other.target}")
    assert run.returncode == ExitCode.DONE, run.stderr
    assert other.said()[-1] == ("line", "logout")
    assert TokenStore(state).list_all() == []
    nothing = sockctl("logout", f"{one.target},{other.target}")
    assert f"No login of {one.target},{other.target} is kept" in nothing.stderr.decode()


def test_a_logout_that_nobody_hears(pair: Pair, state: Path) -> None:
    one, other = pair
    assert sockctl("connect", f"sockctl://{one.target},{other.target}", stdin=LOGIN).returncode == ExitCode.DONE
    stop(one)
    stop(other)
    run = sockctl("logout", f"{other.target},{one.target}")
    assert run.returncode == ExitCode.UNREACHABLE
    assert b"is forgotten, but the server was not told" in run.stderr
    assert TokenStore(state).list_all() == []


# Under TLS.


def test_each_certificate_is_trusted_by_itself(tmp_path: Path, state: Path, bots: list[Bot]) -> None:
    files = (self_signed(tmp_path, "one"), self_signed(tmp_path, "other"))
    with pair_of_servers(*files) as (one, other):
        target = f"sockctls://{one.target},{other.target}"
        unknown = sockctl("connect", target, stdin=LOGIN)
        assert unknown.returncode == ExitCode.NOT_LET_IN
        assert b"is not known yet" in unknown.stderr
        KnownHosts(state).trust(one.host, one.port, read_fingerprint(files[0][0]))
        bots.append(bot := Bot(tmp_path, target))
        bot.say("ann", PASSWORD, "one")
        bot.wait_for("<ann> one")
        one.drop()
        bot.wait_for(f"{other.target} is not known yet", told=True)
        bot.say("two")
        bot.wait_for("<ann> two")
        assert not any(other.heard), "nothing was sent to it"
        KnownHosts(state).trust(other.host, other.port, read_fingerprint(files[1][0]))
        stop(one)
        bot.say("three")
        bot.wait_for("<ann> three")
        assert bot.end() == ExitCode.DONE
        resumed = [token for number in range(len(other.heard)) for token in other.resumed(number)]
        assert resumed == one.given[-1:], "a token counts at both"
        run = sockctl("logout", f"{one.target},{other.target}")
        assert run.returncode == ExitCode.DONE, run.stderr


def test_a_certificate_that_has_changed_ends_it(tmp_path: Path, state: Path, bots: list[Bot]) -> None:
    files = (self_signed(tmp_path, "one"), self_signed(tmp_path, "other"))
    with pair_of_servers(*files) as (one, other):
        KnownHosts(state).trust(one.host, one.port, read_fingerprint(files[0][0]))
        KnownHosts(state).trust(other.host, other.port, "ab" * 32)
        bots.append(bot := Bot(tmp_path, f"sockctls://{one.target},{other.target}"))
        bot.say("ann", PASSWORD, "one")
        bot.wait_for("<ann> one")
        one.drop()
        bot.wait_for(f"The certificate of {other.target} has CHANGED", told=True)
        assert bot.end() == ExitCode.NOT_LET_IN
        run = sockctl("connect", f"sockctls://{other.target},{one.target}", stdin=LOGIN)
        assert run.returncode == ExitCode.NOT_LET_IN, "no other server hides it"
