"""Pipes and scripts that come back after a lost connection: real clients and a real chat, which is killed."""

import contextlib
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from sockctl.cli.exit_codes import ExitCode
from tests.support.bots import Bot
from tests.support.running import CLOSED_PORT, START_S, Process, free_port, process, sockctl
from tests.support.token_server import PASSWORD, token_server

pytestmark = pytest.mark.usefixtures("state")


@contextlib.contextmanager
def chat(data: Path, port: int) -> Iterator[Process]:
    with process("serve", "chat", "--port", str(port), "--strict-port", "--data-dir", str(data)) as one:
        one.wait_for("listening")
        yield one


@pytest.mark.parametrize("by_option", [True, False], ids=["--user", "name in the pipe"])
def test_a_bot_outlives_kills_of_the_server(tmp_path: Path, bots: list[Bot], by_option: bool) -> None:
    port = free_port()
    bot = Bot(tmp_path, *(["--user", "bot"] if by_option else []), f"sockctl://127.0.0.1:{port}")
    assert bot.end() == ExitCode.UNREACHABLE, "the first connection is not a lost one"
    with chat(tmp_path / "data", port) as first:
        bots.append(bot := Bot(tmp_path, *(["--user", "bot"] if by_option else []), f"sockctl://127.0.0.1:{port}"))
        if not by_option:
            bot.say("bot")
        bot.say("one")
        bot.wait_for("<bot> one")
        first.end(signal.SIGKILL)
    bot.wait_for("The connection was lost", told=True)
    bot.say("two", "three")
    with chat(tmp_path / "data", port) as second:
        bot.wait_for("<bot> three")
        second.end(signal.SIGKILL)
    bot.wait_for("The connection was lost", 2, told=True)
    with chat(tmp_path / "data", port):
        bot.say("four")
        bot.wait_for("<bot> four")
        assert bot.end() == ExitCode.DONE
    said = [line.rpartition("> ")[2] for line in bot.output.read_text().splitlines() if "<bot>" in line]
    assert said == ["one", "two", "three", "four"], "each once"
    assert "Traceback" not in bot.errors.read_text()


def test_a_listener_hears_what_was_said_meanwhile(tmp_path: Path, bots: list[Bot]) -> None:
    port = free_port()
    with chat(tmp_path / "data", port) as server:
        bots.append(bot := Bot(tmp_path, "--recv-only", "--user", "bot", f"sockctl://127.0.0.1:{port}"))
        bot.wait_for("bot")
        run = sockctl("connect", "--user", "ann", f"sockctl://127.0.0.1:{port}", stdin=b"hello\n")
        assert run.returncode == 0, run.stderr
        bot.wait_for("<ann> hello")
        server.end(signal.SIGKILL)
    bot.wait_for("The connection was lost", told=True)
    with chat(tmp_path / "data", port) as server:
        bot.wait_for("Welcome", 2)
        sockctl("connect", "--user", "cem", f"sockctl://127.0.0.1:{port}", stdin=b"again\n")
        bot.wait_for("<cem> again")
        server.end()
    assert bot.process.wait(START_S) == 0, "the server said goodbye"
    assert bot.output.read_text().count("<ann> hello") == 1


def test_a_script_comes_back(tmp_path: Path, bots: list[Bot]) -> None:
    port = free_port()
    steps = tmp_path / "steps"
    steps.write_text("send bot\nexpect Welcome\nsend one\nexpect ^one$\nexpect go on\nsend two\nexpect ^two$\n")
    with chat(tmp_path / "data", port) as first:
        bots.append(bot := Bot(tmp_path, "--script", str(steps), "--timeout", "60", f"sockctl://127.0.0.1:{port}"))
        bot.wait_for("<bot> one")
        first.end(signal.SIGKILL)
    bot.wait_for("The connection was lost", told=True)
    with chat(tmp_path / "data", port):
        bot.wait_for("Welcome", 2)
        sockctl("connect", "--user", "ann", f"sockctl://127.0.0.1:{port}", stdin=b"go on\n")
        assert bot.process.wait(START_S) == ExitCode.DONE
    assert bot.output.read_text().count("<bot> one") == 1


def test_a_script_whose_server_stays_away_times_out(tmp_path: Path, bots: list[Bot]) -> None:
    port = free_port()
    with chat(tmp_path / "data", port) as first:
        steps = ["--send", "bot", "--expect", "Welcome", "--expect", "never", "--timeout", "8"]
        bots.append(bot := Bot(tmp_path, *steps, f"sockctl://127.0.0.1:{port}"))
        bot.wait_for("Welcome")
        first.end(signal.SIGKILL)
    assert bot.process.wait(START_S) == ExitCode.TIMED_OUT
    assert "the script's 8 s (--timeout) are up" in bot.errors.read_text()


def test_an_idle_pipe_ends(tmp_path: Path, bots: list[Bot]) -> None:
    port = free_port()
    with chat(tmp_path / "data", port) as first:
        bots.append(bot := Bot(tmp_path, "--user", "bot", "--idle-timeout", "5", f"sockctl://127.0.0.1:{port}"))
        bot.wait_for("Welcome")
        first.end(signal.SIGKILL)
    assert bot.process.wait(START_S) == ExitCode.TIMED_OUT


def test_interrupted_while_it_is_away(tmp_path: Path, bots: list[Bot]) -> None:
    port = free_port()
    with chat(tmp_path / "data", port) as first:
        bots.append(bot := Bot(tmp_path, "--user", "bot", f"sockctl://127.0.0.1:{port}"))
        bot.wait_for("Welcome")
        first.end(signal.SIGKILL)
    bot.wait_for("with pauses of up to 30 s", told=True)
    bot.process.send_signal(signal.SIGINT)
    assert bot.process.wait(START_S) == ExitCode.INTERRUPTED


def test_a_bot_of_an_auth_server_goes_on(tmp_path: Path, bots: list[Bot]) -> None:
    with token_server() as server:
        bots.append(bot := Bot(tmp_path, f"sockctl://{server.target}"))
        bot.say("ann", PASSWORD, "one")
        bot.wait_for("<ann> one")
        server.drop()
        bot.wait_for("The connection was lost", told=True)
        bot.say("two")
        bot.wait_for("<ann> two")
        assert bot.end() == ExitCode.DONE
    assert [line for line in bot.output.read_text().splitlines() if line.startswith("<")] == ["<ann> one", "<ann> two"]


def test_raw_bytes_know_no_login() -> None:
    for target in (f"tcp://127.0.0.1:{CLOSED_PORT}", f"127.0.0.1:{CLOSED_PORT}"):
        run = sockctl("connect", "--reconnect", target)
        assert run.returncode == ExitCode.USAGE
        assert b"write sockctl://" in run.stderr
    for other in ("--no-session", "--no-reconnect", "--hex", "--count=1"):
        run = sockctl("connect", "--reconnect", other, f"sockctl://127.0.0.1:{CLOSED_PORT}")
        assert run.returncode == ExitCode.USAGE
        assert b"exclude each other" in run.stderr
    environment = {**os.environ, "SOCKCTL_CONNECT_RECONNECT": "1", "SOCKCTL_CONNECT_LOG": "/nowhere"}
    run = sockctl("connect", f"127.0.0.1:{CLOSED_PORT}", env=environment)
    assert run.returncode == ExitCode.UNREACHABLE, "what holds for all sessions doesn't forbid one of raw bytes"
