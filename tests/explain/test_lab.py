import socket
import threading

import pytest

from sockctl.errors import PacketLabError
from sockctl.explain.lab import PacketLab, enter_namespaces
from sockctl.explain.network import Link, connect_pair, find_port, receive_exactly
from sockctl.explain.packets import Fate, Packet
from tests.support.packets import leave_out_repetitions
from tests.support.running import wait_until


def test_a_connection_is_seen_from_its_first_packet(lab: PacketLab) -> None:
    client, server = connect_pair(lab)
    with client, server:
        client.send(b"hello")
        assert receive_exactly(server, 5) == b"hello"
        lab.settle()
        packets = leave_out_repetitions(lab.take_packets())
        assert not lab.take_packets()
        port = client.getpeername()[1]
    assert [(packet.flags, packet.goes_to(port)) for packet in packets] == [
        ("SYN", True),
        ("SYN+ACK", False),
        ("ACK", True),
        ("PSH+ACK", True),
        ("ACK", False),
    ]
    assert [packet.sequence for packet in packets] == [0, 0, 1, 1, 1]
    assert packets[-1].acknowledgment == 6
    assert {packet.fate for packet in packets} == {Fate.ARRIVED}
    times = [packet.at_s for packet in packets]
    assert times == sorted(times)


def send_datagrams(lab: PacketLab, *texts: bytes) -> list[bytes]:
    """Send datagrams, and return those that arrive."""
    with socket.socket(type=socket.SOCK_DGRAM) as receiver, socket.socket(type=socket.SOCK_DGRAM) as sender:
        receiver.bind((lab.host, 0))
        for text in texts:
            sender.sendto(text, (lab.target, find_port(receiver)))
        lab.settle()
        receiver.setblocking(False)
        arrived = []
        while True:
            try:
                arrived.append(receiver.recv(100))
            except BlockingIOError:
                return arrived


def test_a_link_drops(lab: PacketLab) -> None:
    lab.set_link(Link(drop=1.0))
    assert not send_datagrams(lab, b"one", b"two")
    assert [packet.fate for packet in lab.take_packets()] == [Fate.DROPPED] * 2
    lab.set_link(Link())
    assert send_datagrams(lab, b"three") == [b"three"]


def test_a_link_drops_a_share(lab: PacketLab) -> None:
    lab.set_link(Link(drop=0.5))
    arrived = send_datagrams(lab, *(b"%d" % number for number in range(40)))
    fates = [packet.fate for packet in lab.take_packets()]
    assert arrived == [b"%d" % number for number, fate in enumerate(fates) if fate is Fate.ARRIVED]
    assert 5 < len(arrived) < 35


def test_a_packet_overtakes(lab: PacketLab) -> None:
    packets: list[Packet] = []

    def is_under_way() -> bool:
        packets.extend(lab.take_packets())
        return bool(packets)

    lab.set_link(Link(delay_s=1.0))
    with socket.socket(type=socket.SOCK_DGRAM) as ahead:
        ahead.sendto(b"zero", (lab.target, 9))  # while it is under way, a held packet waits for one that overtakes it
        wait_until(is_under_way)
    lab.set_link(Link(overtake=1.0))
    assert send_datagrams(lab, b"one", b"two", b"three") == [b"two", b"one", b"three"]
    assert [packet.fate for packet in lab.take_packets()] == [Fate.OVERTAKEN, Fate.ARRIVED, Fate.OVERTAKEN]


def test_a_link_delays(lab: PacketLab) -> None:
    lab.set_link(Link(delay_s=0.05))
    began = lab.now_s()
    client, server = connect_pair(lab)
    client.close()
    server.close()
    assert lab.now_s() - began >= 0.1


def test_packets_are_no_larger_than_the_mtu(lab: PacketLab) -> None:
    lab.set_mtu(576)
    client, server = connect_pair(lab)
    with client, server:
        client.sendall(bytes(5000))
        assert len(receive_exactly(server, 5000)) == 5000
        sizes = [packet.payload_bytes for packet in lab.take_packets()]
    assert 400 < max(sizes) <= 576 - 40


def has_device() -> bool:
    return "lab0" in {name for _, name in socket.if_nameindex()}


@pytest.mark.usefixtures("own_host")
def test_a_closed_lab_leaves_no_thread_and_no_device() -> None:
    before = set(threading.enumerate())
    with PacketLab():
        assert has_device()
        with pytest.raises(PacketLabError, match="the TUN device: Device or resource busy"):
            PacketLab()
    wait_until(lambda: not has_device(), what="the end of the device")
    with PacketLab():
        assert has_device()
    assert not set(threading.enumerate()) - before


def test_a_refusal_names_the_step() -> None:
    """The system gives no user namespace to a process with threads; so this one stays where it is."""
    done = threading.Event()
    with_thread = threading.Thread(target=done.wait)
    with_thread.start()
    try:
        with pytest.raises(PacketLabError, match=r"^unshare: "):
            enter_namespaces()
    finally:
        done.set()
        with_thread.join()
