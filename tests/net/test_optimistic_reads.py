"""When the kernel is asked who is ready, and when everybody is tried in turn; and that trying serves as well."""

import contextlib
import random
import socket
import threading
import time
from collections import defaultdict
from functools import partial
from unittest.mock import Mock

from sockctl.net.connection import Connection
from sockctl.net.event_loop import EventLoop
from sockctl.net.limits import Limits
from sockctl.net.optimistic_reads import AT_ONCE, FEW, LASTING, MAX_PATIENCE, OptimisticReads
from sockctl.net.poller import READABLE, WRITABLE
from sockctl.net.raw_peer import RawPeer
from sockctl.net.service import RawService
from sockctl.services.echo import Echo
from tests.support.event_loops import TRYING
from tests.support.running import TIMEOUT_S, receive_exactly, running, wait_until

COUNT = 600  # three turns a pass


def house_of(count: int) -> tuple[OptimisticReads, dict[int, Connection]]:
    connections: dict[int, Connection] = {fd: Mock(name=f"connection {fd}", interest=READABLE) for fd in range(count)}
    return OptimisticReads(connections), connections


def report_everybody(house: OptimisticReads, count: int) -> None:
    """Have as many reported as there are, as epoll does: up to 256 at once."""
    for start in range(0, count, AT_ONCE):
        assert not house.trying
        house.note(min(AT_ONCE, count - start), 0)


def passes_until_given_up(house: OptimisticReads) -> int:
    """Report everybody until they are tried, in vain; return how often it took."""
    for times in range(1, 2 * MAX_PATIENCE):
        report_everybody(house, FEW)
        if house.trying:
            house.note(len(house.turn()), FEW)
            assert not house.trying
            return times
    raise AssertionError("never tried")


def test_everybody_has_a_turn_in_a_full_house() -> None:
    house, connections = house_of(COUNT)
    house.note(AT_ONCE, 0)
    house.note(AT_ONCE, 0)
    assert not house.trying
    house.note(AT_ONCE, 0)
    assert house.trying
    for _ in range(3):
        turns = []
        for _ in range(3):
            turns.append(house.turn())
            house.note(len(turns[-1]), 0)
        assert [len(turn) for turn in turns] == [200, 200, 200]
        assert [one for turn in turns for one in turn] == list(connections.values())


def test_who_waits_to_be_written_to_has_a_turn_too() -> None:
    house, connections = house_of(COUNT)
    connections[5].interest = WRITABLE
    connections[6].interest = 0
    for _ in range(3):
        house.note(AT_ONCE, 0)
    turns = []
    for _ in range(3):
        turns += house.turn()
        house.note(200, 1)
    assert connections[5] in turns, "nobody else empties its outbox while everybody is tried"
    assert connections[6] not in turns


def test_a_house_that_is_not_full_is_asked() -> None:
    house, _ = house_of(COUNT)
    for _ in range(10):
        house.note(AT_ONCE, 0)
        house.note(AT_ONCE, 0)
        house.note(AT_ONCE - 1, 0)
        assert not house.trying
    small, _ = house_of(100)
    small.note(89, 0)
    assert not small.trying
    small.note(100, 0)
    assert small.trying


def test_turns_are_of_one_size() -> None:
    house, _ = house_of(AT_ONCE + 5)
    house.note(AT_ONCE, 0)
    house.note(AT_ONCE, 0)
    assert [len(house.turn()), len(house.turn())] == [131, 130]


def test_who_comes_and_goes_has_turns_from_the_next_pass_on() -> None:
    house, connections = house_of(100)
    house.note(100, 0)
    connections[100] = Mock(interest=READABLE)
    del connections[0]
    assert len(house.turn()) == 100
    house.note(100, 1)
    assert house.turn() == list(connections.values())


def test_too_many_tried_in_vain_end_it() -> None:
    house, _ = house_of(100)
    house.note(100, 0)
    house.turn()
    house.note(100, 10)
    assert house.trying
    house.turn()
    house.note(100, 11)
    assert not house.trying


def test_an_empty_house_ends_it() -> None:
    house, connections = house_of(100)
    house.note(100, 0)
    connections.clear()
    house.turn()
    house.note(100, 0)
    assert house.turn() == []
    house.note(0, 0)
    assert not house.trying


def test_attempts_that_do_not_last_become_rare() -> None:
    house, _ = house_of(FEW)
    took = [passes_until_given_up(house) for _ in range(9)]
    assert took == [1, 2, 4, 8, 16, 32, 64, MAX_PATIENCE, MAX_PATIENCE]
    for _ in range(MAX_PATIENCE):
        report_everybody(house, FEW)
    for _ in range(LASTING):
        house.turn()
        house.note(FEW, 0)
    house.turn()
    house.note(FEW, FEW)
    assert passes_until_given_up(house) == 1, "one that lasted makes up for all that didn't"


class Held(RawService):
    """Keeps what comes, and waits at the first piece until it is let go."""

    name = "held"
    does = "It keeps what comes."

    def __init__(self) -> None:
        self.let_go = threading.Event()
        self.came: defaultdict[int, bytearray] = defaultdict(bytearray)

    def received(self, peer: RawPeer, data: memoryview) -> None:
        assert self.let_go.wait(TIMEOUT_S)
        self.came[peer.number] += data


def test_many_who_say_much_are_tried_and_nobody_is_later() -> None:
    most_passes = turns = 0

    class Counting(OptimisticReads):
        def turn(self) -> list[Connection]:
            nonlocal turns
            turns += 1
            return super().turn()

        def note(self, count: int, in_vain: int) -> None:
            nonlocal most_passes
            super().note(count, in_vain)
            most_passes = max(most_passes, self._passes)

    much = random.Random(8).randbytes(50 * 1024)
    service = Held()
    limits, event_loop = Limits(event_threads=1, read_bytes=1024), partial(EventLoop, optimistic_reads=Counting)
    with running(service, limits, make_event_loop=event_loop) as run, contextlib.ExitStack() as clients:
        socks = [clients.enter_context(run.client()) for _ in range(FEW)]
        for sock in socks:
            sock.sendall(much)
        run.sink.wait_for("client_connected", FEW)
        service.let_go.set()
        wait_until(lambda: [*service.came.values()] == [much] * FEW)
        assert most_passes > LASTING
        before = turns
        time.sleep(0.5)
        assert turns - before < 10, "nobody says anything: nobody is tried"
        late = clients.enter_context(run.client())
        late.sendall(b"late")
        wait_until(lambda: service.came.get(FEW + 1) == bytearray(b"late"))


def test_a_client_that_ends_is_let_go_while_everybody_is_tried() -> None:
    with running(Echo(), make_event_loop=TRYING) as run, run.client() as sock:
        sock.sendall(b"a")
        receive_exactly(sock, 1)
        sock.shutdown(socket.SHUT_WR)
        assert sock.recv(1) == b""
        run.sink.wait_for("client_disconnected")
