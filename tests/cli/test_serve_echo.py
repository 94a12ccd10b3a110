"""`serve echo` as a process: what it prints, its limits, and what it survives."""

import json
import re
import resource
import socket
import struct
import sys
import time
from pathlib import Path

import pytest

from tests.support.running import (
    TIMEOUT_S,
    UNMEASURED,
    connect,
    cpu_seconds,
    echo_process,
    exchange,
    process,
    receive_all,
    receive_exactly,
)

LINUX = sys.platform == "linux"


def test_every_step_is_told_with_an_explanation() -> None:
    with process("serve", "echo", "--port", "0") as run:
        port = int(run.wait_for(r"Listening on 127\.0\.0\.1:(\d+)\. socket\(\) made")[1])
        assert exchange(port, b"hello") == b"hello"
        run.wait_for("client_disconnected")
        assert exchange(port, b"again") == b"again", "row 3: the client can come back"
        run.wait_for("client_disconnected")
        assert run.end() == 0
    text = "\n".join(run.lines)
    for step in (
        "server_started .*It serves echo",
        "listening .*bind\\(\\) gave it this address",
        "client_connected .*accept\\(\\) took it",
        "data_received .*5 bytes in one recv\\(\\): 1 portion\\. recv\\(\\) copied",
        "data_sent .*5 bytes in one send\\(\\): 1 portion\\. send\\(\\) copied",
        "client_disconnected .*its FIN came",
        "server_stopping .*asked to stop",
        "server_stopped .*served 2 clients, received 10 bytes and sent 10 bytes",
    ):
        assert re.search(step, text), step
    assert "\x1b" not in text, "no colours where there is no terminal"


def test_json_events() -> None:
    with echo_process() as (run, port):
        exchange(port, b"x" * 1500)
        ended = run.event("client_disconnected")
        assert run.end() == 0
    assert {"time", "event", "service", "connection", "peer", "reason", "text"} <= ended.keys()
    assert (ended["service"], ended["reason"], ended["bytes_in"], ended["bytes_out"]) == (
        "echo",
        "client_closed",
        1500,
        1500,
    )
    assert run.events == [
        "server_started",
        "listening",
        "listening",
        "reachable",
        "reachable",
        "loopback_only",
        "client_connected",
        "data_received",
        "data_sent",
        "client_disconnected",
        "server_stopping",
        "server_stopped",
    ]


@pytest.mark.parametrize(("transform", "result"), [("none", "Grüße"), ("upper", "GRÜSSE"), ("lower", "grüße")])
def test_transforms(transform: str, result: str) -> None:
    with echo_process("--transform", transform) as (_, port):
        assert exchange(port, "Grüße".encode()).decode() == result


def test_portion() -> None:
    with echo_process("--portion", "10") as (run, port):
        exchange(port, b"x" * 25)
        received = run.event("data_received")
        assert (received["portions"], received["portion_bytes"], received["reads"]) == (3, 10, 1)


def test_verbose_tells_details() -> None:
    with echo_process("-v") as (run, port):
        exchange(port, b"x")
        run.event("input_ended")


def test_quiet_tells_only_where_it_listens_and_what_goes_wrong() -> None:
    with process("serve", "echo", "--port", "0", "--quiet", "--deny", "127.0.0.2") as run:
        port = int(run.wait_for(r"^Listening on 127\.0\.0\.1:(\d+) and \[::1\]:\d+\.$")[1])
        exchange(port, b"x")
        with socket.create_connection(("127.0.0.1", port), TIMEOUT_S, ("127.0.0.2", 0)) as sock:
            assert receive_all(sock) == b""
        run.wait_for("client_refused .*--allow and --deny rules")
        assert run.end() == 0
    assert len(run.lines) == 2


def test_how_it_can_be_reached() -> None:
    with echo_process() as (run, port):
        assert run.event("reachable")["command"] == f"sockctl connect 127.0.0.1 {port}"
        assert "--host ''" in run.event("loopback_only")["text"]


