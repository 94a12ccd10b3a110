"""``sockctl bench`` as a process: what it prints, and how it ends."""

import json
import os
import re
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from sockctl.cli.exit_codes import ExitCode
from sockctl.events.base import Level
from sockctl.interrupts import SAME_SIGNAL_S
from sockctl.net.fingerprints import read_fingerprint
from sockctl.net.udp.limits import DatagramLimits
from sockctl.services.chat.service import Chat
from sockctl.services.chat.settings import ChatRules
from sockctl.services.echo import Echo
from tests.support.accounts import PASSWORD
from tests.support.bench_servers import auth
from tests.support.datagrams import datagrams
from tests.support.processes import Popen
from tests.support.running import CLOSED_PORT, SOCKCTL, TIMEOUT_S, process, running, sockctl, wait_until
from tests.support.terminal import ended
from tests.support.tls import securing, self_signed
from tests.support.wrong_servers import altering, resetting, serving, silent

PATIENT = ("--timeout", "20")
"""A busy machine may need so long for an answer."""
SHORT = ("--count", "100", "--warm-up", "0", *PATIENT)


@contextmanager
def echo() -> Iterator[str]:
    with running(Echo(), level=Level.WARNING) as run:
        yield f"127.0.0.1:{run.port}"


def test_a_table_for_people() -> None:
    with echo() as target:
        done = sockctl("bench", "echo", target, *SHORT)
    out = done.stdout.decode()
    assert done.returncode == 0
    assert done.stderr == b"", "no progress where nobody sits at a terminal"
    assert out.startswith(f"echo {target}: 10 clients, 1 in flight each, 64 bytes, ")
    for word in ("messages", "bytes", "errors     none", "p50", "p99.9", "max", " %  "):
        assert word in out


def test_one_json_object_and_the_count() -> None:
    with echo() as target:
        done = sockctl("bench", "echo", f"tcp://{target}", "--json", "--count", "100", "--depth", "4", "--size", "1000")
    assert done.returncode == 0
    fields = json.loads(done.stdout)
    assert (fields["answered"], fields["sent"], fields["bytes"]) == (100, 100, 100_000)
    assert (fields["depth"], fields["clients"], fields["kind"], fields["ok"]) == (4, 10, "echo", True)


def test_on_a_clock() -> None:
    with echo() as target:
        done = sockctl(
            "bench", "echo", target, "--rate", "500", "--json", "--duration", "0.2", "--warm-up", "0", *PATIENT
        )
    fields = json.loads(done.stdout)
    assert (fields["loop"], fields["sent"], fields["ok"]) == ("open", 100, True)


@pytest.mark.parametrize(
    ("handle", "timeout_s", "reason"),
    [
        (altering(lambda _: b"", every=10_000), "20", "missing"),
        (resetting(after_bytes=5_000), "20", "reset"),
        (silent, "0.3", "no_answer"),
    ],
)
def test_what_is_wrong_is_told_and_exits_1(handle: Any, timeout_s: str, reason: str) -> None:
    with serving(handle) as port:
        done = sockctl(
            *("bench", "echo", f"127.0.0.1:{port}", "--clients", "2", "--size", "1001", "--depth", "4"),
            *("--timeout", timeout_s, "--duration", "20", "--warm-up", "0"),
        )
    assert done.returncode == ExitCode.FAILED
    assert f"errors     2 {reason}" in done.stdout.decode()
    assert "lost" in done.stdout.decode()


def test_two_servers_in_turns() -> None:
    with echo() as one, echo() as other:
        table = sockctl("bench", "echo", one, "--compare", other, "--rounds", "2", *SHORT)
        both = sockctl("bench", "echo", one, "--compare", other, "--rounds", "3", "--json", *SHORT)
    assert table.returncode == both.returncode == 0
    assert "ratio" in table.stdout.decode()
    fields = json.loads(both.stdout)
    assert fields["compare"] == [one, other]
    assert [[each["target"] for each in pair] for pair in fields["rounds"]] == [[one, other]] * 3
    each = [first["per_second"] / second["per_second"] for first, second in fields["rounds"]]
    assert fields["ratios"]["per_second"]["median"] == pytest.approx(sorted(each)[1], abs=0.001)


