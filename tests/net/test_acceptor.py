"""Accepting: refusals as sums, and a system that runs dry."""

import errno
import os
import resource
import socket
import time
from pathlib import Path
from typing import Any, ClassVar

from sockctl.events.reasons import RefusalReason
from sockctl.net.access_rules import AccessRules
from sockctl.net.limits import Limits, Timeouts
from sockctl.net.server import Server
from sockctl.services.echo import Echo
from tests.support.raw_services import MANY
from tests.support.running import (
    TIMEOUT_S,
    receive_all,
    receive_exactly,
    running,
    wait_until,
)


def test_1024_refused_clients_and_then_an_allowed_one() -> None:
    limits = Limits(rules=AccessRules(deny=["127.0.0.1"]), max_clients=1)
    with running(Echo(), limits) as run:
        for _ in range(1024):
            with run.client(source="127.0.0.1") as sock:
                assert receive_all(sock) == b""
        with run.client(source="127.0.0.2") as sock:
            sock.sendall(b"a")
            assert receive_exactly(sock, 1) == b"a"
        run.stop()
        singly, sums = run.sink.named("client_refused"), run.sink.named("clients_refused")
        assert len(singly) + sum(event.count for event in sums) == 1024
        assert {event.reason for event in singly} == {RefusalReason.DENIED}
        assert all(set(event.reasons) == {RefusalReason.DENIED} for event in sums)
        assert len(singly) + len(sums) < 500, "beyond ten a second they become sums"


def test_a_sum_of_refusals_is_told_while_nobody_comes() -> None:
    with running(Echo(), Limits(rules=AccessRules(deny=["127.0.0.1"]), refusals_per_second=0)) as run:
        for _ in range(5):
            with run.client() as sock:
                receive_all(sock)
        wait_until(lambda: sum(event.count for event in run.sink.named("clients_refused")) == 5)


def test_out_of_descriptors_and_recovery() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    with running(Echo(), MANY, Timeouts(accept_retry_s=0.05)) as run, run.client() as before:
        before.sendall(b"a")
        receive_exactly(before, 1)
        late = socket.socket()
        late.settimeout(TIMEOUT_S)
        highest = max(int(entry.name) for entry in Path("/dev/fd").iterdir())
        fillers = [os.dup(0) for _ in range(highest)]
        top = max(fillers)
        resource.setrlimit(resource.RLIMIT_NOFILE, (top + 1, hard))
        try:
            late.connect((run.host, run.port))
            paused = run.sink.wait_for("accept_paused")[0]
            assert "Too many open files" in paused.error
            before.sendall(b"b")
            assert receive_exactly(before, 1) == b"b"
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
            for descriptor in fillers:
                os.close(descriptor)
        late.sendall(b"c")
        assert receive_exactly(late, 1) == b"c"
        run.sink.wait_for("accept_resumed")
        late.close()


class WithoutDescriptors(Server):
    """A server that the system gives no descriptor: each second time, or never."""

    every_time: ClassVar[bool] = True
    calls = 0

    def get_request(self) -> tuple[socket.socket, Any]:
        self.calls += 1
        if self.every_time or self.calls % 2:
            raise OSError(errno.EMFILE, "Too many open files")
        return super().get_request()


def test_a_stop_does_not_wait_for_descriptors() -> None:
    with running(Echo(), make_server=WithoutDescriptors) as run, run.client():
        run.sink.wait_for("accept_paused")
        started = time.monotonic()
        assert run.stop(TIMEOUT_S)
        assert time.monotonic() - started < TIMEOUT_S / 2


class WithoutEverySecondDescriptor(WithoutDescriptors):
    every_time = False


def test_pauses_are_told_once_a_second_and_only_where_somebody_waits() -> None:
    with running(Echo(), MANY, Timeouts(accept_retry_s=0.02), make_server=WithoutEverySecondDescriptor) as run:
        started = time.monotonic()
        while time.monotonic() - started < 2.5:
            with run.client() as sock:
                sock.sendall(b"a")
                receive_exactly(sock, 1)
        run.sink.wait_for("accept_resumed")
        told = run.sink.named("accept_paused") + run.sink.named("accept_resumed")
        assert 2 <= len(told) <= time.monotonic() - started + 1
