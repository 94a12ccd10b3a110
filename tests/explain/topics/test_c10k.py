import dataclasses

import pytest

from sockctl.explain.network import Loopback
from sockctl.explain.topic import Table
from sockctl.explain.topics.c10k import CLIENTS, TOPIC, C10k, Server

pytestmark = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")


def test_one_event_loop_does_with_one_thread_what_threads_do_with_hundreds(loopback: Loopback) -> None:
    measured: C10k = TOPIC.measure(loopback)
    assert measured.clients == measured.threads.served == measured.events.served == CLIENTS
    assert (measured.threads.threads, measured.events.threads) == (CLIENTS + 1, 1)
    assert measured.threads.switches > 5 * measured.events.switches
    assert (measured.threads.memory_bytes or 0) > (measured.events.memory_bytes or 0)
    first, second = TOPIC.conclude(measured)
    assert f"{CLIENTS + 1} threads" in first
    assert "more memory for each" in first
    assert "the kernel tells it of many clients in one call" in second


def make_server(threads: int) -> Server:
    return Server(served=9, threads=threads, memory_bytes=None, reserved_bytes=None, switches=9.0, round_s=0.001)


def test_what_did_not_come_out_is_not_claimed() -> None:
    alike = C10k(clients=9, threads=make_server(2), events=make_server(1))
    first, second = TOPIC.conclude(alike)
    assert "too few to compare" in first
    assert "no great difference" in second
    (table,) = TOPIC.draw(alike)
    assert isinstance(table, Table)
    assert table.rows[0][2:4] == ("?", "?")
    lacking = dataclasses.replace(alike, clients=10)
    assert "no thread for 1 of 10 clients" in next(iter(TOPIC.conclude(lacking)))
