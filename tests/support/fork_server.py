"""Forks sockctl from a process that has imported all of it: the program behind `tests.support.processes`.

It takes requests as JSON, with descriptors, from the socket whose number is its argument, and answers with the id of
the new process. Coverage measures the new process where its environment asks for that, as in any other; its
configuration is the second argument, if the tests themselves are measured.
"""

import atexit
import ctypes
import fcntl
import gc
import json
import os
import pkgutil
import runpy
import socket
import sys
import termios
import threading
from importlib import import_module
from typing import Any

import coverage

import sockctl

REQUEST_BYTES = 200_000
"""The longest request, below net.core.wmem_default: it holds the arguments and the environment."""
_DESCRIPTORS = 64
_CLONE_NEWNET = 0x40000000  # linux/sched.h; os.setns has it from Python 3.12 on
_ALSO = (
    *("argon2", "cryptography.x509", "encodings.idna", "prompt_toolkit.shortcuts", "ssl", "sqlite3", "zxcvbn"),
    *("rich.console", "rich.markdown", "rich.panel", "rich.progress", "rich.table"),
)


def _import_all() -> None:
    for module in pkgutil.walk_packages(sockctl.__path__, "sockctl."):
        if module.name != "sockctl.__main__":
            import_module(module.name)
    for name in _ALSO:
        import_module(name)


def _fork_for_each(requests: socket.socket) -> dict[str, Any] | None:
    """Return the request in the process that it asks for, and None in the fork server after its last request."""
    while True:
        packet, descriptors, _, _ = socket.recv_fds(requests, REQUEST_BYTES, _DESCRIPTORS)
        if not packet:
            return None
        answer, number = os.pipe()
        between = os.fork()
        if between == 0:
            child = os.fork()
            if child == 0:
                request: dict[str, Any] = json.loads(packet)
                _become(request, descriptors)
                requests.detach()
                return request
            os.write(number, str(child).encode())
            os._exit(0)
        os.waitpid(between, 0)  # from here on the new process is the test worker's child
        requests.send(os.read(answer, 100))
        for descriptor in (answer, number, *descriptors):
            os.close(descriptor)


def _become(request: dict[str, Any], descriptors: list[int]) -> None:
    """Take the descriptors, the network, the session, the terminal, the directory and the environment of a request."""
    kept = [0, 1, 2, *request["passed"]]
    if len(descriptors) > len(kept):
        _enter_network(descriptors.pop())
    moved = [fcntl.fcntl(descriptor, fcntl.F_DUPFD, max(kept) + 1) for descriptor in descriptors]
    for number, descriptor in zip(kept, moved, strict=True):
        os.dup2(descriptor, number)
    ordered = sorted(kept)
    for below, above in zip(ordered, [*ordered[1:], max(moved) + 1], strict=True):
        os.closerange(below + 1, above)
    if request["new_session"]:
        os.setsid()
    if request["terminal"]:
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)
    os.chdir(request["directory"])
    os.environ.clear()
    os.environ.update(request["environment"])
    sys.path[0] = request["directory"]
    sys.argv[1:] = request["arguments"]
    sys.stdout.reconfigure(line_buffering=sys.stdout.isatty())  # type: ignore[union-attr]  # a TextIOWrapper at start


def _enter_network(namespace: int) -> None:
    if ctypes.CDLL(None, use_errno=True).setns(namespace, _CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "the network namespace can't be entered")


def _prepare_coverage(configuration: str) -> coverage.Coverage:
    """Return what measures a new process, ready to start: to make it takes longer than most commands."""
    made = coverage.Coverage(config_file=configuration)
    made.start()
    made.stop()
    return made


def _start_coverage(prepared: coverage.Coverage) -> None:
    def save() -> None:
        prepared.stop()
        prepared.save()

    atexit.register(save)
    prepared.start()


def main() -> None:
    """Serve until the test worker ends; be `python -m MODULE` in each process that it asked for."""
    _import_all()
    prepared = _prepare_coverage(sys.argv[2]) if sys.argv[2:] else None
    gc.freeze()  # a collection in a new process copies no pages of what was imported
    with socket.socket(fileno=int(sys.argv[1])) as requests:
        request = _fork_for_each(requests)
    if request is not None:
        if prepared is not None and "COVERAGE_PROCESS_START" in os.environ:
            _start_coverage(prepared)
        _run(request["module"])


def _run(module: str) -> None:
    """Run a module to its end, as the interpreter does. Leave out to free all objects, which takes twice the start."""
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    except SystemExit as end:
        threading._shutdown()  # type: ignore[attr-defined]  # waits for the threads that are no daemons
        atexit._run_exitfuncs()
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        os._exit(end.code if isinstance(end.code, int) else bool(end.code))


if __name__ == "__main__":
    main()
