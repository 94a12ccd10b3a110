"""How much code a line passes on its way: ``python -m tests.benchmarks.trips``. Counts and lists, a trip each.

- A line typed in ``connect --plain`` at an echo server, until its echo is shown: the client's code.
- A framed line of a chat with a history, until all of its three members have it: the server's code.
- A byte that an echo server sends back: the server's code.

Each trip is made once before it is measured, so that nothing counts that only a start needs. What counts are functions
of ``sockctl/`` that `sys.setprofile` sees called, in any thread but those that only the clock moves; comprehensions
count as part of their function.
"""

import contextlib
import json
import os
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pexpect

import sockctl
from sockctl.cli.app import run
from tests.support.frames import FrameClient, frame_client
from tests.support.running import TIMEOUT_S, Process, connect, receive_all, receive_exactly

PACKAGE = str(Path(sockctl.__file__).parent) + os.sep
AFTER_S = 0.3
"""How long a trip is watched after its end: events are written, and histories saved, a little later."""
LIMITS = {"typed line": (14, 45), "chat line": (18, None)}
"""How many files and functions a trip may enter."""
CLOCKED = {"sockctl-chat"}
"""Threads that do what is due every moment, whether a line comes or not."""


@dataclass(slots=True)
class Recorder:
    """Notes the functions that are called while `on` is set, in every thread that starts after `install`."""

    on: bool = False
    functions: set[tuple[str, str]] = field(default_factory=set)

    def install(self) -> None:
        """Watch this thread, and those that it starts."""
        threading.setprofile(self._note_unless_clocked)
        sys.setprofile(self._note)

    def _note_unless_clocked(self, frame: Any, event: str, argument: Any) -> None:
        if threading.current_thread().name in CLOCKED:
            sys.setprofile(None)
        else:
            sys.setprofile(self._note)
            self._note(frame, event, argument)

    def _note(self, frame: Any, event: str, _: Any) -> None:
        if self.on and event == "call" and frame.f_code.co_filename.startswith(PACKAGE):
            name = frame.f_code.co_qualname
            for part in ("<listcomp>", "<genexpr>", "<setcomp>", "<dictcomp>"):
                name = name.removesuffix(f".<locals>.{part}")
            self.functions.add((frame.f_code.co_filename.removeprefix(PACKAGE), name))


def run_watched(place: str, arguments: list[str]) -> None:
    """Run sockctl in this process: at the socket `place` a line starts the recording, the next one ends it."""
    recorder = Recorder()
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(place)
    listener.listen()

    def obey() -> None:
        with listener, listener.accept()[0] as sock:
            sock.recv(1)
            recorder.on = True
            sock.recv(1)
            recorder.on = False
            sock.sendall(json.dumps(sorted(recorder.functions)).encode())

    threading.Thread(target=obey, daemon=True).start()
    recorder.install()
    sys.argv = ["sockctl", *arguments]
    run()


def recorded(place: str, trip: Callable[[], None]) -> list[tuple[str, str]]:
    """Make a trip, twice, and return the functions that the process at `place` has called in the second."""
    trip()
    with socket.socket(socket.AF_UNIX) as sock:
        sock.connect(place)
        time.sleep(AFTER_S)
        sock.sendall(b"+")
        time.sleep(AFTER_S / 10)
        trip()
        time.sleep(AFTER_S)
        sock.sendall(b"-")
        return [(file, name) for file, name in json.loads(receive_all(sock))]


class Watched(Process):
    """A sockctl process whose trips are watched.

    Args:
        place: The socket that starts and ends the recording.
        arguments: As on the command line.
    """

    def __init__(self, place: str, *arguments: str) -> None:
        super().__init__("-m", "tests.benchmarks.trips", place, *arguments)

    def command(self, *arguments: str) -> list[str]:
        """Return what to run."""
        return [sys.executable, *arguments]

    @property
    def port(self) -> int:
        """Wait until it listens, and return its port."""
        return int(self.event("listening")["port"])


def typed_line(folder: Path) -> list[tuple[str, str]]:
    """Return what a typed line and its echo enter in the client."""
    place = str(folder / "typed")
    with socket.create_server(("127.0.0.1", 0)) as listener:
        target = f"127.0.0.1:{listener.getsockname()[1]}"
        words = ["-m", "tests.benchmarks.trips", place, "connect", "--plain", target]
        child = pexpect.spawn(sys.executable, words, timeout=TIMEOUT_S, encoding="utf-8")
        peer, _ = listener.accept()
        with peer, contextlib.closing(child):

            def trip() -> None:
                child.sendline("hello")
                peer.sendall(peer.recv(100))
                child.expect("data_received[^$]*hello\r\n")

            child.expect("Type lines")
            return recorded(place, trip)


def chat_line(folder: Path) -> list[tuple[str, str]]:
    """Return what a framed line to three members enters in the chat."""
    place = str(folder / "chat")
    words = ["serve", "chat", "--history", "100", "--port", "0", "--log-format", "json", "--no-input"]
    with (
        contextlib.closing(Watched(place, *words, "--data-dir", str(folder))) as server,
        contextlib.ExitStack() as stack,
    ):
        port = server.port
        members = [stack.enter_context(frame_client(port)) for _ in range(3)]
        for number, member in enumerate(members):
            member.expect("ask")
            member.send(kind="answer", field="name", text=f"ann{number}")
            wait_for(member, "joined")

        def trip() -> None:
            members[0].line("hello")
            for member in members:
                wait_for(member, "say")

        return recorded(place, trip)


def wait_for(member: FrameClient, kind: str) -> None:
    """Receive messages until one of that kind has come."""
    while (one := member.receive()) is not None and one["kind"] != kind:
        pass


def echoed_byte(folder: Path) -> list[tuple[str, str]]:
    """Return what a byte and its echo enter in the server."""
    place = str(folder / "echo")
    words = ["serve", "echo", "--port", "0", "--log-format", "json"]
    with contextlib.closing(Watched(place, *words)) as server, connect(server.port, "127.0.0.1") as sock:

        def trip() -> None:
            sock.sendall(b"x")
            receive_exactly(sock, 1)

        return recorded(place, trip)


def report(name: str, functions: list[tuple[str, str]]) -> bool:
    """Print what a trip has entered; return whether it keeps its limits."""
    files: dict[str, list[str]] = {}
    for file, function in functions:
        files.setdefault(file, []).append(function)
    classes = {(file, function.split(".")[0]) for file, function in functions if "." in function}
    max_files, max_functions = LIMITS.get(name, (None, None))
    limits = [
        f"at most {limit} {what}" for limit, what in ((max_files, "files"), (max_functions, "functions")) if limit
    ]
    print(f"{name}: {len(files)} files, {len(functions)} functions, {len(classes)} classes", *limits, sep="; ")
    for file in sorted(files):
        print(f"  {file}: {', '.join(files[file])}")
    print()
    return len(files) <= (max_files or len(files)) and len(functions) <= (max_functions or len(functions))


def main() -> int:
    """Print the trips; return 1 where one enters more than it may."""
    with tempfile.TemporaryDirectory() as folder:
        trips = {"typed line": typed_line, "chat line": chat_line, "echoed byte": echoed_byte}
        kept = [report(name, trip(Path(folder))) for name, trip in trips.items()]
    return 0 if all(kept) else 1


if __name__ == "__main__":
    if len(sys.argv) > 1:
        run_watched(sys.argv[1], sys.argv[2:])
    else:
        sys.exit(main())
