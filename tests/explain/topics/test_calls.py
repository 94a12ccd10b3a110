import dataclasses
import json
import re
import subprocess
from collections import defaultdict
from pathlib import Path

from sockctl.explain.network import Loopback
from sockctl.explain.topics.calls import PAUSE_S, TOPIC, Calls
from tests.support.running import SOCKCTL, UNMEASURED
from tests.support.tools import tool, unavailable

SERVER = ["socket", "bind", "listen", "accept", "recv", "send", "recv", "close", "close"]
CLIENT = ["socket", "connect", "send", "recv", "close"]
IN_THE_KERNEL = {"accept": "accept4", "recv": "recvfrom", "send": "sendto"}


def test_each_side_has_its_calls_and_the_server_waits(loopback: Loopback) -> None:
    measured: Calls = TOPIC.measure(loopback)
    assert [call.name for call in measured.calls if call.by_server] == SERVER
    assert [call.name for call in measured.calls if not call.by_server] == CLIENT
    assert {call.name for call in measured.list_waits()} >= {"accept", "recv"}
    assert all(call.took_s > PAUSE_S / 2 for call in measured.list_waits())
    first, second = TOPIC.conclude(measured)
    assert "Only the server called bind(), listen() and accept(), only the client connect()" in first
    assert "waited inside accept() for" in second
    (table,) = TOPIC.draw(measured)
    assert all(bool(row[1]) is not bool(row[3]) for row in getattr(table, "rows", ()))


def test_waits_that_are_not_there_are_not_claimed(loopback: Loopback) -> None:
    measured: Calls = TOPIC.measure(loopback)
    quick = tuple(dataclasses.replace(call, ended_s=call.began_s + 1e-6) for call in measured.calls)
    first, second = TOPIC.conclude(Calls(calls=tuple(call for call in quick if call.by_server)))
    assert "only the client nothing of its own" in first
    assert second.startswith("No call of the server waited")


def test_strace_shows_the_same_calls(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    names = "socket,bind,listen,accept4,connect,sendto,recvfrom,close"
    strace = [tool("strace", "strace"), "-f", "-qq", "-o", str(trace), "-e", f"trace={names}"]
    if subprocess.run([*strace, "true"], capture_output=True, timeout=60, check=False).returncode:
        unavailable("strace may not trace here")
    command = [*strace, *SOCKCTL, "explain", "calls", "--json"]
    run = subprocess.run(command, env=UNMEASURED, capture_output=True, text=True, timeout=60, check=False)
    assert run.returncode == 0, run.stderr
    shown = json.loads(run.stdout)["measured"]["calls"]
    by_thread: dict[str, list[str]] = defaultdict(list)
    results: dict[str, list[int]] = defaultdict(list)
    for line in trace.read_text().splitlines():
        thread, rest = line.split(maxsplit=1)
        if begun := re.match(r"(\w+)\(", rest):
            by_thread[thread].append(begun[1])
        if ended := re.search(r" = (\d+)$", rest):
            results[thread].append(int(ended[1]))
    for by_server in (True, False):
        own = [call for call in shown if call["by_server"] is by_server]
        calls = [IN_THE_KERNEL.get(call["name"], call["name"]) for call in own]
        (thread,) = (thread for thread, seen in by_thread.items() if seen == calls)
        assert results[thread] == [call["result"] for call in own]
