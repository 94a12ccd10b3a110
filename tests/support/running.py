"""Servers and commands under test: started, waited for, and ended in any case."""

import contextlib
import json
import os
import queue
import random
import re
import select
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from sockctl.events.base import Event, Level, Record
from sockctl.events.journal import Journal
from sockctl.net.door import Door
from sockctl.net.event_loop import EventLoop
from sockctl.net.limits import Limits, Timeouts
from sockctl.net.listener import SocketOptions, open_listeners
from sockctl.net.server import Server
from sockctl.net.service import Service
from sockctl.net.transport import TlsTransport
from tests.support import processes
from tests.support.processes import Popen
from tests.support.two_hosts import on_the_server, server_address

TIMEOUT_S = 20.0
START_S = 60.0
"""How long a command may take to start: machines that test are busy."""
UNSUMMED = 1_000_000
"""Events a second that a journal emits one by one, for tests that count the events of one address."""
UNMEASURED = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE")}
"""The environment for a process that coverage must not measure: it loads modules, takes memory and writes a file."""
SOCKCTL = processes.SOCKCTL
_SCHED_CLOCK = 2
"""The kernel's number for the processor time that a whole process has used (CPUCLOCK_SCHED)."""
LINGER_S = 0.2
"""How long a server in this process lingers where a test gives it no timeouts: many tests wait for that to end."""

LATE_CHOICE = Timeouts(linger_s=LINGER_S, choice_s=TIMEOUT_S)
"""For clients to which the server has nothing more to say, and whose first byte may come late on a busy machine."""


class MemorySink:
    """Keeps the journal's records, and lets tests wait for them."""

    def __init__(self) -> None:
        self.records: list[Record] = []
        self._changed = threading.Condition()

    def write(self, records: Sequence[Record]) -> None:
        with self._changed:
            self.records += records
            self._changed.notify_all()

    def close(self) -> None:
        pass

    @property
    def events(self) -> list[Event]:
        with self._changed:
            return [record.event for record in self.records]

    def named(self, name: str) -> list[Any]:
        return [event for event in self.events if event.name == name]

    def wait_for(self, name: str, count: int = 1, *, timeout_s: float = TIMEOUT_S) -> list[Any]:
        """Wait until `count` events of that name were emitted, and return them."""
        with self._changed:
            told = self._changed.wait_for(lambda: len(self._named(name)) >= count, timeout_s)
            assert told, f"{count} {name} did not come; there were {[record.event.name for record in self.records]}"
            return self._named(name)

    def _named(self, name: str) -> list[Any]:
        return [record.event for record in self.records if record.event.name == name]


class Running:
    """A server in this process."""

    def __init__(
        self, server: Server, sink: MemorySink, host: str, port: int, *, service: Service, journal: Journal
    ) -> None:
        self.service = service
        self.journal = journal
        self.server = server
        self.sink = sink
        self.host = host
        self.port = port
        self.stopped: bool | None = None

    def client(self, *, source: str = "") -> socket.socket:
        sock = socket.create_connection((self.host, self.port), TIMEOUT_S, (source, 0) if source else None)
        sock.settimeout(TIMEOUT_S)
        return sock

    def stop(self, drain_timeout_s: float = 5.0) -> bool:
        if self.stopped is None:
            self.stopped = self.server.stop(drain_timeout_s)
            if self.journal.emits(Level.INFO):
                self.sink.wait_for("server_stopped")
        return self.stopped


@contextlib.contextmanager
def running(
    service: Service,
    limits: Limits | None = None,
    timeouts: Timeouts | None = None,
    *,
    level: Level = Level.DETAIL,
    host: str | None = None,
    options: SocketOptions | None = None,
    secure: Callable[[socket.socket], TlsTransport] | None = None,
    make_server: type[Server] = Server,
    make_event_loop: Any = EventLoop,
    make_doors: Callable[[Service, Journal], Sequence[Door]] = lambda *_: (),
) -> Iterator[Running]:
    sink = MemorySink()
    journal = Journal(sink, service=service.name, level=level, per_second=UNSUMMED)
    host = server_address() if host is None else host
    listeners = on_the_server(lambda: open_listeners(host, 0, options=options))
    server = make_server(
        service,
        listeners,
        journal,
        limits or Limits(),
        timeouts or Timeouts(linger_s=LINGER_S),
        secure=secure,
        doors=make_doors(service, journal),
        make_event_loop=make_event_loop,
    )
    server.start()
    run = Running(server, sink, host, listeners.port, service=service, journal=journal)
    try:
        yield run
    finally:
        run.stop(0.5)
        journal.close()


def receive_all(sock: socket.socket) -> bytes:
    """Receive until the other side ends."""
    parts = []
    while part := sock.recv(65_536):
        parts.append(part)
    return b"".join(parts)


def send_and_half_close(sock: socket.socket, data: bytes) -> None:
    sock.sendall(data)
    sock.shutdown(socket.SHUT_WR)


