"""Fixtures of all tests. Every test fails that leaves a thread or a descriptor behind."""

import contextlib
import gc
import os
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from tests.support.measuring import measured_processes, unmeasured_collection
from tests.support.processes import ForkServer, use
from tests.support.terminal import terminals
from tests.support.tools import unavailable
from tests.support.two_hosts import FAR, LINES, NEAR, Line, TwoHosts, UnavailableError, two_hosts

settings.register_profile(  # how long an example takes, or is made, says nothing here
    "patient", settings(), deadline=None, max_examples=50, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("thorough", settings.get_profile("patient"), max_examples=1_000)
settings.load_profile("patient")

DESCRIPTORS = Path("/dev/fd")
TESTS = Path(__file__).parent


def pytest_configure() -> None:
    """Heed the signals that processes under test get: as a job in the background, or under nohup, they ignore some."""
    for number, handler in (
        (signal.SIGINT, signal.default_int_handler),
        (signal.SIGQUIT, signal.SIG_DFL),
        (signal.SIGHUP, signal.SIG_DFL),
    ):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, handler)


@pytest.hookimpl(wrapper=True)
def pytest_collection(session: pytest.Session) -> Iterator[None]:
    """Collect no garbage while tests are collected: all of it stays. Share the work of compiling them.

    Coverage measures what the import of sockctl runs, and then pauses: it would double the time of the collection.
    """
    gc.disable()
    with unmeasured_collection():
        _share_imports(session)
        return (yield)


def _share_imports(session: pytest.Session) -> None:
    if session.config.args_source is pytest.Config.ArgsSource.TESTPATHS and "PYTEST_XDIST_WORKER" in os.environ:
        _import_from(int(os.environ["PYTEST_XDIST_WORKER"][2:]) / int(os.environ["PYTEST_XDIST_WORKER_COUNT"]))


def _import_from(share: float) -> None:
    """Import the modules of tests from another one on than other workers, which find them compiled then."""
    modules = sorted(path.relative_to(TESTS.parent).with_suffix("") for path in TESTS.rglob("test_*.py"))
    first = int(len(modules) * share)
    for module in modules[first:] + modules[:first]:
        with contextlib.suppress(Exception):  # an error comes again where pytest imports it
            import_module(".".join(module.parts))


def pytest_collection_finish() -> None:
    """Leave the tests themselves out of each later collection of garbage."""
    gc.freeze()
    gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Spread the slow tests over the first half: so few of them run beside each other, and none is the last."""
    slow = [item for item in items if item.get_closest_marker("slow")]
    quick = [item for item in items if not item.get_closest_marker("slow")]
    every = max(1, len(quick) // 2 // max(1, len(slow)))
    spread: list[pytest.Item] = []
    for number, item in enumerate(quick):
        if number % every == 0 and slow:
            spread.append(slow.pop(0))
        spread.append(item)
    items[:] = spread + slow


def open_descriptors() -> int:
    return sum(1 for _ in DESCRIPTORS.iterdir())


@pytest.fixture(autouse=True, scope="session")
def runtime_folder() -> Iterator[None]:
    """Let the servers under test make their control sockets in a folder of their own, whose path is short."""
    with tempfile.TemporaryDirectory(prefix="sockctl-") as folder, pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_RUNTIME_DIR", folder)
        yield


@pytest.fixture(autouse=True, scope="session")
def fork_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Start processes quickly, measured or not; see `tests.support.processes` and `tests.support.measuring`."""
    with measured_processes(tmp_path_factory.mktemp("measured")):
        if not sys.platform.startswith("linux"):
            yield
            return
        server = ForkServer()
        use(server)
        yield
        use(None)
        server.close()


@pytest.fixture(autouse=True)
def nothing_leaks() -> Iterator[None]:
    threads = set(threading.enumerate())
    descriptors = open_descriptors()
    yield
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        left = [thread for thread in threading.enumerate() if thread not in threads]
        more = open_descriptors() - descriptors
        if not left and more <= 0:
            return
        gc.collect()  # a database is closed with the last object that uses it
        time.sleep(0.01)  # a thread that has done its work still needs a moment to end
    pytest.fail(f"left behind: threads {left}, {more} descriptors")


@contextlib.contextmanager
def _on_hosts(line: Line) -> Iterator[TwoHosts]:
    with contextlib.ExitStack() as stack:
        try:
            hosts = stack.enter_context(two_hosts(line))
        except UnavailableError as error:
            unavailable(str(error))
        yield hosts


@pytest.fixture(params=["loopback", "near"])
def network(request: pytest.FixtureRequest) -> Iterator[TwoHosts | None]:
    """Be on loopback, and on the client's one of two hosts; see `tests.support.two_hosts.on_every_network`, too."""
    line = LINES[request.param]
    if line is None:
        yield None
    else:
        with _on_hosts(line) as hosts:
            yield hosts


@pytest.fixture
def near() -> Iterator[TwoHosts]:
    """Be on the client's one of two hosts that are near to each other."""
    with _on_hosts(NEAR) as hosts:
        yield hosts


@pytest.fixture
def far() -> Iterator[TwoHosts]:
    """Be on the client's one of two hosts that are far from each other, on a line that loses packets."""
    with _on_hosts(FAR) as hosts:
        yield hosts


@pytest.fixture
def terminal() -> Iterator[Any]:
    """Return a function that starts a command on a new terminal."""
    with terminals() as start:
        yield start


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the state directory of clients, which is the test's own."""
    monkeypatch.setenv("SOCKCTL_STATE_DIR", str(tmp_path / "state"))
    return tmp_path / "state"
