"""One process of the load tool: it reads its orders from standard input, and writes its results to standard output.

    in: the plan · go TIME · stop            out: {"ready"} · {"progress"} … · {"stats"}, or {"failed"}

Each is a line. The processes connect first. They begin together at the time that `go` names, on the monotonic clock,
which they share. At the end of its input the process stops at once: the process that started it is gone.
"""

import gc
import json
import math
import os
import sys
import time
from collections.abc import Callable
from itertools import islice
from typing import Any

from sockctl.bench.connector import make_securing
from sockctl.bench.loop import Loop
from sockctl.bench.pacing import Pacing
from sockctl.bench.plan import Kind, Plan
from sockctl.bench.pool import ClientPool, WorkerContext
from sockctl.bench.stats import Stats
from sockctl.deadline import Deadline
from sockctl.errors import BenchFailedError, SockctlError
from sockctl.net.poller import READABLE
from sockctl.os_limits import raise_descriptor_limit
from sockctl.terminal import write_all

AT_ONCE = 1_000
"""Messages on a clock that are sent before answers are read."""
STEP_S = 0.05
"""How long the process waits at most before it checks what else is due."""
CHECK_S = 0.1
PROGRESS_S = 0.25
PARTING_S = 0.5
"""How long the process waits for surplus bytes of a server."""
PATIENCE_S = 1.0
"""How long the process waits for answers after the user has stopped it."""
_INPUT, _OUTPUT = 0, 1

Tell = Callable[[dict[str, Any]], None]
MakePool = Callable[[WorkerContext], ClientPool]


class _StoppedError(Exception):
    """The process that started this one is gone."""


class Worker:
    """Carries out a plan.

    Args:
        plan: The plan.
        commands: The descriptor where `go` and `stop` come from.
        tell: Writes a result.
        make_pool: Makes the clients; None for those of the plan's kind.

    Raises:
        CertificateError: A file of TLS can't be used.
    """

    def __init__(self, plan: Plan, commands: int, tell: Tell, make_pool: MakePool | None = None) -> None:
        self._plan = plan
        self._commands = commands
        self._tell = tell
        self._pending = b""
        self._go = math.inf
        self._stopped: float | None = None
        self._stats = Stats()
        self._loop = Loop()
        self._pace = Pacing(plan, self._stats)
        secures = [make_securing(server.tls) for server in plan.servers]
        context = WorkerContext(plan, self._loop, self._pace, self._stats, secures)
        self._pool = (make_pool or _make_pool)(context)
        self._check_at = self._progress_at = 0.0

    def run(self) -> None:
        """Connect, wait for `go`, measure, and tell the stats; `stop` shortens each step."""
        self._loop.watch(self._commands, READABLE, self._read_commands)
        try:
            self._connect()
            if self._stopped is None:
                self._measure()
                self._drain()
                self._leave()
        except _StoppedError:
            return
        finally:
            self._pool.close()
            self._loop.close()
        self._tell({"stats": self._stats.as_fields()})

    def _connect(self) -> None:
        self._pool.open()
        while not self._pool.settle(time.monotonic()) and self._stopped is None:
            self._step(STEP_S)
        self._stats.clients = len(self._pool.here)
        self._pace.answers = self._pool.answers
        self._tell({"ready": self._stats.clients})
        while self._stopped is None and (left_s := self._go - time.monotonic()) > 0:
            self._step(min(left_s, STEP_S))

    def _measure(self) -> None:
        """Let all clients send until the time is up, or all messages have gone out."""
        pace, pool = self._pace, self._pool
        closed_loop = self._plan.rate is None
        pace.start(self._go)
        now = time.monotonic()
        used_s: tuple[float, float] | None = None
        if closed_loop:
            pool.begin(now)
        while not pace.is_over(now) and not pool.all_out and self._stopped is None:
            if used_s is None and now >= pace.measured_from:
                used_s = (now, time.process_time())
            self._say_what_is_due(now)
            pool.process_pending(now)
            self._step(min(STEP_S, pace.compute_wait_s(now), pace.until - now))
            now = time.monotonic()
        if self._stopped is not None:
            pace.stop(self._stopped)
        if not pool.all_out:
            self._say_what_is_due(now)  # before the end, though it is over by now
            self._stats.unsent = pace.unsent
        if used_s is not None:
            self._stats.cpu_of_s, self._stats.cpu_s = now - used_s[0], time.process_time() - used_s[1]
        if not pace.all_sent:  # else the last answer ends it
            self._stats.ended = max(self._stats.ended, min(now, pace.until), pace.measured_from)
        pace.stop(now)

    def _say_what_is_due(self, now: float) -> None:
        """Send messages that are due, at most `AT_ONCE`, so that the clients read answers in between."""
        for due in islice(self._pace.pop_due(now), AT_ONCE):
            self._pool.say(due)

    def _drain(self) -> None:
        """Wait for the remaining answers; the clients that have waited too long at its end fail."""
        until = time.monotonic() + self._plan.timeout_s
        while self._pool.awaits() and (now := time.monotonic()) < until:
            if self._stopped is not None and now > self._stopped + PATIENCE_S:
                break
            self._pool.process_pending(now)
            self._step(STEP_S)
        self._pool.check_timeouts(time.monotonic())

    def _leave(self) -> None:
        """Leave; wait a moment for surplus bytes."""
        if self._pool.leave():
            until = Deadline.after(PARTING_S)
            while not self._pool.all_out and not until.has_passed:
                self._step(STEP_S)

    def _step(self, wait_s: float) -> None:
        self._loop.step(wait_s)
        now = time.monotonic()
        if now >= self._check_at:
            self._check_at = now + CHECK_S
            self._pool.check_timeouts(now)
        if self._plan.progress and now >= self._progress_at:
            self._progress_at = now + PROGRESS_S
            stats = self._stats
            p99_s = stats.latencies.find_percentile_s(99)  # it takes 0.1 ms: too little to be seen in a p99.9
            self._tell({"progress": {"answered": stats.answered, "errors": stats.errors.total(), "p99_s": p99_s}})

    def _read_commands(self, _: int) -> None:
        data = os.read(self._commands, 4096)
        if not data:
            raise _StoppedError
        *lines, self._pending = (self._pending + data).split(b"\n")
        for line in lines:
            word, _space, rest = line.decode().partition(" ")
            if word == "go":
                self._go = float(rest)
            elif word == "stop":
                self._stopped = time.monotonic()


