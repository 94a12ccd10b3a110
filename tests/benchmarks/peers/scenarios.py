"""What is measured: each scenario puts one server under one load and gives one figure."""

import json
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.benchmarks.peers.servers import build_chat_commands, build_echo_commands, read_memory_kb, run_server
from tests.support.running import UNMEASURED

Result = dict[str, Any]
"""The fields that a load generator has printed, and ``value``: the figure, or None where something was lost."""
IDLE_CLIENTS, PER_ADDRESS = 2_000, 250


@dataclass(frozen=True, slots=True)
class EchoLoad:
    """An echo scenario: so many clients, each with so many messages in flight; ``figure`` names what counts."""

    clients: int
    size_bytes: int
    depth: int
    seconds: float
    figure: str = "msgs_per_s"


@dataclass(frozen=True, slots=True)
class ChatLoad:
    """A chat scenario: of the members some send so many messages each, with so many in flight at most."""

    members: int
    senders: int
    messages: int
    window: int


ECHO = {
    "single": EchoLoad(1, 1024, 1, 2),
    "pingpong": EchoLoad(50, 1024, 1, 3),
    "pipelined": EchoLoad(50, 1024, 16, 3),
    "thousand": EchoLoad(1_000, 1024, 1, 4),
    "tenk": EchoLoad(10_000, 64, 1, 10),
    "burst": EchoLoad(1_000, 64, 1, 1, figure="connect_s"),
}
CHAT = {
    "chat": ChatLoad(100, 1, 2_000, 50),
    # `chat` is over after 50 ms, for which a virtual machine that was idle before may run at half its speed, until its
    # cores are spread over the host's; the slower of two servers sees more of the time after that.
    "longer": ChatLoad(100, 1, 20_000, 50),
    "chat1": ChatLoad(100, 1, 2_000, 1),
    "chat1000": ChatLoad(1_000, 4, 100, 20),
}
SCENARIOS = (*ECHO, *CHAT, "memory", "start")
PROCESS_EACH = ("socat", "ncat")
"""Servers that start a process for each connection: with very many, that takes minutes."""
CROWDS = ("burst", "memory", "thousand", "tenk")


@dataclass(frozen=True, slots=True)
class Bench:
    """The folder of programs and servers' files, the sockctl to measure, and how many bytes Python peers read."""

    folder: Path
    sockctl: str
    read_bytes: int

    def list_servers(self, scenario: str) -> list[str]:
        """Return the names of those that a scenario is for, sockctl first."""
        if scenario in CHAT:
            return list(build_chat_commands(self.sockctl, self.folder))
        if scenario == "start":
            return ["sockctl", "python"]
        names = list(build_echo_commands(self.sockctl, self.folder, self.read_bytes))
        return [name for name in names if scenario not in CROWDS or name not in PROCESS_EACH]

    def measure(self, scenario: str, server: str) -> Result:
        """Measure one server once."""
        if scenario in CHAT:
            return self.measure_chat(CHAT[scenario], server)
        if scenario == "start":
            return {"value": measure_start_ms(self.sockctl, server)}
        if scenario == "memory":
            with run_server(self._echo_command(server), self.folder) as (port, group):
                return {"value": measure_idle_kb(port, group)}
        return self.measure_echo(ECHO[scenario], server)

    def measure_echo(self, load: EchoLoad, server: str) -> Result:
        """Measure one echo server once."""
        with run_server(self._echo_command(server), self.folder) as (port, _):
            result = self._generated("loadgen", port, load.clients, load.size_bytes, load.depth, load.seconds)
        return {**result, "value": result.get(load.figure)}

    def measure_chat(self, load: ChatLoad, server: str) -> Result:
        """Measure one chat server once; without a figure where a message has been lost."""
        command, wire = build_chat_commands(self.sockctl, self.folder)[server]
        words = (load.members, load.senders, load.messages, load.window, wire.preamble, wire.say, wire.framing)
        with run_server(command, self.folder) as (port, _):
            result = self._generated("fanout", port, *words, 1, 40)
        is_whole = result.get("deliveries", 0) >= result.get("expected_min", 1)
        return {**result, "value": result.get("deliveries_per_s") if is_whole else None}

    def _echo_command(self, server: str) -> list[str]:
        return build_echo_commands(self.sockctl, self.folder, self.read_bytes)[server]

    def _generated(self, program: str, port: int, *words: object) -> Result:
        command = [str(self.folder / program), "127.0.0.1", str(port), *map(str, words)]
        run = subprocess.run(command, check=False, capture_output=True, text=True, timeout=200, env=UNMEASURED)
        if not run.stdout.strip():
            return {"error": run.stderr.strip()}
        result: Result = json.loads(run.stdout.splitlines()[-1])
        return result


def measure_idle_kb(port: int, group: int) -> float:
    """Return how much the memory of a server grows for each client that has been answered once."""
    before = read_memory_kb(group)
    clients = []
    for number in range(IDLE_CLIENTS):
        client = socket.socket()
        client.bind((f"127.0.{number // PER_ADDRESS + 1}.1", 0))
        client.connect(("127.0.0.1", port))
        client.sendall(b"x")
        clients.append(client)
    for client in clients:
        client.recv(1)
    each = (read_memory_kb(group) - before) / len(clients)
    for client in clients:
        client.close()
    return round(each, 1)


def measure_start_ms(sockctl: str, name: str) -> float:
    """Return how long ``sockctl --version`` takes, or its interpreter alone."""
    python = str(Path(sockctl).parent / "python")
    command = [sockctl, "--version"] if name == "sockctl" else [python, "-c", "pass"]
    began = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True, env=UNMEASURED)
    return round((time.perf_counter() - began) * 1000, 1)