@pytest.mark.parametrize("service", [["echo", "--transform", "upper"], ["identify"]])
def test_a_server_that_sends_back_something_else(service: list[str], tmp_path: Path) -> None:
    own = ("--port", "0", "--log-format", "json", "--log-file", str(tmp_path / "log"))
    places = {**os.environ, "SOCKCTL_DATA_DIR": str(tmp_path)}
    with process("serve", *service, *own, env=places) as other, running(Echo(), level=Level.WARNING) as run:
        target = f"127.0.0.1:{other.wait_for(r'127.0.0.1:([0-9]+)')[1]}"
        alone = sockctl("bench", "echo", target, *SHORT)
        beside = sockctl("bench", "echo", f"127.0.0.1:{run.port}", "--compare", target, "--rounds", "1", *SHORT)
    for done in (alone, beside):
        assert done.returncode == ExitCode.FAILED
        assert done.stdout.decode().count("The server doesn't send back what it receives.") == 1
        assert b"start 'sockctl serve echo' without --transform" in done.stdout


def test_under_tls(tmp_path: Path) -> None:
    files = self_signed(tmp_path)
    own = ("--state-dir", str(tmp_path / "state"), "--json", "--clients", "3", *SHORT)
    with running(Echo(), secure=securing(files), level=Level.WARNING) as run:
        target = f"localhost:{run.port}"
        unknown = sockctl("bench", "echo", f"tls://{target}", *own)
        assert unknown.returncode == ExitCode.NOT_LET_IN
        assert b"is not known yet" in unknown.stderr
        fingerprint = read_fingerprint(files[0])
        for options in (("--fingerprint", fingerprint), ("--ca", str(files[0])), ("--accept-new",)):
            done = sockctl("bench", "echo", target, "--tls", *options, *own)
            assert done.returncode == 0, done.stderr
            assert json.loads(done.stdout)["tls"]
        assert sockctl("bench", "echo", f"tls://{target}", *own).returncode == 0, "it is known now"
        in_clear = sockctl("bench", "echo", target, *own, "--timeout", "1")
        assert in_clear.returncode == ExitCode.FAILED


def test_a_chat(tmp_path: Path) -> None:
    with running(Chat(tmp_path, ChatRules(flood=None)), level=Level.WARNING) as run:
        target = f"127.0.0.1:{run.port}"
        done = sockctl("bench", "chat", target, "--senders", "2", "--count", "20", "--clients", "5", *PATIENT)
        again = sockctl("bench", "chat", f"sockctl://{target}", "--count", "20", "--json", *PATIENT)
    assert done.returncode == again.returncode == 0
    assert "deliveries 100 (" in done.stdout.decode()
    assert json.loads(again.stdout)["answered"] == 200


def test_a_chat_on_several_servers(tmp_path: Path) -> None:
    with running(Chat(tmp_path, ChatRules(flood=None)), level=Level.WARNING) as run:
        targets = f"127.0.0.1:{run.port},localhost:{run.port}"
        table = sockctl("bench", "chat", targets, "--senders", "2", "--count", "20", "--clients", "5", *PATIENT)
        done = sockctl("bench", "chat", f"sockctl://{targets}", "--count", "20", "--json", *PATIENT)
        beside = ("--compare", f"127.0.0.1:{run.port}", "--rounds", "1")
        both = sockctl("bench", "chat", targets, *beside, "--count", "20", *PATIENT)
    assert table.returncode == done.returncode == both.returncode == 0
    out = table.stdout.decode()
    assert f"chat 127.0.0.1:{run.port},localhost:{run.port}: 5 clients" in out
    assert "checked    5 members of 2 servers: all heard the same in one order, nothing lost, nothing repeated" in out
    fields = json.loads(done.stdout)
    assert (fields["servers"], fields["checks"]) == (2, {"order": True, "loss": True, "repetition": True})
    assert f"{targets} beside 127.0.0.1:{run.port}" in both.stdout.decode()


def test_a_chat_whose_servers_are_not_one(tmp_path: Path) -> None:
    with (
        running(Chat(tmp_path / "a", ChatRules(flood=None)), level=Level.WARNING) as one,
        running(Chat(tmp_path / "b", ChatRules(flood=None)), level=Level.WARNING) as other,
    ):
        targets = f"127.0.0.1:{one.port},127.0.0.1:{other.port}"
        done = sockctl("bench", "chat", targets, "--clients", "4", "--count", "20", "--timeout", "3", "--json")
    assert done.returncode == ExitCode.FAILED
    fields = json.loads(done.stdout)
    assert fields["errors"] == {"no_answer": 2}
    assert not fields["checks"]["loss"]