def _make_pool(context: WorkerContext) -> ClientPool:
    match context.plan.kind:
        case Kind.ECHO if context.plan.udp:
            from sockctl.bench.datagrams import DatagramPool  # noqa: PLC0415

            return DatagramPool(context)
        case Kind.ECHO:
            from sockctl.bench.echo import EchoPool  # noqa: PLC0415  each loads its own only

            return EchoPool(context)
        case Kind.CHAT:
            from sockctl.bench.chat import ChatPool  # noqa: PLC0415

            return ChatPool(context)
        case Kind.LOGIN:
            from sockctl.bench.login import LoginPool  # noqa: PLC0415

            return LoginPool(context)


def main(make_pool: MakePool | None = None) -> None:
    """Run a process of the load tool; `make_pool` as for `Worker`."""
    try:
        plan = Plan.from_json(_read_first_line())
        needed, limit = raise_descriptor_limit(plan.clients)
        if limit < needed:
            raise BenchFailedError(
                f"{plan.clients:,} clients need {needed:,} open files, and the system allows {limit:,} a process: "
                f"raise the limit (ulimit -n), or use more --processes."
            )
        worker = Worker(plan, _INPUT, _tell, make_pool)
        gc.collect()
        gc.freeze()
        gc.disable()  # what is made here is freed without it, and its pauses would be measured
        worker.run()
    except SockctlError as error:
        _tell({"failed": str(error)})
    except BrokenPipeError:
        sys.exit(1)  # the process that started it is gone


def _read_first_line() -> str:
    line = b""
    while not line.endswith(b"\n"):
        piece = os.read(_INPUT, 1)
        if not piece:
            sys.exit(1)
        line += piece
    return line.decode()


def _tell(fields: dict[str, Any]) -> None:
    write_all(_OUTPUT, json.dumps(fields).encode() + b"\n")