def receive_exactly(sock: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        part = sock.recv(count - len(data))
        assert part, f"the connection ended after {len(data)} of {count} bytes"
        data += part
    return data


def wait_until(condition: Callable[[], bool], *, timeout_s: float = TIMEOUT_S, what: str = "the condition") -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not come true within {timeout_s} s"
        time.sleep(0.005)


def listens(port: int) -> bool:
    """Return whether a server accepts connections on a port."""
    try:
        connect(port).close()
    except OSError:
        return False
    return True


class Process:
    """A sockctl server in a process of its own, whose standard error is read line by line."""

    def __init__(self, *arguments: str, **options: Any) -> None:
        options.setdefault("stdin", subprocess.DEVNULL)
        self.process = Popen(self.command(*arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE, **options)
        self.lines: list[str] = []
        self._queue: queue.Queue[str | None] = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def command(self, *arguments: str) -> list[str]:
        """Return the command to run."""
        return [*SOCKCTL, *arguments]

    def _read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self._queue.put(line.decode().rstrip("\n"))
        self._queue.put(None)

    @property
    def events(self) -> list[str]:
        """The names of the events that were read so far, of a process that writes them as JSON."""
        return [json.loads(line)["event"] for line in self.lines if line.startswith("{")]

    def wait_for(self, pattern: str, *, timeout_s: float = START_S) -> re.Match[str]:
        """Wait for a line of standard error that matches, and return the match."""
        deadline = time.monotonic() + timeout_s
        while True:
            try:
                line = self._queue.get(timeout=max(0.01, deadline - time.monotonic()))
            except queue.Empty:
                line = None
            assert line is not None, f"{pattern!r} did not come; there was:\n" + "\n".join(self.lines)
            self.lines.append(line)
            if match := re.search(pattern, line):
                return match

    def has_told(self, pattern: str) -> None:
        """Wait for a line that matches, unless one has come already."""
        if not any(re.search(pattern, line) for line in self.lines):
            self.wait_for(pattern)

    def count(self, pattern: str) -> int:
        """Return how many lines that have come so far match; don't wait."""
        while not self._queue.empty():
            line = self._queue.get()
            if line is None:
                self._queue.put(None)  # the end, for those who wait
                break
            self.lines.append(line)
        return sum(re.search(pattern, line) is not None for line in self.lines)

    def event(self, name: str, *, timeout_s: float = START_S) -> dict[str, Any]:
        """Wait for an event, with ``--log-format json``."""
        self.wait_for(f'"event": "{name}"', timeout_s=timeout_s)
        event: dict[str, Any] = json.loads(self.lines[-1])
        return event

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal, then as `wait`."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        return self.wait()

    def wait(self) -> int:
        """Wait for the end and return the exit code; all lines are in `lines` then."""
        code = self.process.wait(START_S)
        self._reader.join(TIMEOUT_S)
        while (line := self._queue.get(timeout=TIMEOUT_S)) is not None:
            self.lines.append(line)
        return code

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(TIMEOUT_S)
        self._reader.join(TIMEOUT_S)
        for stream in (self.process.stdout, self.process.stderr):
            assert stream is not None
            stream.close()


def stall(run: Process, sock: socket.socket) -> int:
    """Send without reading until a server that tells details reads no more; return how many bytes were taken."""
    deadline = time.monotonic() + TIMEOUT_S
    sock.setblocking(False)
    taken = 0
    while select.select([], [sock], [], 0.3)[1] or run.count("reading_paused") <= run.count("reading_resumed"):
        assert time.monotonic() < deadline, f"the server reads on after {taken} bytes"
        with contextlib.suppress(BlockingIOError):
            taken += sock.send(bytes(65_536))
    return taken


@contextlib.contextmanager
def process(*arguments: str, **options: Any) -> Iterator[Process]:
    run = on_the_server(lambda: Process(*arguments, **options))
    try:
        yield run
    finally:
        run.close()


@contextlib.contextmanager
def server_process(service: str, *arguments: str, **options: Any) -> Iterator[tuple[Process, int]]:
    """Start a server on a free port, with its events as JSON; return it with the port."""
    with process("serve", service, "--port", "0", "--log-format", "json", *arguments, **options) as run:
        yield run, int(run.event("listening", timeout_s=START_S)["port"])


def echo_process(*arguments: str, **options: Any) -> contextlib.AbstractContextManager[tuple[Process, int]]:
    """Start ``serve echo``, as `server_process` does."""
    return server_process("echo", *arguments, **options)


def sockctl(*arguments: str, stdin: bytes = b"", **options: Any) -> subprocess.CompletedProcess[bytes]:
    """Run a command to its end."""
    command = [*SOCKCTL, *arguments]
    options.setdefault("stdout", subprocess.PIPE)
    options.setdefault("stderr", subprocess.PIPE)
    with Popen(command, stdin=subprocess.PIPE, **options) as run:
        try:
            output, errors = run.communicate(stdin, 60)
        except subprocess.TimeoutExpired:
            run.kill()
            raise
    return subprocess.CompletedProcess(command, run.returncode, output, errors)


def connect(port: int, host: str = "") -> socket.socket:
    sock = socket.create_connection((host or server_address(), port), TIMEOUT_S)
    sock.settimeout(TIMEOUT_S)
    return sock


def exchange(port: int, data: bytes) -> bytes:
    """Send `data`, half-close, and return all that comes back."""
    with connect(port) as sock:
        send_and_half_close(sock, data)
        return receive_all(sock)


CLOSED_PORT = 1
"""A port without a listener: tcpmux (RFC 1078), which is out of use, and which the system never assigns."""


_WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0")[2:])
_CHOSEN_PORTS = range(10_000 + _WORKER, 32_768, int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")))
"""Below what systems assign for port 0, so what looks for a port of these reaches no other test's listener.

Each worker has ports of its own: no other one takes a port before its server listens there, or while it is away.
"""


def free_port() -> int:
    """Return a port that was free just now, for a server to listen on; the system assigns it to nobody else."""
    while True:
        port = random.SystemRandom().choice(_CHOSEN_PORTS)  # no seed: other runs must differ
        with socket.socket() as sock, contextlib.suppress(OSError):
            sock.bind(("127.0.0.1", port))
            return port


def cpu_seconds(pid: int) -> float:
    """Return the processor time that a process has used, on Linux."""
    return time.clock_gettime((~pid << 3) | _SCHED_CLOCK)


def read_memory_kb(pid: int) -> int:
    """Return the memory that a process alone has written to, on Linux, in KiB."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss_Anon:"):
            return int(line.split()[1])
    return 0
