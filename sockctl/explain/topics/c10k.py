"""``c10k``: a thread for each client, against one event loop for all."""

import statistics
from collections.abc import Iterator
from dataclasses import dataclass

from sockctl.explain.crowd import Crowd, Serve, limit_clients, serve_by_events, serve_by_threads
from sockctl.explain.network import Network
from sockctl.explain.topic import Block, Table, Topic, format_measured_time
from sockctl.text import format_bytes, format_count

CLIENTS, ROUNDS = 500, 10
_FAR_MORE = 5
"""A server needs far more than the other one where it needs this many times as much."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A server, and what it took.

    Attributes:
        served: How many clients got each of their answers.
        threads: Its threads.
        memory_bytes: By how much its memory grew for each client; None where the system doesn't tell.
        reserved_bytes: By how much its addresses grew for each client; None where the system doesn't tell.
        switches: How often its threads slept in a round, on average.
        round_s: How long it took until each client had its answer, when all had sent at once; the median of the rounds.
    """

    served: int
    threads: int
    memory_bytes: int | None
    reserved_bytes: int | None
    switches: float
    round_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class C10k:
    """What was measured.

    Attributes:
        clients: How many clients each server had.
        threads: The server with a thread for each client.
        events: The server with one event loop.
    """

    clients: int
    threads: Server
    events: Server


def measure(network: Network) -> C10k:
    """Give both servers the same clients, who send all at once, again and again."""
    clients = limit_clients(CLIENTS)
    by_threads, by_events = (_try(network, serve, clients) for serve in (serve_by_threads, serve_by_events))
    return C10k(clients=clients, threads=by_threads, events=by_events)


def _try(network: Network, serve: Serve, clients: int) -> Server:
    with Crowd(network, serve) as crowd:
        crowd.grow(1)
        crowd.send_all()
        crowd.receive_all()
        alone = crowd.ask()
        crowd.grow(clients)
        crowd.send_all()
        served = crowd.receive_all()
        before = crowd.ask()
        times = []
        for _ in range(ROUNDS):
            crowd.send_all()
            began = network.now_s()
            served = min(served, crowd.receive_all())
            times.append(network.now_s() - began)
        after = crowd.ask()
    more = max(1, clients - 1)
    return Server(
        served=served,
        threads=after.threads,
        memory_bytes=_divide(alone.memory_bytes, before.memory_bytes, more),
        reserved_bytes=_divide(alone.reserved_bytes, before.reserved_bytes, more),
        switches=(after.switches - before.switches) / ROUNDS,
        round_s=statistics.median(times),
    )


def _divide(before: int | None, after: int | None, clients: int) -> int | None:
    return None if before is None or after is None else max(0, after - before) // clients


def draw(measured: C10k) -> Iterator[Block]:
    """Yield what both servers took."""
    servers = {"a thread for each": measured.threads, "one event loop": measured.events}
    yield Table(
        caption=f"{format_count(measured.clients, 'client')}; memory for each of them; all send at once in each round:",
        titles=("server", "threads", "memory", "address space", "sleeps", "round"),
        rows=tuple(
            (
                name,
                str(server.threads),
                _format(server.memory_bytes),
                _format(server.reserved_bytes),
                f"{server.switches:,.0f}",
                format_measured_time(server.round_s),
            )
            for name, server in servers.items()
        ),
        right=frozenset(range(1, 6)),
    )


def _format(count: int | None) -> str:
    return "?" if count is None else format_bytes(count)


def conclude(measured: C10k) -> Iterator[str]:
    """Yield the two sentences."""
    threads, events, clients = measured.threads, measured.events, measured.clients
    if threads.served < clients:
        yield f"This system had no thread for {clients - threads.served} of {clients} clients: they were not served."
    elif threads.threads > _FAR_MORE * events.threads:
        yield (
            f"A thread for each client made {format_count(threads.threads, 'thread')}{_tell_memory(threads)}; one "
            f"event loop served the same clients with {format_count(events.threads, 'thread')}{_tell_memory(events)}."
        )
    else:
        yield f"With {format_count(clients, 'client')}, the two servers had about as many threads: too few to compare."
    woken, once = f"{threads.switches:,.0f} times", f"{events.switches:,.0f} times"
    if threads.switches > _FAR_MORE * events.switches:
        yield (
            f"In a round, threads slept and were woken {woken}, the event loop {once}: the kernel tells it of many "
            f"clients in one call."
        )
    else:
        yield f"The event loop slept {once} in a round, the threads {woken}: no great difference in this run."


def _tell_memory(server: Server) -> str:
    return "" if server.memory_bytes is None else f" and {format_bytes(server.memory_bytes)} more memory for each"


TOPIC = Topic(
    question="How does one server keep thousands of clients: a thread for each, or one event loop?",
    guess=f"{CLIENTS} clients: how many threads has each server, and how often does it sleep in a round (numbers)?",
    measure=measure,
    draw=draw,
    conclude=conclude,
    attempt="sockctl serve echo --port 9090 keeps thousands: sockctl bench echo localhost 9090 --clients 500",
)
