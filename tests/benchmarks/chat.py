"""A chat with many members: ``python -m tests.benchmarks.chat``. Linux only: it reads /proc.

Each server is a process of its own, and so is nothing else: the members are sockets of this process.

- *Joining*: so many members connect at once; the time until each of them has its welcome and the list of who is there,
  whether all outboxes have survived it, and how much memory the server holds for each of those who are quiet then.
- *Joining a room*: so many members, who are in the lobby, join another room at once; the server's processor time for
  each of them, and how much its memory grows at the peak. Then one more comes and goes, again and again.
- *A stalled reader*: of 50 members one has stopped reading while 20 MB pass to each; how long a message takes from its
  sender to the others, and how much the server's memory grows.
"""

import contextlib
import json
import resource
import selectors
import socket
import statistics
import tempfile
import time
from pathlib import Path

from tests.benchmarks.serving import serving
from tests.support.frames import framed
from tests.support.running import cpu_seconds, wait_until

CROWDS = (1_000, 5_000)
JOIN_S = 5.0
KB_EACH = 6.0
JOIN_ROOM_CPU_S, JOIN_ROOM_MIB = 2.0, 30.0
COMINGS, COMING_MS = 20, 20.0
MEMBERS, TEXT_BYTES, MESSAGES = 50, 4_000, 5_000
P99_MS = 100.0
PER_ADDRESS = 500
PATIENCE_S = 120.0
OPTIONS = (
    *("--no-flood-limit", "--log-format", "json"),
    *("--max-clients", "20000", "--max-clients-per-address", "20000"),
)


