"""``blocking``: which calls wait, for how long, and what they do on a socket that doesn't block."""

import select
import threading
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

from sockctl.explain.network import TIMEOUT_S, Link, Network, connect_pair
from sockctl.explain.topic import Block, Table, Text, Topic, format_measured_time
from sockctl.explain.waits import (
    LIMIT_S,
    WAIT_S,
    Operation,
    prepare_accept,
    prepare_connect,
    prepare_recv,
    prepare_send,
    try_call,
)
from sockctl.text import format_count

WATCHED = 3
"""How many sockets select() watches."""
_NEARLY = 0.8
"""A call waited for what came, if it took this part of the time until that, or more."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Blocking:
    """What was measured.

    Attributes:
        operations: The calls.
        select_s: How long select() took, which watched several sockets until one of them was ready.
        select_ready: The places of those that it returned.
    """

    operations: tuple[Operation, ...]
    select_s: float
    select_ready: tuple[int, ...]


def measure(network: Network) -> Blocking:
    """Make each call in three ways, then wait for several sockets at once."""
    operations = [
        try_call("accept()", "a client", network, prepare_accept),
        try_call("recv()", "bytes or the end", network, prepare_recv),
        try_call("send()", "room in the buffer", network, prepare_send),
    ]
    with ExitStack() as undo:
        pairs = [connect_pair(network) for _ in range(WATCHED)]
        for sock in (sock for pair in pairs for sock in pair):
            undo.enter_context(sock)
        clients = [client for client, _ in pairs]
        timer = threading.Timer(WAIT_S, lambda: pairs[1][1].send(b"x"))
        began = network.now_s()
        timer.start()
        ready, _, _ = select.select(clients, [], [], TIMEOUT_S)
        took = network.now_s() - began
        timer.join()
    if network.sees_packets:  # else the answer is there at once
        network.set_link(Link(delay_s=WAIT_S / 2))
        operations.append(try_call("connect()", "SYN+ACK", network, prepare_connect))
    return Blocking(operations=tuple(operations), select_s=took, select_ready=tuple(map(clients.index, ready)))


def draw(measured: Blocking) -> Iterator[Block]:
    """Yield how each call ended."""
    rows = [
        (one.call, one.waits_for, one.blocking.describe(), one.limited.describe(), one.free.describe())
        for one in measured.operations
    ]
    yield Table(
        caption=f"What each call waits for comes after {format_measured_time(WAIT_S)}, or never:",
        titles=("call", "waits for", "blocking", f"timeout {format_measured_time(LIMIT_S)}", "non-blocking"),
        rows=tuple(rows),
    )
    ready = " and ".join(f"socket {place + 1}" for place in measured.select_ready) or "none"
    took = format_measured_time(measured.select_s)
    yield Text(lines=(f"select() of {WATCHED} sockets returned after {took}, as ready: {ready}.",))


def conclude(measured: Blocking) -> Iterator[str]:
    """Yield the two sentences."""
    calls = format_count(len(measured.operations), "call")
    odd = [
        one.call
        for one in measured.operations
        if one.blocking.error or one.blocking.seconds < _NEARLY * WAIT_S or one.limited.error != "TimeoutError"
    ]
    if not odd:
        yield f"On a blocking socket each of {calls} waited until its time had come; with a timeout, it gave up."
    else:
        yield f"Not as expected in this run: {', '.join(odd)} did not wait, or did not give up."
    longest = max(one.free.seconds for one in measured.operations)
    waited = [one.call for one in measured.operations if one.free.error != "BlockingIOError"]
    if not waited and longest < LIMIT_S:
        connects = any(one.call == "connect()" for one in measured.operations)
        later = "; connect() goes on in the kernel, and its socket is ready once that is done" if connects else ""
        yield (
            f"After setblocking(False) each raised BlockingIOError within {format_measured_time(longest)}{later}: one "
            f"thread can go on, and ask the kernel which of its many sockets are ready (select, epoll)."
        )
    else:
        names, took = ", ".join(waited) or "none", format_measured_time(longest)
        yield f"Without blocking, the longest took {took}; of the calls {names} did not refuse."


TOPIC = Topic(
    question="Which socket calls block, and what does a non-blocking socket do instead?",
    guess="What does recv() do on a non-blocking socket while nothing has come (wait, return what, or raise what)?",
    measure=measure,
    draw=draw,
    conclude=conclude,
    attempt="sockctl serve echo --port 9090 -v tells when it stops reading from a client that doesn't read",
    unseen="how long connect() waits for an answer",
)
