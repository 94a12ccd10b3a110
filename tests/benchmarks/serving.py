"""A server under measurement, in a process of its own."""

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tests.support.running import UNMEASURED, free_port, listens, wait_until

INSTALLED = str(Path(sys.executable).parent / "sockctl")
"""The command, beside the interpreter that measures."""


@contextlib.contextmanager
def serving(folder: str, service: str, *options: str, interpreter: str = sys.executable) -> Iterator[tuple[int, int]]:
    """Run a server until the end, its files and its log in `folder`; yield its port and its process."""
    with started(folder, service, "--no-input", *options, interpreter=interpreter) as (port, process):
        yield port, process.pid


@contextlib.contextmanager
def started(
    folder: str, service: str, *options: str, interpreter: str = sys.executable, **streams: Any
) -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    """Run a server as `serving` does, with these streams; yield its port and its process, which may be stopped."""
    port = free_port()
    command = [
        *(interpreter, "-m", "sockctl", "serve", service, "--port", str(port), "--strict-port"),
        *("--data-dir", folder, "--log-file", f"{folder}/log", *options),
    ]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL, env=UNMEASURED, **streams) as process:
        try:
            wait_until(lambda: listens(port))
            yield port, process
        finally:
            process.kill()
