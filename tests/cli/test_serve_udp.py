"""`serve echo --udp` as a process: what it tells, the clients of other tools, and options that mean nothing to it."""

import contextlib
import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sockctl.cli.exit_codes import ExitCode
from tests.support.datagrams import udp_client
from tests.support.running import TIMEOUT_S, Process, process, sockctl
from tests.support.tools import tool


@contextlib.contextmanager
def serving(*options: str, form: str = "json") -> Iterator[tuple[Process, int]]:
    """Start a server with its events as JSON; wait until it listens."""
    with process("serve", "echo", "--udp", "--port", "0", "--log-format", form, *options) as run:
        if form == "json":
            yield run, run.event("udp_listening")["port"]
        else:
            yield run, int(run.wait_for(r"for datagrams on 127\.0\.0\.1:(\d+) ")[1])


def exchange(port: int, *datagrams: bytes, host: str = "127.0.0.1") -> None:
    with udp_client(port, host) as client:
        for each in datagrams:
            client.send(each)
            assert client.recv(70_000) == each


def test_every_step_is_told_with_an_explanation() -> None:
    with serving(form="text") as (run, port):
        with udp_client(port) as client:
            for each in (b"hello", b""):
                client.send(each)
                assert client.recv(10) == each
                run.wait_for("datagrams_sent")
        assert run.end() == ExitCode.DONE
    text = "\n".join(run.lines)
    for step in (
        f"reachable           From this machine: sockctl connect udp://127.0.0.1:{port}\n",
        f"reachable           From this machine: sockctl connect udp://[::1]:{port}\n",
        "A client was heard (1 of 4,096 that are remembered). No handshake came before",
        "Received a datagram of 5 bytes. Each recvfrom() gave one datagram whole",
        "Received an empty datagram.",
        "Sent an empty datagram.",
        "2 datagrams (5 bytes) received and 2 (5 bytes) sent (server_stopping). The server is stopping. UDP has no",
        "The server was asked to stop. It answers the datagrams that wait in the receive buffer",
        "It heard 1 client, received 2 datagrams (5 bytes) and sent 2 (5 bytes).",
    ):
        assert step in text, step
    assert not any(word in text for word in ("FIN", "SYN", "RST", "listen() lets", "recv()")), text


def test_json_events() -> None:
    with serving() as (run, port):
        exchange(port, b"x" * 65_507)
        run.event("datagrams_sent")
        assert run.end() == 0
    told = [json.loads(line) for line in run.lines if line.startswith("{")]
    assert [each["event"] for each in told] == [
        "server_started",
        *["udp_listening"] * 2,
        *["reachable"] * 2,
        "loopback_only",
        "client_heard",
        "datagrams_received",
        "datagrams_sent",
        "server_stopping",
        "client_forgotten",
        "server_stopped",
    ]
    received = next(each for each in told if each["event"] == "datagrams_received")
    assert (received["datagrams"], received["bytes"], received["sizes"]) == (1, 65_507, [65_507])


THEIRS = {  # none of them ends before its answer comes
    "nc": ("netcat-openbsd", ["-u", "-w", "20", "HOST", "PORT"]),
    "ncat": ("ncat", ["-u", "-i", "20s", "HOST", "PORT"]),
    "socat": ("socat", ["-t", "20", "-", "UDP:ADDRESS:PORT"]),
}


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
@pytest.mark.parametrize("name", THEIRS)
def test_their_clients(name: str, host: str) -> None:
    package, words = THEIRS[name]
    address = f"[{host}]" if ":" in host else host
    with serving() as (run, port):
        fill = {"HOST": host, "PORT": str(port), "UDP:ADDRESS:PORT": f"UDP:{address}:{port}"}
        command = [tool(name, package), *(fill.get(word, word) for word in words)]
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        ) as they:
            assert they.stdin is not None
            assert they.stdout is not None
            they.stdin.write(b"from afar")
            they.stdin.flush()
            assert they.stdout.read(9) == b"from afar"
            they.kill()
        assert run.event("datagrams_received")["bytes"] == 9


@pytest.mark.skipif(sys.platform != "linux", reason="Linux's loopback has a network of addresses")
def test_on_every_interface_it_answers_from_the_address_that_was_asked() -> None:
    with serving("--host", "") as (_, port):
        exchange(port, b"a", host="127.0.0.2")
        exchange(port, b"b", host="::1")
    with serving("--host", "127.0.0.5") as (_, port):
        exchange(port, b"c", host="127.0.0.5")


