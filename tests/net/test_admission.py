import contextlib
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from sockctl.events.reasons import RefusalReason
from sockctl.net.access_rules import AccessRules
from sockctl.net.admission import Admission
from sockctl.net.connection import Connection
from sockctl.net.limits import Limits


def admission_of(**limits: Any) -> Admission:
    return Admission(Limits(**limits), settle_s=10.0)


A, B, C = "192.0.2.1", "192.0.2.200", "2001:db8::1"


def test_limits() -> None:
    admission = admission_of(rules=AccessRules(deny=[C]), max_clients=3, max_clients_per_address=2)
    assert admission.add(A) is None
    assert admission.add(A) is None
    assert admission.add(A) is RefusalReason.TOO_MANY_FROM_ADDRESS
    assert admission.add(C) is RefusalReason.DENIED
    assert admission.add(B) is None
    assert admission.add("192.0.2.3") is RefusalReason.TOO_MANY_CLIENTS
    assert admission.clients == 3
    admission.remove(A)
    assert admission.add(A) is None


def test_no_count_is_lost_between_threads() -> None:
    admission = admission_of(rules=AccessRules(), max_clients=10_000, max_clients_per_address=10_000)

    def come_and_go() -> None:
        for _ in range(2000):
            assert admission.add(A) is None
            admission.remove(A)

    threads = [threading.Thread(target=come_and_go) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert admission.clients == 0


def test_an_ipv6_network_is_one_address() -> None:
    admission = admission_of(rules=AccessRules(), max_clients=10, max_clients_per_address=1)
    assert admission.add("2001:db8::1") is None
    assert admission.add("2001:db8::2") is RefusalReason.TOO_MANY_FROM_ADDRESS
    assert admission.add("2001:db8:0:1::1") is None
    admission.remove("2001:db8::1")
    assert admission.add("2001:db8::2") is None
    narrow = admission_of(rules=AccessRules(), max_clients=10, max_clients_per_address=1, ipv6_prefix=128)
    assert narrow.add("2001:db8::1") is None
    assert narrow.add("2001:db8::2") is None


class House:
    """An Admission, and clients that come to it, each with a connection on a socket pair of its own."""

    def __init__(self, stack: contextlib.ExitStack, **options: Any) -> None:
        settle_s = options.pop("settle_s", 3600.0)
        limits = Limits(**{"max_clients": 1000, "max_clients_per_address": 1000} | options)
        self.evicted: list[int] = []
        self.admission = Admission(limits, settle_s=settle_s, evict=lambda one: self.evicted.append(one.number))
        self.connections: dict[int, Connection] = {}
        self._stack = stack

    def comes(self, host: str) -> RefusalReason | None:
        """Let a client come; return why it is refused."""
        reason = self.admission.add(host, pending=True)
        if reason is None:
            ours, theirs = socket.socketpair()
            self._stack.enter_context(ours)
            self._stack.enter_context(theirs)
            number = len(self.connections) + 1
            connection = self.connections[number] = Connection(ours, (host, 50_000), number, portion=1024, send_s=30.0)
            connection.on_admitted = self.admission.admit
            self.admission.wait(connection)
        return reason

    def goes(self, number: int) -> None:
        connection = self.connections[number]
        self.admission.remove(connection.host, connection)


@pytest.fixture
def stack() -> Iterator[contextlib.ExitStack]:
    with contextlib.ExitStack() as stack:
        yield stack


def test_pending_clients_have_a_share(stack: contextlib.ExitStack) -> None:
    house = House(stack, max_pending=2)
    assert [house.comes(A) for _ in range(3)] == [None, None, RefusalReason.TOO_MANY_PENDING]
    assert house.admission.pending == 2
    house.connections[1].admit()
    assert house.admission.pending == 1
    assert house.comes(A) is None
    house.goes(2)
    house.goes(1)
    assert (house.admission.pending, house.admission.clients) == (1, 1)
    assert house.comes(A) is None
    assert house.evicted == []


@pytest.mark.parametrize(("max_clients", "share"), [(512, 128), (8, 2), (1, 1)])
def test_the_share_is_a_quarter(stack: contextlib.ExitStack, max_clients: int, share: int) -> None:
    house = House(stack, max_clients=max_clients)
    while house.comes(A) is None:
        pass
    assert house.admission.pending == share


def test_who_needs_no_login_has_no_such_limit() -> None:
    admission = admission_of(rules=AccessRules(), max_clients=4, max_clients_per_address=4, max_pending=1)
    assert [admission.add(A) for _ in range(4)] == [None] * 4
    assert admission.add(A) is RefusalReason.TOO_MANY_CLIENTS


def test_the_oldest_of_the_address_that_has_most_gives_its_place(stack: contextlib.ExitStack) -> None:
    house = House(stack, max_pending=4)
    for host in (B, A, A, A):
        assert house.comes(host) is None
    assert house.comes("192.0.2.3") is None
    assert house.evicted == [2], "the first of A's"
    assert house.admission.clients == 5, "it is connected until it is closed"
    house.goes(2)
    assert (house.admission.clients, house.admission.pending) == (4, 4)
    assert house.comes(B) is RefusalReason.TOO_MANY_PENDING, "A has two and B one: they would only change places"


def test_addresses_with_many_do_not_change_places_for_ever(stack: contextlib.ExitStack) -> None:
    house = House(stack, max_pending=12)
    for _ in range(100):
        for host in (A, B, "192.0.2.3"):
            house.comes(host)
    before = len(house.evicted)
    for _ in range(100):
        for host in (A, B, "192.0.2.3"):
            assert house.comes(host) is RefusalReason.TOO_MANY_PENDING
    assert len(house.evicted) == before


@pytest.mark.parametrize("host", [A, C])
def test_among_addresses_of_the_same_size_a_place_is_kept_for_a_while(stack: contextlib.ExitStack, host: str) -> None:
    house = House(stack, max_pending=2, settle_s=3600.0)
    assert [house.comes(host) for host in (A, B)] == [None, None]
    assert house.comes(host) is RefusalReason.TOO_MANY_PENDING
    impatient = House(stack, max_pending=2, settle_s=0.0)
    assert [impatient.comes(host) for host in (A, B, host)] == [None] * 3
    assert impatient.evicted == [1]


def test_a_full_house_takes_places_of_those_with_several_pending_only(stack: contextlib.ExitStack) -> None:
    house = House(stack, max_clients=3, max_pending=3, settle_s=0.0)
    assert [house.comes(host) for host in (A, A, B)] == [None, None, None]
    house.connections[3].admit()
    assert house.comes(C) is None
    assert house.evicted == [1]
    assert house.comes("192.0.2.3") is RefusalReason.TOO_MANY_CLIENTS, "A and C have one each"


def test_places_are_given_up_no_faster_than_they_are_freed(stack: contextlib.ExitStack) -> None:
    house = House(stack, max_pending=2, settle_s=0.0)
    assert [house.comes(host) for host in (A, A, B, C)] == [None] * 4
    assert house.evicted == [1, 2]
    assert house.comes("192.0.2.3") is RefusalReason.TOO_MANY_PENDING, "two are still being closed"
    house.goes(1)
    assert house.comes("192.0.2.3") is None