def memory_kb(pid: int, which: str = "VmRSS") -> int:
    """Return the resident memory of a process, or the most that it was."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith(which)))


def threads(pid: int) -> int:
    """Return how many threads a process has."""
    return sum(1 for _ in Path(f"/proc/{pid}/task").iterdir())


def events(folder: str, name: str) -> int:
    """Return how often an event was emitted."""
    return Path(folder, "log").read_text().count(f'"event": "{name}"')


def member(port: int, number: int) -> socket.socket:
    """Return a connection that has given its name."""
    sock = socket.socket()
    sock.bind((f"127.0.{1 + number // PER_ADDRESS}.1", 0))
    sock.connect(("127.0.0.1", port))
    sock.sendall(framed(kind="hello") + framed(kind="answer", field="name", text=f"n{number}"))
    sock.setblocking(False)
    return sock


def join(count: int) -> None:
    """Let many join, and print the time and the memory."""
    with (
        tempfile.TemporaryDirectory() as folder,
        serving(folder, "chat", *OPTIONS) as (port, pid),
        contextlib.ExitStack() as stack,
    ):
        before, cpu = memory_kb(pid), cpu_seconds(pid)
        began = time.perf_counter()
        waiting = selectors.DefaultSelector()
        stack.callback(waiting.close)
        seen: dict[object, bytes] = {}
        for number in range(count):
            sock = stack.enter_context(member(port, number))
            waiting.register(sock, selectors.EVENT_READ)
            seen[sock] = b""
        all_in = 0.0
        quiet_since = time.perf_counter()
        missing = set(seen)
        while time.perf_counter() - quiet_since < 1.0 or missing:
            assert time.perf_counter() - began < PATIENCE_S, f"{len(missing):,} of {count:,} are not in"
            for key, _ in waiting.select(0.2):
                data = key.fileobj.recv(1 << 18)  # type: ignore[union-attr]  # it is a socket
                assert data, "the server has dropped a member"
                quiet_since = time.perf_counter()
                if key.fileobj in missing:
                    seen[key.fileobj] += data
                    if b'"kind":"members"' in seen[key.fileobj]:
                        missing.discard(key.fileobj)
                        seen[key.fileobj] = b""
                        all_in = quiet_since - began
        cpu = cpu_seconds(pid) - cpu
        wait_until(lambda: threads(pid) < 10)
        each = (memory_kb(pid) - before) / count
        dropped = events(folder, "slow_reader_dropped")
        assert not events(folder, "service_failed")
    good = dropped == 0 and (count > CROWDS[0] or all_in < JOIN_S)
    print(
        f"joining {count:>5,}: {all_in:5.2f} s until the last is in ({cpu:.2f} s of the server's processor), ", end=""
    )
    print(f"{dropped} dropped, {each:.1f} KB each: {_verdict(good and (count < CROWDS[-1] or each <= KB_EACH))}")


def join_room(count: int) -> None:
    """Let many members join a room, then one leave and join again; print the costs."""
    with (
        tempfile.TemporaryDirectory() as folder,
        serving(folder, "chat", *OPTIONS) as (port, pid),
        contextlib.ExitStack() as stack,
    ):
        waiting = selectors.DefaultSelector()
        stack.callback(waiting.close)
        socks = [stack.enter_context(member(port, number)) for number in range(count)]
        for sock in socks:
            waiting.register(sock, selectors.EVENT_READ, bytearray())
        _wait_for_all(waiting, b'"kind":"members"')
        socks[0].sendall(framed(kind="line", text="/join big") + framed(kind="line", text="hello") * 20)
        _wait_for_all(waiting, b'"text":"hello"', only=socks[0])
        Path(f"/proc/{pid}/clear_refs").write_text("5")  # the peak counts from here on
        before, cpu = memory_kb(pid), cpu_seconds(pid)
        for sock in socks[1:]:
            sock.sendall(framed(kind="line", text="/join big"))
        waiting.unregister(socks[0])
        _wait_for_all(waiting, b'"kind":"history"')
        waiting.register(socks[0], selectors.EVENT_READ, bytearray())
        cpu, peak = cpu_seconds(pid) - cpu, (memory_kb(pid, "VmHWM") - before) / 1024
        print(f"{count:>5,} join a room at once: {cpu:.2f} s of the server's processor, +{peak:.1f} MiB: ", end="")
        print(_verdict(cpu <= JOIN_ROOM_CPU_S and peak <= JOIN_ROOM_MIB))
        _read_until_quiet(waiting)
        cpu = cpu_seconds(pid)
        for _ in range(COMINGS):
            for command in ("/leave big", "/join big"):
                socks[0].sendall(framed(kind="line", text=command))
            _wait_for_all(waiting, b'"kind":"members","text":"In #big', only=socks[0])
        _read_until_quiet(waiting)
        each = (cpu_seconds(pid) - cpu) / COMINGS * 1000
        print(
            f"one goes and comes in a room of {count:,}: {each:.1f} ms of the processor: {_verdict(each <= COMING_MS)}"
        )


def _wait_for_all(waiting: selectors.BaseSelector, mark: bytes, *, only: socket.socket | None = None) -> None:
    """Read until every member, or only that one, has received `mark`."""
    began = time.perf_counter()
    missing = {only} if only is not None else {key.fileobj for key in waiting.get_map().values()}
    for key in waiting.get_map().values():
        key.data.clear()
    while missing:
        assert time.perf_counter() - began < PATIENCE_S, f"{len(missing):,} wait for {mark!r}"
        for key, _ in waiting.select(0.2):
            data = key.fileobj.recv(1 << 18)  # type: ignore[union-attr]  # it is a socket
            assert data, "the server has dropped a member"
            if key.fileobj in missing:
                key.data.extend(data)
                if mark in key.data:
                    missing.discard(key.fileobj)


def _read_until_quiet(waiting: selectors.BaseSelector) -> None:
    while ready := waiting.select(1.5):
        for key, _ in ready:
            assert key.fileobj.recv(1 << 18), "the server has dropped a member"  # type: ignore[union-attr]  # as above


def stall() -> None:
    """Let one of many stop reading, and print how long messages take to the others."""
    with (
        tempfile.TemporaryDirectory() as folder,
        serving(folder, "chat", *OPTIONS) as (port, pid),
        contextlib.ExitStack() as stack,
    ):
        sleeper = stack.enter_context(member(port, 0))
        socks = [stack.enter_context(member(port, number)) for number in range(1, MEMBERS)]
        time.sleep(1)
        before = memory_kb(pid)
        waiting = selectors.DefaultSelector()
        stack.callback(waiting.close)
        for sock in socks:
            waiting.register(sock, selectors.EVENT_READ, bytearray())
        took: list[float] = []
        most = 0
        for number in range(MESSAGES):
            text = json.dumps({"sent": number}) + "x" * TEXT_BYTES
            frame = framed(kind="line", text=text)
            mark = f'{{\\"sent\\": {number}}}'.encode()
            began = time.perf_counter()
            socks[number % len(socks)].sendall(frame)
            left = len(socks)
            while left:
                for key, _ in waiting.select(10):
                    key.data.extend(key.fileobj.recv(1 << 18))  # type: ignore[union-attr]  # it is a socket
                    if mark in key.data and key.data.endswith(b"}"):
                        key.data.clear()
                        took.append(time.perf_counter() - began)
                        left -= 1
            if number % 500 == 0:
                most = max(most, memory_kb(pid))
        dropped = events(folder, "slow_reader_dropped")
        assert sleeper.fileno() >= 0
    p99 = statistics.quantiles(took, n=100)[98] * 1000
    passed = MESSAGES * TEXT_BYTES / 1e6
    print(f"beside a stalled reader, {passed:.0f} MB to each of {MEMBERS}: ", end="")
    print(
        f"median {statistics.median(took) * 1000:.1f} ms, p99 {p99:.1f} ms, at most {max(took) * 1000:.1f} ms; ", end=""
    )
    print(f"{dropped} dropped, memory +{(most - before) / 1024:.1f} MiB: {_verdict(p99 < P99_MS and dropped == 1)}")


def _verdict(good: bool) -> str:
    return "good" if good else "FALLS SHORT"


def main() -> None:
    """Measure all, and print it."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    for count in CROWDS:
        join(count)
    join_room(CROWDS[-1])
    stall()


if __name__ == "__main__":
    main()