def test_logins(tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.touch(0o600)
    secret.write_text(PASSWORD)
    with running(auth(tmp_path / "data"), level=Level.WARNING) as run:
        command = ("bench", "login", f"127.0.0.1:{run.port}", "--count", "10", "--clients", "2", *PATIENT)
        done = sockctl(*command, "--user", "user{}", "--password-file", str(secret))
        assert done.returncode == 0
        assert "logins     10 (" in done.stdout.decode()
        wrong = sockctl(*command, "--user", "ann", "--password-stdin", "--json", stdin=b"wrong\n")
    assert wrong.returncode == ExitCode.FAILED
    fields = json.loads(wrong.stdout)
    assert set(fields["errors"]) <= {"login_failed", "throttled"}
    assert fields["lost"] == 10


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["echo", f"127.0.0.1:{CLOSED_PORT}"], ExitCode.UNREACHABLE, "Can't connect to 127.0.0.1:"),
        (["echo", "a:1,b:1"], ExitCode.USAGE, "names several servers: only bench chat takes them"),
        (["chat", f"127.0.0.1:{CLOSED_PORT},b"], ExitCode.USAGE, ",b' is not complete"),
        (["chat", "a:1,"], ExitCode.USAGE, "names an empty target"),
        (["chat", f"127.0.0.1:{CLOSED_PORT},127.0.0.2:1"], ExitCode.UNREACHABLE, "Can't connect to 127.0.0.1:"),
        (["echo", "localhost"], ExitCode.USAGE, "is not complete: write HOST:PORT"),
        (["echo", "sockctl://localhost:1"], ExitCode.USAGE, "bench echo is for tcp:// and tls:// only"),
        (["chat", "tls://localhost:1"], ExitCode.USAGE, "bench chat is for sockctl:// and sockctls:// only"),
        (["echo", "localhost:1", "--depth", "2", "--rate", "5"], ExitCode.USAGE, "--depth and --rate exclude each"),
        (["echo", "localhost:1", "--accept-new"], ExitCode.USAGE, "Options of TLS are given, and TLS is not"),
        (["chat", "localhost:1", "--senders", "20"], ExitCode.USAGE, "--senders 20 are more than --clients 10"),
        (["login", "localhost:1", "--user", "ann"], ExitCode.USAGE, "A password is needed"),
        (["echo", "localhost:1", "--compare", "here"], ExitCode.USAGE, "'here' is not complete"),
        (["echo", "localhost:1", "--size", "0"], ExitCode.USAGE, "0 is not in the range"),
        (["echo", "localhost:1", "--rate", "nan"], ExitCode.USAGE, "nan is not a number"),
    ],
)
def test_what_can_not_be_measured(arguments: list[str], code: ExitCode, says: str) -> None:
    done = sockctl("bench", *arguments)
    assert done.returncode == code
    assert says in " ".join(done.stderr.decode().split())
    assert done.stdout == b""


@pytest.mark.parametrize("kind", [[], ["echo"], ["chat"], ["login"]])
def test_help_has_an_example_and_names_the_fields(kind: list[str]) -> None:
    done = sockctl("bench", *kind, "--help")
    assert done.returncode == 0
    text = " ".join(done.stdout.decode().split())
    assert "Example" in text
    assert "python -m pydoc sockctl.bench.report" in text


def test_ctrl_c_prints_what_there_is() -> None:
    begun = threading.Event()

    def echoing(sock: socket.socket) -> None:
        messages = 0
        while data := sock.recv(65_536):
            sock.sendall(data)
            messages += 1
            if messages == 3:
                begun.set()

    with serving(echoing) as port:
        command = [*SOCKCTL, "bench", "echo", f"127.0.0.1:{port}", "--duration", "60", "--warm-up", "0", "--json"]
        with Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            assert begun.wait(TIMEOUT_S)
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == ExitCode.INTERRUPTED, err
    fields = json.loads(out)
    assert fields["interrupted"]
    assert fields["answered"] > 0
    assert not fields["errors"]


def list_children(pid: int) -> list[int]:
    return [*map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split())]


@contextmanager
def stopped(processes: list[int]) -> Iterator[list[int]]:
    """Let processes do nothing meanwhile."""
    for pid in processes:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield processes
    finally:
        for pid in processes:
            os.kill(pid, signal.SIGCONT)


def has_input(pid: int) -> bool:
    """Return whether a process has something to read from its standard input, a pipe."""
    with open(f"/proc/{pid}/fd/0", "rb", buffering=0) as pipe:  # noqa: PTH123  unbuffered
        return bool(select.select([pipe], [], [], 0)[0])


@pytest.mark.skipif(sys.platform != "linux", reason="the processes of a process are read from Linux's /proc")
def test_a_second_ctrl_c_ends_it_at_once() -> None:
    heard: list[bytes] = []

    def hearing(sock: socket.socket) -> None:
        heard.append(sock.recv(65_536))
        silent(sock)

    with serving(hearing) as port:
        command = [*SOCKCTL, "bench", "echo", f"127.0.0.1:{port}", "--timeout", "60", "--duration", "60"]
        with Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            wait_until(lambda: len([one for one in heard if one]) == 10)  # it has begun
            with stopped(list_children(process.pid)) as children:  # else they end a second after the first Ctrl-C
                process.send_signal(signal.SIGINT)
                wait_until(lambda: all(map(has_input, children)))
                time.sleep(2 * SAME_SIGNAL_S)
                process.send_signal(signal.SIGINT)
            out, _ = process.communicate(timeout=TIMEOUT_S)
    assert (process.returncode, out) == (ExitCode.INTERRUPTED, b"")