def test_options() -> None:
    options = ["--transform", "upper", "--max-rate", "3", "--idle-timeout", "300ms", "--deny", "127.0.0.9", "-v"]
    with serving(*options, "--host", "127.0.0.1") as (run, port):
        with udp_client(port) as client:
            client.send(b"abc")
            assert client.recv(10) == b"ABC"
            for _ in range(9):
                client.send(b"x")
            assert run.event("datagram_unanswered")["reason"] == "too_fast"
        assert run.event("client_forgotten")["reason"] == "idle"
        if sys.platform == "linux":
            with udp_client(port, source=("127.0.0.9", 0)) as denied:
                denied.send(b"x")
                run.wait_for('"datagram_unanswered".*"reason": "denied"')


def test_quiet_and_a_log_file_say_where_it_listens(tmp_path: Path) -> None:
    with process("serve", "echo", "--udp", "--port", "0", "--log-file", str(tmp_path / "log")) as run:
        run.wait_for(r"^Listening for datagrams on 127\.0\.0\.1:\d+ and \[::1\]:\d+ \(UDP\)\. Events go to ")
    with serving("--quiet") as (run, port):
        exchange(port, b"x")
        assert run.end() == 0
    assert set(run.events) == {"udp_listening"}


def test_a_taken_port() -> None:
    with serving() as (_, port):
        moved = sockctl("serve", "echo", "--udp", "--port", str(port), "--strict-port")
        assert moved.returncode == ExitCode.FAILED
        assert f"Port {port} is taken on 127.0.0.1 by process ".encode() in moved.stderr
        with serving("--host", "127.0.0.1") as (_, other), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.bind(("127.0.0.1", 0))
            assert other != port
    with socket.create_server(("127.0.0.1", 0)) as tcp:
        number = tcp.getsockname()[1]
        with process("serve", "echo", "--udp", "--port", str(number), "--log-format", "json") as run:
            assert run.event("udp_listening")["port"] == number, "TCP has ports of its own"


WRONG = [
    (["--tls"], "--tls means nothing with --udp: TLS needs the ordered stream of TCP"),
    (["--unix", "@s"], "--unix means nothing with --udp: a Unix socket has no ports"),
    (["--max-clients", "9"], "--max-clients means nothing with --udp: UDP knows no connections"),
    (["--max-clients-per-address", "9"], "--max-clients-per-address means nothing with --udp"),
    (["--max-pending", "9"], "--max-pending means nothing with --udp: UDP knows no connections, and nobody logs in"),
    (["--backlog", "9"], "--backlog means nothing with --udp: UDP has no accept()"),
    (["--web", "0"], "--web means nothing with --udp: browsers speak TCP alone"),
    (["--open"], "--open means nothing with --udp"),
    (["--portion", "9"], "--portion means nothing with --udp: a datagram is told whole"),
    (["--read-size", "9"], "--read-size means nothing with --udp: a datagram is received whole"),
    (["--metrics", "0"], "--metrics means nothing with --udp"),
    (["--event-threads", "2"], "--event-threads means nothing with --udp: one thread answers all datagrams"),
]


@pytest.mark.parametrize(("options", "said"), WRONG)
def test_options_that_mean_nothing(options: list[str], said: str) -> None:
    done = sockctl("serve", "echo", "--udp", "--port", "0", *options)
    assert done.returncode == ExitCode.USAGE
    assert said in " ".join(done.stderr.decode().split())


def test_a_rate_is_for_datagrams() -> None:
    done = sockctl("serve", "echo", "--port", "0", "--max-rate", "9")
    assert done.returncode == ExitCode.USAGE
    assert b"--max-rate is for datagrams: add --udp." in done.stderr


def test_watch_lists_its_clients(tmp_path: Path) -> None:
    control = tmp_path / "control"
    with serving("-v", "--control", str(control)) as (_, port), udp_client(port) as client:
        client.send(b"hello")
        client.settimeout(TIMEOUT_S)
        client.recv(10)
        shown = sockctl("watch", str(control), "--once")
        assert shown.returncode == 0, shown.stderr
        text = shown.stdout.decode()
        assert f"127.0.0.1:{client.getsockname()[1]}" in text
        assert "udp" in text
        looked = sockctl("watch", str(control), "--once", "--json")
        assert json.loads(looked.stdout)["server"]["counts"] == {"datagrams_in": 1, "datagrams_out": 1}
