"""Slots for programs: how many there are, and how addresses share them."""

import pytest

from sockctl.services.program_slots import BUSY, ProgramSlots
from tests.support.scripted_peer import ScriptedPeer

HERE, THERE = "192.0.2.7", "198.51.100.1"


class Slots:
    """Slots, and clients that are numbered in the order in which they come."""

    def __init__(self, max_programs: int) -> None:
        self.slots = ProgramSlots(max_programs)
        self.count = 0

    def client(self, address: str = HERE) -> ScriptedPeer:
        self.count += 1
        return ScriptedPeer(number=self.count, address=address)

    def comes(self, address: str = HERE) -> ScriptedPeer:
        peer = self.client(address)
        assert self.slots.acquire(peer)
        return peer

    def is_refused(self, address: str = HERE) -> bool:
        return not self.slots.acquire(self.client(address))


def evicted(*peers: ScriptedPeer) -> list[int]:
    return [peer.number for peer in peers if peer.reason is BUSY]


def test_so_many_run_at_once() -> None:
    slots = Slots(2)
    first, _ = slots.comes(), slots.comes()
    assert slots.is_refused()
    slots.slots.release(first)
    slots.comes()
    assert slots.is_refused()


def test_an_address_with_fewer_programs_gets_the_slot_idle_for_longest() -> None:
    slots = Slots(3)
    here = [slots.comes() for _ in range(3)]
    slots.slots.note_use(here[0])
    slots.comes(THERE)
    assert evicted(*here) == [2]
    assert [one.get("code") for one in here[1].told] == ["busy"]


def test_addresses_that_have_about_the_same_keep_their_slots() -> None:
    slots = Slots(3)
    here = [slots.comes(), slots.comes()]
    there = slots.comes(THERE)
    assert slots.is_refused(THERE), "it has one fewer only"
    assert evicted(*here, there) == []


@pytest.mark.parametrize(("other", "shares"), [("2001:db8::2", True), ("2001:db8:0:1::1", False)])
def test_the_addresses_of_a_network_share(other: str, *, shares: bool) -> None:
    slots = Slots(2)
    for _ in range(2):
        slots.comes("2001:db8::1")
    assert slots.is_refused(other) == shares


def test_no_more_are_evicted_than_there_are_slots_until_they_have_ended() -> None:
    slots, other = Slots(2), "203.0.113.1"
    here = [slots.comes(), slots.comes()]
    there = [slots.comes(THERE)]
    slots.slots.release(here[1])
    there.append(slots.comes(THERE))
    last = slots.comes(other)
    slots.slots.release(last)
    there.append(slots.comes(THERE))
    assert evicted(*here, *there) == [here[0].number, there[0].number]
    assert slots.is_refused(other), "both are still ending"
    slots.slots.release(here[0])
    slots.comes(other)
    assert evicted(*here, *there) == [here[0].number, there[0].number, there[1].number]


def test_a_client_without_a_slot_has_no_use_to_note() -> None:
    slots = Slots(1)
    first = slots.comes()
    slots.slots.note_use(slots.client())
    slots.slots.release(slots.client(THERE))
    assert slots.is_refused()
    slots.slots.release(first)
    slots.comes()