def test_ctrl_c_in_the_first_round_of_a_comparison() -> None:
    begun = threading.Event()

    def hearing(sock: socket.socket) -> None:
        if sock.recv(65_536):
            begun.set()
            silent(sock)

    with serving(hearing) as port, echo() as other:
        command = [*SOCKCTL, "bench", "echo", f"127.0.0.1:{port}", "--compare", other, "--duration", "60"]
        with Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            assert begun.wait(TIMEOUT_S)
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=TIMEOUT_S)
    assert (process.returncode, out) == (ExitCode.INTERRUPTED, b"")
    assert err.endswith(b"The comparison was interrupted in its first round: there is nothing to compare.\n")


def test_progress_on_a_terminal(terminal: Any) -> None:
    with echo() as target:
        child = terminal("bench", "echo", target, "--duration", "60", "--warm-up", "0.1")
        child.expect(rf"{target} \[#+ *\] [0-9.]+ s, [0-9,]+/s, p99 [0-9.]+ [mµ]?s")
        child.sendintr()  # a busy machine shows it late
        child.expect(r"messages +[0-9,]+ \(")
        child.expect("█")
        assert ended(child) == ExitCode.INTERRUPTED


def test_interrupted_between_the_rounds(terminal: Any) -> None:
    with echo() as one, echo() as other:
        child = terminal(
            "bench", "echo", one, "--compare", other, "--rounds", "50", "--duration", "0.5", "--warm-up", "0.1"
        )
        child.expect("round 2 of 50")
        child.sendintr()
        child.expect("in turns")
        child.wait()
        assert child.exitstatus == ExitCode.INTERRUPTED


def test_datagrams() -> None:
    with datagrams() as run:
        target = f"udp://127.0.0.1:{run.port}"
        shown = sockctl("bench", "echo", target, "--count", "200", "--clients", "2", *PATIENT)
        options = ("--count", "200", "--clients", "2", "--compare", target, "--rounds", "1", "--json", *PATIENT)
        done = sockctl("bench", "echo", target, *options)
    assert shown.returncode == 0, shown.stderr
    text = shown.stdout.decode()
    assert f"echo {target} (UDP): 2 clients, 1 in flight each, 64 bytes" in text
    assert re.search(r"^datagrams  200 \([\d,.]+/s\)$", text, re.MULTILINE)
    assert "lost       0 of 200 (0 %)\nerrors     none\n" in text
    both = json.loads(done.stdout)
    for each in both["rounds"][0]:
        assert (each["udp"], each["answered"], each["lost"]) == (True, 200, 0)
        assert (each["out_of_order"], each["duplicates"], each["late"]) == (0, 0, 0)


def test_lost_datagrams_are_told_and_exit_1() -> None:
    with datagrams(DatagramLimits(max_rate=3)) as run:
        options = ("--count", "20", "--clients", "1", "--depth", "20", "--timeout", "300ms")
        done = sockctl("bench", "echo", f"udp://127.0.0.1:{run.port}", *options)
    assert done.returncode == ExitCode.FAILED
    lost = re.search(r"^lost       (\d\d) of 20 \(\d+ %\)$", done.stdout.decode(), re.MULTILINE)
    assert lost, done.stdout  # a busy machine may answer none in time


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["echo", f"udp://127.0.0.1:{CLOSED_PORT}"], ExitCode.UNREACHABLE, "No datagram reaches 127.0.0.1:1 (refused)"),
        (["echo", "udp://localhost"], ExitCode.USAGE, "is not complete: write udp://HOST:PORT"),
        (["echo", "udp://localhost:9", "--size", "7"], ExitCode.USAGE, "has 8 bytes at least, for its number"),
        (["echo", "udp://localhost:9", "--size", "65508"], ExitCode.USAGE, "and 65,507 at most"),
        (["echo", "udp://localhost:9", "--tls"], ExitCode.USAGE, "TLS needs the ordered stream of TCP"),
        (["chat", "udp://localhost:9"], ExitCode.USAGE, "only bench echo is for udp://"),
    ],
)
def test_what_can_not_be_measured_over_udp(arguments: list[str], code: ExitCode, says: str) -> None:
    done = sockctl("bench", *arguments)
    assert done.returncode == code
    assert says in " ".join(done.stderr.decode().split())
