"""Calls for an event thread: in order, each once, and a sleeping thread is woken for them."""

import contextlib
import select
import threading
from collections.abc import Iterator

import pytest

from sockctl.net.call_queue import CallQueue
from sockctl.net.connection import Connection
from tests.support.connections import connected


@pytest.fixture
def queue() -> Iterator[CallQueue]:
    with contextlib.closing(CallQueue()) as one:
        one.thread_id = threading.get_ident()
        yield one


@pytest.fixture
def connection() -> Iterator[Connection]:
    with connected() as (one, _):
        yield one


def is_awake(queue: CallQueue) -> bool:
    return bool(select.select([queue], [], [], 0)[0])


def add_from_another_thread(queue: CallQueue, connection: Connection) -> None:
    thread = threading.Thread(target=queue.add_and_wake, args=(print, connection))
    thread.start()
    thread.join()


def test_calls_come_in_order_and_once(queue: CallQueue, connection: Connection) -> None:
    called: list[int] = []
    for number in range(3):
        queue.add(lambda _, number=number: called.append(number), connection)  # type: ignore[misc]
    assert queue
    for call, own in queue.pop_all():
        call(own)
    assert called == [0, 1, 2]
    assert not queue
    assert list(queue.pop_all()) == []


def test_what_a_call_asks_for_waits_for_the_next_round(queue: CallQueue, connection: Connection) -> None:
    def ask(own: Connection) -> None:
        queue.add(ask, own)

    queue.add(ask, connection)
    for call, own in queue.pop_all():
        call(own)
    assert queue, "the first round has ended nevertheless"


def test_another_thread_wakes_the_event_thread(queue: CallQueue, connection: Connection) -> None:
    queue.add_and_wake(print, connection)
    assert not is_awake(queue), "the event thread looks before it waits"
    add_from_another_thread(queue, connection)
    add_from_another_thread(queue, connection)
    assert is_awake(queue)
    queue.consume_wake()
    assert not is_awake(queue), "one byte is enough for both calls"
    add_from_another_thread(queue, connection)
    assert is_awake(queue)


def test_a_wake_up_that_nobody_sent(queue: CallQueue) -> None:
    queue.consume_wake()
    queue.wake()
    assert is_awake(queue)


def test_a_thread_that_has_ended_is_not_woken(connection: Connection) -> None:
    queue = CallQueue()
    queue.close()
    queue.add_and_wake(print, connection)
    assert queue.fileno() == -1
