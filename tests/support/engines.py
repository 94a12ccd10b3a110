"""Engines for tests: a redis-server of the test's own, and scripted ones that give odd answers."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from sockctl.cluster.engine import Engine
from sockctl.cluster.engine_access import EngineAccess, EngineLogin
from sockctl.errors import EngineError, EngineTimeoutError
from tests.support.running import START_S, TIMEOUT_S, free_port, wait_until
from tests.support.tools import tool
from tests.support.wrong_servers import serving

DURABLE = ("--appendonly", "yes", "--appendfsync", "always")
"""The settings that lose nothing."""
EVERY_SECOND = ("--appendonly", "yes", "--appendfsync", "everysec")
"""The settings that lose a second, with the machine."""
FORGETFUL = ("--appendonly", "no")
"""The settings that lose all, with the process."""
_Made = TypeVar("_Made")
INFO = "redis_version:7.0.15\r\nrole:master\r\naof_enabled:1\r\nmaxmemory:0\r\nmaxmemory_policy:noeviction\r\n"
"""What a scripted engine tells of itself."""


class RedisServer:
    """A redis-server on a port of loopback, 0 for a free one, with a folder of its own."""

    def __init__(self, folder: Path, *settings: str, plain: bool = True, port: int = 0) -> None:
        self.port = port or free_port()
        self._folder = folder
        self._settings = settings
        self._plain = plain
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it has loaded its data."""
        port = str(self.port)
        ports = ["--port", port] if self._plain else ["--port", "0", "--tls-port", port]
        place = ["--bind", "127.0.0.1", "--dir", str(self._folder), "--logfile", "", "--save", ""]
        command = [tool("redis-server", "redis-server"), *ports, *place, *self._settings]
        self._process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_until(self._answers, timeout_s=START_S, what="the engine's first answer")

    def kill(self) -> None:
        """Kill it, and wait for its end."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(TIMEOUT_S)
            self._process = None

    @contextlib.contextmanager
    def stopped(self) -> Iterator[None]:
        """Stop its process meanwhile: its connections stay, and it answers nothing."""
        os.kill(self.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self.pid, signal.SIGCONT)

    def lose(self, size_bytes: int) -> None:
        """Cut the end off its append-only file, while it is down: as if the whole machine had crashed."""
        (path,) = self._folder.glob("appendonlydir/*.incr.aof")
        os.truncate(path, max(0, path.stat().st_size - size_bytes))

    @property
    def pid(self) -> int:
        """The process."""
        assert self._process is not None
        return self._process.pid

    @property
    def url(self) -> str:
        """The URL, for a command."""
        return f"redis{'' if self._plain else 's'}://localhost:{self.port}"

    def access(self, user: str = "", password: str = "", **more: Any) -> EngineAccess:
        """Return the way to it."""
        login = EngineLogin(user=user, password=password) if user else None
        return EngineAccess(
            **{
                "host": "localhost",
                "port": self.port,
                "login": login,
                "tls": not self._plain,
                "timeout_s": 10.0,
                **more,
            }
        )

    def ask(self, *words: str | int) -> Any:
        """Send it a request over a connection of its own."""
        with contextlib.closing(Engine(self.access())) as engine:
            return engine.ask(*words)

    def _answers(self) -> bool:
        if not self._plain:
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", self.port), TIMEOUT_S).close()
                return True
            return False
        with contextlib.suppress(EngineError):
            return bool(self.ask("PING") == b"PONG")
        return False


@contextlib.contextmanager
def redis_server(folder: Path, *settings: str, plain: bool = True, port: int = 0) -> Iterator[RedisServer]:
    """Run a redis-server with these settings; without `plain`, it speaks TLS alone."""
    server = RedisServer(folder, *settings, plain=plain, port=port)
    try:
        server.start()
        yield server
    finally:
        server.kill()


def patiently(call: Callable[[], _Made]) -> _Made:
    """Call, and call again as long as a busy machine doesn't let the engine answer in the caller's short time."""
    until = time.monotonic() + TIMEOUT_S
    while True:
        try:
            return call()
        except EngineTimeoutError:
            if time.monotonic() > until:
                raise


Replies = Mapping[str, bytes] | Callable[[Sequence[str]], bytes]


def bulk(text: str) -> bytes:
    """Return a text as an engine sends it."""
    return f"${len(text.encode())}\r\n{text}\r\n".encode()


@contextlib.contextmanager
def scripted_engine(replies: Replies, *, requests: list[str] | None = None) -> Iterator[EngineAccess]:
    """Run an engine that answers as it is told, by the first word of a request, and ``+OK`` to any other.

    An empty answer closes the connection instead. `requests` gets each request.
    """

    def handle(sock: socket.socket) -> None:
        with sock.makefile("rb") as stream:
            while request := _read_request(stream):
                if requests is not None:
                    requests.append(" ".join(request))
                reply = replies(request) if callable(replies) else replies.get(request[0], b"+OK\r\n")
                if not reply:
                    return
                sock.sendall(reply)

    with serving(handle) as port:
        yield EngineAccess(host="127.0.0.1", port=port, timeout_s=10.0)


def tls_settings(certificate: Path, key: Path, *, clients: bool = True) -> list[str]:
    """Return the settings of TLS, with the certificate as the authority; with `clients`, they need one, too."""
    files = ["--tls-cert-file", str(certificate), "--tls-key-file", str(key), "--tls-ca-cert-file", str(certificate)]
    return [*files, "--tls-auth-clients", "yes" if clients else "no"]


def healthy(**changes: bytes) -> dict[str, bytes]:
    """Return the replies of an engine with which nothing is wrong, but for `changes`."""
    config = b"*4\r\n" + b"".join(map(bulk, ("appendfsync", "always", "save", "")))
    return {"INFO": bulk(INFO), "CONFIG": config, **changes}


def _read_request(stream: Any) -> list[str]:
    head = stream.readline()
    if not head.startswith(b"*"):
        return []
    words = []
    for _ in range(int(head[1:])):
        size = int(stream.readline()[1:])
        words.append(stream.read(size + 2)[:size].decode())
    return words


def run_in_shell(line: str) -> str:
    """Run a line of redis-cli that a check tells, as a user does; return its output."""
    tool("redis-cli", "redis-tools")
    done = subprocess.run(line, shell=True, capture_output=True, text=True, timeout=TIMEOUT_S, check=True)  # noqa: S602
    return done.stdout


def run_without_library(folder: Path, *arguments: str, name: str = "redis") -> subprocess.CompletedProcess[str]:
    """Run a command where a library is not installed; a module in `folder` stands in the way."""
    (folder / name).mkdir()
    (folder / name / "__init__.py").write_text(f"raise ModuleNotFoundError('no', name={name!r})\n")
    return subprocess.run(
        [sys.executable, "-m", "sockctl", *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
        env={**without_engine_variables(), "PYTHONPATH": str(folder)},
    )


def without_engine_variables() -> dict[str, str]:
    """Return the environment without a login of an engine."""
    return {name: value for name, value in os.environ.items() if not name.startswith("SOCKCTL_ENGINE")}
