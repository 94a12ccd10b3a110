"""The stage of ``tests.benchmarks.cluster``: an engine, nodes that are one chat on it, and members who listen."""

import contextlib
import json
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.benchmarks.serving import INSTALLED, started
from tests.support.engines import DURABLE, EVERY_SECOND, RedisServer, redis_server
from tests.support.frames import Fields, FrameClient
from tests.support.running import UNMEASURED

ENGINES = {"always": DURABLE, "everysec": EVERY_SECOND}
"""The settings of an engine, by how soon it writes to its disk."""
RULES = ("--no-input", "--no-flood-limit", "--max-clients", "20000", "--max-clients-per-address", "20000")
PATIENCE_S = 60.0


@dataclass(frozen=True, slots=True)
class Node:
    """A node: its port and its process."""

    port: int
    process: subprocess.Popen[bytes]

    def kill(self) -> None:
        """Kill the process, and wait for its end."""
        self.process.kill()
        self.process.wait()


@dataclass(frozen=True, slots=True)
class Stage:
    """An engine and its nodes; without an engine of its own where others run it."""

    nodes: Sequence[Node]
    engine: RedisServer | None = None

    @property
    def target(self) -> str:
        """The target for ``sockctl bench chat``."""
        return ",".join(f"127.0.0.1:{node.port}" for node in self.nodes)


@contextlib.contextmanager
def running_nodes(url: str, count: int) -> Iterator[list[Node]]:
    """Run nodes on an engine until the end."""
    with contextlib.ExitStack() as undo:
        nodes = []
        for number in range(1, count + 1):
            folder = undo.enter_context(tempfile.TemporaryDirectory())
            options = ("--cluster", url, "--node", f"bench{number}", *RULES)
            nodes.append(Node(*undo.enter_context(started(folder, "chat", *options))))
        yield nodes


@contextlib.contextmanager
def running_cluster(engine: str, count: int) -> Iterator[Stage]:
    """Run an engine with these settings, and nodes on it, until the end."""
    with (
        tempfile.TemporaryDirectory() as folder,
        redis_server(Path(folder), *ENGINES[engine]) as server,
        running_nodes(server.url, count) as nodes,
    ):
        yield Stage(nodes, server)


@contextlib.contextmanager
def running_alone() -> Iterator[Stage]:
    """Run a chat without an engine until the end."""
    with tempfile.TemporaryDirectory() as folder, started(folder, "chat", *RULES) as (port, process):
        yield Stage([Node(port, process)])


def begin_bench(target: str, *options: str) -> subprocess.Popen[bytes]:
    """Start ``sockctl bench chat``."""
    command = [INSTALLED, "bench", "chat", target, "--json", *options]
    return subprocess.Popen(command, stdout=subprocess.PIPE, env=UNMEASURED)


def end_bench(bench: subprocess.Popen[bytes]) -> dict[str, Any]:
    """Wait for a measurement, and return its report."""
    with bench:
        out, _ = bench.communicate(timeout=PATIENCE_S)
    assert out.strip(), "the measurement has failed; its reason stands above"
    report: dict[str, Any] = json.loads(out)
    return report


def measure(target: str, *options: str) -> dict[str, Any]:
    """Run ``sockctl bench chat``, and return its report."""
    return end_bench(begin_bench(target, *options))


class Listener:
    """A member whose thread notes what it hears, and when.

    Args:
        port: Where it joins.
        name: Its name.
        token: The token of a member that it resumes as; else it joins with the name.

    Attributes:
        token: The token for the next time.
        began: When it began to connect.
    """

    def __init__(self, port: int, name: str, token: str = "") -> None:
        self.began = time.monotonic()
        self.name = name
        self.token = token
        self._sock = socket.create_connection(("127.0.0.1", port), PATIENCE_S)
        self._sock.settimeout(None)
        self._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._client = FrameClient(self._sock)
        self._heard: list[tuple[float, Fields]] = []
        self._changed = threading.Condition()  # guards what is heard
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()
        self.wait_for(lambda one: one["kind"] == "ask")
        if token:
            self._client.send(kind="resume", token=token, seen={})
        else:
            self._client.send(kind="answer", field="name", text=name)
        self.wait_for(lambda one: one["kind"] == "members")

    def say(self, text: str) -> None:
        """Say a line."""
        self._client.line(text)

    def wait_for(self, is_meant: Callable[[Fields], bool], timeout_s: float = PATIENCE_S) -> float | None:
        """Wait for a message; return when it came, None if it didn't come in time."""
        with self._changed:
            self._changed.wait_for(lambda: self._find(is_meant) is not None, timeout_s)
            return self._find(is_meant)

    def close(self) -> None:
        """End the connection, and wait for the thread."""
        with contextlib.suppress(OSError):
            self._sock.shutdown(socket.SHUT_RDWR)
        self._thread.join()
        self._sock.close()

    def _find(self, is_meant: Callable[[Fields], bool]) -> float | None:
        return next((at for at, one in self._heard if is_meant(one)), None)

    def _listen(self) -> None:
        with contextlib.suppress(OSError, AssertionError):  # the node was killed
            while (one := self._client.receive()) is not None:
                if one["kind"] == "token":
                    self.token = one["token"]
                with self._changed:
                    self._heard.append((time.monotonic(), one))
                    self._changed.notify_all()
