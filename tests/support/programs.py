"""A server that starts a program for each client, in this process."""

import contextlib
import os
import socket
import sys
from collections.abc import Iterator
from typing import Any

from sockctl.net.limits import Timeouts
from sockctl.services.exec import Exec
from sockctl.services.program import Patience
from sockctl.services.request_gate import HOLD_S
from tests.support.running import (
    LINGER_S,
    TIMEOUT_S,
    Running,
    running,
    wait_until,
)

ENVIRONMENT = {"PATH": os.environ["PATH"]}
QUICK = Patience(end_s=0.05, terminate_s=0.1, last_output_s=0.1)
PATIENT = Patience(end_s=TIMEOUT_S, terminate_s=TIMEOUT_S, last_output_s=TIMEOUT_S)
ENDED_BY_SERVER = "the server ended it with its connection"
NEVER_READS = "import os; os.write(1, b'up'); import time; time.sleep(60)"


@contextlib.contextmanager
def serving(
    *argv: str,
    max_programs: int = 4,
    patience: Patience = QUICK,
    idle_s: float | None = None,
    half_close_s: float | None = None,
    hold_s: float = HOLD_S,
    **options: Any,
) -> Iterator[Running]:
    service = Exec(
        argv,
        environment=ENVIRONMENT,
        max_programs=max_programs,
        patience=patience,
        half_close_s=half_close_s,
        hold_s=hold_s,
    )
    with running(service, timeouts=Timeouts(linger_s=LINGER_S, idle_s=idle_s), **options) as run:
        yield run


REQUEST = b"POST / HTTP/1.1\r\nHost: localhost:9090\r\nOrigin: http://page.example\r\n\r\necho evil\n"


def sh(script: str) -> tuple[str, ...]:
    return "sh", "-c", script


def python(code: str) -> tuple[str, ...]:
    return sys.executable, "-S", "-c", code


def reset(sock: socket.socket) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    sock.close()


def group_is_empty(pid: int) -> bool:
    try:
        os.killpg(pid, 0)
    except ProcessLookupError:
        return True
    return False


def ended(run: Running, count: int = 1) -> Any:
    """Return the event that the last program has ended, once its whole group has."""
    event = run.sink.wait_for("program_ended", count)[-1]
    if event.pid:
        wait_until(lambda: group_is_empty(event.pid), what="the end of the process group")
    return event


def reason(run: Running, count: int = 1) -> Any:
    return run.sink.wait_for("client_disconnected", count)[-1].reason