def test_how_it_can_be_reached_on_every_interface() -> None:
    with echo_process("--host", "::") as (run, port):
        assert run.event("reachable")["scope"] == "machine"
        for host in ("127.0.0.1", "::1"):
            with connect(port, host) as sock:
                sock.sendall(b"a")
                assert receive_exactly(sock, 1) == b"a"
        run.end()
    reaches = [json.loads(line) for line in run.lines if '"reachable"' in line]
    assert {(e["scope"], e["host"]) for e in reaches} >= {("machine", "127.0.0.1"), ("machine", "::1")}


def test_a_limit_from_the_command_line() -> None:
    with echo_process("--max-clients", "1") as (run, port), connect(port) as first:
        first.sendall(b"a")
        receive_exactly(first, 1)
        with connect(port) as second:
            assert receive_all(second) == b""
        assert run.event("client_refused")["reason"] == "too_many_clients"


def test_the_place_of_an_idle_client_is_free_again() -> None:
    with echo_process("--max-clients", "1", "--idle-timeout", "0.6") as (run, port):
        with connect(port) as first:
            run.event("client_connected")
            assert receive_all(first) == b""
        assert run.event("client_disconnected")["reason"] == "idle_timeout"
        with connect(port):
            run.event("client_connected")


def test_allow_and_deny() -> None:
    with echo_process("--host", "127.0.0.1", "--allow", "127.0.0.0/30", "--deny", "127.0.0.2") as (_, port):
        for source, answer in (("127.0.0.1", b"a"), ("127.0.0.2", b"a"), ("127.0.0.9", b"a")):
            with socket.create_connection(("127.0.0.1", port), TIMEOUT_S, (source, 0)) as sock:
                sock.sendall(b"a")
                assert sock.recv(1) == answer
    with echo_process("--allow", "127.0.0.2") as (_, port), connect(port) as sock:
        assert receive_all(sock) == b""


@pytest.mark.skipif(not LINUX, reason="reads the processor time from /proc")
def test_out_of_descriptors_under_rlimit_nofile() -> None:
    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (40, 40))

    with echo_process("--max-clients", "100", "--max-clients-per-address", "100", preexec_fn=limit) as (run, port):
        assert "descriptors_limited" in run.events
        held = [connect(port) for _ in range(60)]
        try:
            run.event("accept_paused")
            held[0].sendall(b"a")
            assert receive_exactly(held[0], 1) == b"a", "existing clients go on"
            before, started = cpu_seconds(run.process.pid), time.monotonic()
            time.sleep(2.0)  # what it costs to have nothing left is what is measured
            assert (cpu_seconds(run.process.pid) - before) / (time.monotonic() - started) < 0.20
            for sock in held[:50]:
                sock.close()
            held[59].sendall(b"z")
            assert receive_exactly(held[59], 1) == b"z", "it recovers by itself"
            run.event("accept_resumed")
        finally:
            for sock in held:
                sock.close()
        assert run.end() == 0
    pauses = [json.loads(line)["time"] for line in run.lines if '"accept_paused"' in line]
    assert len(pauses) == len({stamp[:19] for stamp in pauses}) or len(pauses) <= 5, "one a second at most"


def test_a_reset_is_told() -> None:
    with echo_process() as (run, port):
        sock = connect(port)
        sock.sendall(b"a")
        receive_exactly(sock, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sock.close()
        assert run.event("client_disconnected")["reason"] == "client_reset"


@pytest.mark.skipif(not LINUX, reason="reads the memory from /proc")
def test_a_client_that_never_reads_costs_little_memory() -> None:
    def resident_kb(pid: int) -> int:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS"))

    with echo_process(env=UNMEASURED) as (run, port):
        exchange(port, b"warm up")
        before = resident_kb(run.process.pid)
        socks = [connect(port) for _ in range(10)]
        for sock in socks:
            sock.setblocking(False)
        end = time.monotonic() + 1.0
        while time.monotonic() < end:
            for sock in socks:
                try:
                    sock.send(b"x" * 65_536)
                except BlockingIOError:
                    continue
        assert resident_kb(run.process.pid) - before < 10 * 256, "64 KiB wait for each, beside what is told"
        for sock in socks:
            sock.close()
        assert run.end() == 0
