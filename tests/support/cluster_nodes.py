"""Nodes of one chat as processes: each has a proxy of its own in front of the engine that they share."""

import contextlib
import json
import signal
import subprocess
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TypeVar

from sockctl.cli.exit_codes import ExitCode
from sockctl.cluster.engine import Engine
from sockctl.cluster.keys import NODES
from sockctl.cluster.registry import bury
from tests.support.engines import DURABLE, EVERY_SECOND, FORGETFUL, RedisServer, redis_server
from tests.support.processes import NODE, Popen
from tests.support.running import START_S, TIMEOUT_S, UNMEASURED, connect, free_port, wait_until
from tests.support.sentinels import Watched
from tests.support.star import Star
from tests.support.tcp_proxy import TcpProxy, tcp_proxy
from tests.support.two_hosts import Host

ENGINES = {"always": DURABLE, "everysec": EVERY_SECOND, "none": FORGETFUL}
"""The settings of an engine, by what they are called."""


_Made = TypeVar("_Made")


class ChatNode:
    """A node: ``sockctl serve chat --cluster``, on a port that stays the same.

    Args:
        folder: Where its log is.
        name: Its name.
        url: The engine.
        mutant: The fault that it is built with; see `tests.support.node_entry`.
        times: Its times, by name; see there.
        machine: The machine that it runs on; None for this one.
        more: More options.
    """

    def __init__(
        self,
        folder: Path,
        name: str,
        url: str,
        *,
        mutant: str = "none",
        times: str = "patient",
        machine: Host | None = None,
        more: Sequence[str] = (),
    ) -> None:
        self.name = name
        self.machine = machine
        self.port = free_port()
        self.log = folder / f"{name}.log"
        serve = ["serve", "chat", "--cluster", url, "--node", name, "--port", str(self.port), "--strict-port"]
        rules = ["--no-flood-limit", "--history", "10000", "--log-format", "json"]
        self._command = [*NODE, mutant, times, *serve, *rules, *more, "--data-dir", str(folder / name)]
        self._process: Popen | None = None

    def start(self, *, wait: bool = True) -> None:
        """Start it, and wait until it lets clients in. Most nodes are killed, which leaves coverage no data."""
        with self.log.open("ab") as log:
            self._process = self._there(
                lambda: Popen(self._command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=UNMEASURED)
            )
        if wait:
            self.wait_until_ready()

    def wait_until_ready(self) -> None:
        """Wait until it lets clients in."""
        wait_until(self._is_ready, timeout_s=START_S, what=f"that {self.name} lets clients in")
        assert not self._has_ended(), f"{self.name} has ended; see {self.log}:\n{self.log.read_text()[-2000:]}"

    def _is_ready(self) -> bool:
        """Start it again where a busy machine didn't let the engine answer within the node's times."""
        code = None if self._process is None else self._process.poll()
        if code == ExitCode.TIMED_OUT:
            self.start(wait=False)
            return False
        return self._process is None or code is not None or self._there(lambda: greets(self.port))

    def send(self, number: signal.Signals) -> None:
        """Send it a signal."""
        assert self._process is not None
        self._process.send_signal(number)

    def kill(self) -> None:
        """Kill it, if it runs."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(TIMEOUT_S)
            self._process = None

    def terminate(self) -> int:
        """Ask it to stop, wait for that, and return the exit code."""
        assert self._process is not None
        self.send(signal.SIGTERM)
        code = self._process.wait(TIMEOUT_S)
        self._process = None
        return code

    def events(self, name: str) -> list[dict[str, object]]:
        """Return the events of that name that it has told so far."""
        lines = self.log.read_text().splitlines() if self.log.exists() else []
        events = [json.loads(line) for line in lines if line.startswith("{") and line.endswith("}")]
        return [one for one in events if one["event"] == name]

    def _there(self, call: Callable[[], _Made]) -> _Made:
        return call() if self.machine is None else self.machine.call(call)

    def _has_ended(self) -> bool:
        return self._process is None or self._process.poll() is not None


def greets(port: int) -> bool:
    """Return whether a node lets clients in; one that is starting listens already, and may yet end."""
    try:
        with connect(port) as sock:
            return bool(sock.recv(1))
    except OSError:
        return False


class Cluster:
    """An engine, nodes, and their proxies."""

    def __init__(self, engine: RedisServer, nodes: Sequence[ChatNode], proxies: Sequence[TcpProxy]) -> None:
        self.engine = engine
        self.nodes = nodes
        self.proxies = proxies

    @property
    def ports(self) -> list[int]:
        """Where the nodes listen."""
        return [each.port for each in self.nodes]

    def bury(self, node: ChatNode) -> None:
        """Let a node's lease be over at once, and let the others know."""
        with contextlib.closing(Engine(self.engine.access())) as engine:
            for name in engine.ask("ZRANGE", NODES, 0, -1):
                if name.decode().startswith(f"{node.name}."):
                    engine.ask("ZADD", NODES, "XX", 1, name)
                    assert bury(engine, name.decode())


@contextlib.contextmanager
def running_cluster(
    folder: Path,
    *,
    nodes: int = 3,
    engine: str = "always",
    mutant: str = "none",
    times: str = "patient",
    settings: Sequence[str] = (),
) -> Iterator[Cluster]:
    """Run a chat on several nodes; all of them accept connections.

    Args:
        folder: Where everything is kept.
        nodes: How many there are.
        engine: The engine's settings, by name.
        mutant: The fault that the nodes are built with.
        times: The times of the nodes, by name.
        settings: More settings of the engine.
    """
    with contextlib.ExitStack() as stack:
        (folder / "engine").mkdir()
        server = stack.enter_context(redis_server(folder / "engine", *ENGINES[engine], *settings))
        proxies = [stack.enter_context(tcp_proxy(server.port)) for _ in range(nodes)]
        made = [
            ChatNode(folder, f"n{number}", f"redis://127.0.0.1:{proxy.port}", mutant=mutant, times=times)
            for number, proxy in enumerate(proxies, 1)
        ]
        start_all(made, stack)
        yield Cluster(server, made, proxies)


@contextlib.contextmanager
def running_apart(folder: Path, machines: Star, *, times: str = "patient") -> Iterator[Cluster]:
    """Run a chat with a node on each machine around, and the engine on the one in the middle; without proxies.

    `times` are those of the nodes, by name.
    """
    with contextlib.ExitStack() as stack:
        (folder / "engine").mkdir()
        with machines.middle.here():
            server = stack.enter_context(
                redis_server(folder / "engine", *DURABLE, "--bind", "*", "--protected-mode", "no")
            )
        made = [
            ChatNode(
                folder, f"n{number}", f"redis://{machines.address(number)}:{server.port}", times=times, machine=machine
            )
            for number, machine in enumerate(machines.around)
        ]
        start_all(made, stack)
        yield Cluster(server, made, ())


@contextlib.contextmanager
def running_watched(folder: Path, watched: Watched, *, nodes: int = 3) -> Iterator[Cluster]:
    """Run a chat whose engines are watched by Sentinels; without proxies."""
    with contextlib.ExitStack() as stack:
        made = [ChatNode(folder, f"n{number}", watched.url, times="lasting") for number in range(nodes)]
        start_all(made, stack)
        yield Cluster(watched.engines[0], made, ())


def start_all(nodes: Sequence[ChatNode], stack: contextlib.ExitStack) -> None:
    """Start nodes at once, and wait until all of them accept connections; `stack` ends them."""
    for each in nodes:
        stack.callback(each.kill)
        each.start(wait=False)
    for each in nodes:
        each.wait_until_ready()
