"""Echo over UDP: servers that are right, and what is counted of those that lose, repeat, reorder or change."""

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from sockctl.bench.coordinator import measure
from sockctl.bench.plan import Where
from sockctl.bench.stats import Stats
from sockctl.events.base import Level
from tests.support.bench import plan
from tests.support.datagrams import datagrams
from tests.support.running import CLOSED_PORT, TIMEOUT_S

Answer = Callable[[int, bytes], list[bytes]]
"""Takes how many datagrams came before, and a datagram; returns what is sent back."""


def measured(port: int, *, processes: int = 1, **values: Any) -> Stats:
    server = Where(name=f"udp://127.0.0.1:{port}", family=socket.AF_INET, address=("127.0.0.1", port), udp=True)
    outcome = measure(plan(servers=(server,), **values).divide(processes))
    assert not outcome.interrupted
    return outcome.stats


@contextlib.contextmanager
def answering(answer: Answer) -> Iterator[int]:
    """Serve datagrams with a function."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.settimeout(TIMEOUT_S)

        def serve() -> None:
            count = 0
            while (got := sock.recvfrom(70_000))[0] != b"end":
                for each in answer(count, got[0]):
                    sock.sendto(each, got[1])
                count += 1

        thread = threading.Thread(target=serve)
        thread.start()
        port = sock.getsockname()[1]
        try:
            yield port
        finally:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as last:
                last.sendto(b"end", ("127.0.0.1", port))
            thread.join(TIMEOUT_S)


@pytest.mark.parametrize(
    ("processes", "values"),
    [
        (2, {"depth": 16}),
        (1, {"count": 50, "duration_s": None}),
        (1, {"size_bytes": 65_507, "depth": 2, "clients": 1}),  # all of it has room in the server's receive buffer
        (1, {"size_bytes": 8, "rate": 500.0, "warm_up_s": 0.05}),
    ],
)
def test_all_comes_back_from_ours(processes: int, values: dict[str, Any]) -> None:
    with datagrams(level=Level.WARNING) as run:
        for duration_s in (0.2, 1.0, 5.0):  # a busy machine may do nothing at all in a short time
            stats = measured(run.port, processes=processes, **{"duration_s": duration_s, **values})
            if stats.answered:
                break
    assert not stats.errors
    assert stats.answered == stats.sent == stats.expected > 0
    assert (stats.lost, stats.out_of_order, stats.duplicates, stats.late) == (0, 0, 0, 0)
    assert stats.latencies.count == stats.answered
    assert stats.bytes == stats.answered * values.get("size_bytes", 64)
    assert "count" not in values or stats.sent == values["count"]


def test_loss_is_counted_and_ends_nothing() -> None:
    """Each fifth datagram gets no answer; another one takes its place when its time is up."""
    with answering(lambda count, data: [] if count % 5 == 4 else [data]) as port:
        stats = measured(port, clients=1, depth=2, count=12, duration_s=None, timeout_s=4.0)
    assert not stats.errors
    assert (stats.expected, stats.answered, stats.lost) == (12, 10, 2)


def test_repetitions_are_counted() -> None:
    with answering(lambda count, data: [data] * (2 if count % 4 == 0 else 1)) as port:
        stats = measured(port, clients=1, depth=8, count=40, duration_s=None)
    assert not stats.errors
    assert (stats.answered, stats.lost) == (40, 0)
    assert 8 <= stats.duplicates <= 10, "those of the last may come too late to be seen"


def test_disorder_is_counted() -> None:
    held: list[bytes] = []

    def swap(_: int, data: bytes) -> list[bytes]:
        held.append(data)
        return [held.pop(), held.pop()] if len(held) > 1 else []

    with answering(swap) as port:
        stats = measured(port, clients=1, depth=4, count=40, duration_s=None)
    assert not stats.errors
    assert (stats.answered, stats.out_of_order) == (40, 20)


def test_late_answers_are_lost() -> None:
    held: list[bytes] = []

    def delay(count: int, data: bytes) -> list[bytes]:
        """Answer the first one when the third has come: the second one has been given up by then."""
        held.append(data)
        return [] if count < 2 else [held.pop(0), *([data] if count == 2 else [])]

    with answering(delay) as port:
        stats = measured(port, clients=1, depth=1, count=3, duration_s=None, timeout_s=2.0)
    assert not stats.errors
    assert stats.late == 1
    assert stats.answered + stats.lost == 3


@pytest.mark.parametrize("answer", [lambda _, data: [data.upper()], lambda _, data: [data + b"x"], lambda *_: [b"x"]])
def test_what_is_changed_is_found(answer: Answer) -> None:
    with answering(answer) as port:
        stats = measured(port, clients=2, duration_s=20.0)
    assert stats.errors == {"corrupt": 2}
    assert stats.answered == 0


def test_a_refusal() -> None:
    stats = measured(CLOSED_PORT, clients=2, duration_s=20.0)
    assert stats.errors == {"refused": 2}
    assert stats.answered == 0
