"""A server that wants to fill its client's memory: each attack sends without an end, and the client stays small."""

import contextlib
import itertools
import os
import pty
import re
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.frames import framed
from tests.support.running import SOCKCTL, TIMEOUT_S, UNMEASURED

pytestmark = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from Linux's /proc")

SECONDS = 20.0
"""How long an attack lasts at most, on a machine that has other things to do."""
STALL_S = 2.5
"""How long the client may take nothing; then it has stopped the server, as it should."""
SENT_BYTES = 96 << 20
"""How much it sends at most."""
GROWTH_MIB = 80
"""By how much a client's memory may grow; without bounds it grows by what is sent, and more."""
LONG = "x" * 60_000
Pieces = Iterator[bytes]


def say(kind: str, **fields: object) -> bytes:
    return framed(kind=kind, text="", **fields)


def names() -> Pieces:
    for number in itertools.count():
        room = f"#room{number}"
        yield say("joined", room=room, name="ann") + say("members", room=room, members=[f"{number}{LONG}", "bob"])


def no_line_end() -> Pieces:
    return itertools.repeat(b"x" * 65_536)


def lines() -> Pieces:
    return itertools.repeat(b"nothing that is expected\n" * 2_000)


class Over(threading.Event):
    """Set when an attack is over.

    Attributes:
        stalled: Whether the client has taken nothing any more.
    """

    stalled = False


@contextlib.contextmanager
def attacker(pieces: Pieces, *, framed_first: bool) -> Iterator[tuple[str, Over]]:
    """Serve one client with the attack; the event says that it is over."""
    over = Over()

    def attack() -> None:
        with contextlib.suppress(OSError), listener.accept()[0] as sock:
            sock.settimeout(TIMEOUT_S)
            if framed_first:
                sock.sendall(b"sockctl/1 chat\r\n")
                sock.recv(65_536)
                sock.sendall(framed(kind="welcome", text="Hello, ann!", name="ann"))
            until, left = time.monotonic() + SECONDS, SENT_BYTES
            sock.settimeout(STALL_S)
            batch = b""
            try:
                while time.monotonic() < until and left > 0:
                    batch += next(pieces)
                    if len(batch) >= 65_536:
                        left -= len(batch)
                        sock.sendall(batch)
                        batch = b""
            except TimeoutError:
                over.stalled = True
            finally:
                over.set()
            sock.settimeout(TIMEOUT_S)
            while sock.recv(65_536):
                pass

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=attack)
        thread.start()
        try:
            yield f"127.0.0.1:{listener.getsockname()[1]}", over
        finally:
            over.set()
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            thread.join(TIMEOUT_S)


def peak_mib(pid: int) -> float:
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    return int(found[1]) / 1024 if found else 0.0  # it has just ended


def discard(descriptor: int, stop: threading.Event) -> None:
    with contextlib.suppress(OSError):
        while not stop.is_set() and os.read(descriptor, 65_536):
            pass


def growth_mib(command: list[str], over: Over, *, terminal: bool, stops: bool = False) -> float:
    """Return by how many MiB the client has grown when the attack is over."""
    ours, theirs = pty.openpty()
    stopped = threading.Event()
    environment = {**UNMEASURED, "TERM": "xterm", "NO_COLOR": "1"}
    pipes = (theirs, theirs, theirs) if terminal else (subprocess.DEVNULL, subprocess.DEVNULL, subprocess.DEVNULL)
    child = subprocess.Popen(command, stdin=pipes[0], stdout=pipes[1], stderr=pipes[2], env=environment)
    os.close(theirs)
    reader = threading.Thread(target=discard, args=(ours, stopped), daemon=True)
    reader.start()
    try:
        peaks = []
        while not over.wait(0.05) and child.poll() is None:
            peaks.append(peak_mib(child.pid))
            if stops and peaks[-1] > BASE_MIB - 15:  # it has begun
                stopped.set()
        if child.poll() is None:
            peaks.append(peak_mib(child.pid))
    finally:
        child.kill()
        child.wait(TIMEOUT_S)
        reader.join(TIMEOUT_S)
        os.close(ours)
    return max(peaks) - BASE_MIB


BASE_MIB = 45
"""What a client takes that has done nothing but load all its modules."""


@pytest.mark.parametrize("plain", [True, False], ids=["plain", "editor"])
def test_names_at_a_terminal(plain: bool) -> None:
    with attacker(names(), framed_first=True) as (target, over):
        command = [*SOCKCTL, "connect", *(["--plain"] if plain else []), f"sockctl://{target}"]
        grown = growth_mib(command, over, terminal=True)
    assert grown < GROWTH_MIB


def notices() -> Pieces:
    for number in itertools.count():
        yield framed(kind="notice", text=f"{number} {LONG}")


def test_a_terminal_that_was_stopped() -> None:
    """Whoever has typed Ctrl-S, or has a slow line, is no reason to keep all that a server sends."""
    with attacker(notices(), framed_first=True) as (target, over):
        growth_mib([*SOCKCTL, "connect", f"sockctl://{target}"], over, terminal=True, stops=True)
    assert over.stalled, "the server has to wait"


@pytest.mark.parametrize(
    ("attack", "options"),
    [
        (no_line_end, ["--json"]),
        (lines, ["--script", "SCRIPT"]),
    ],
)
def test_raw_bytes(attack: Callable[[], Pieces], options: list[str], tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text("wait 60\nexpect y\n")
    options = [str(script) if option == "SCRIPT" else option for option in options]
    with attacker(attack(), framed_first=False) as (target, over):
        command = [*SOCKCTL, "connect", *options, "--timeout", "60", f"tcp://{target}"]
        grown = growth_mib(command, over, terminal=False)
    assert grown < GROWTH_MIB
