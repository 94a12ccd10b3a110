"""The packet lab: a network of this process alone, whose packets pass through its hands.

The process enters a user and a network namespace of its own, which takes no rights on most Linux systems. A TUN device
there gives the process each packet sent to 10.0.0.2. The pump gives it back with source and target address in each
other's place, so it arrives at 10.0.0.1, which is the same machine. So both ends are the kernel's real TCP and UDP,
and the pump sees each packet, and may drop it, hold it back, or let another one overtake it.

Nothing is left: the device ends with its descriptor, the namespaces with the process.
"""

import contextlib
import ctypes
import errno
import fcntl
import os
import random
import select
import socket
import struct
import threading
import time
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Self

from sockctl.errors import PacketLabError
from sockctl.explain.network import Link
from sockctl.explain.packets import Acknowledgments, Fate, Numbering, Packet, decode_head, turn_back

_CLONE_NEWUSER, _CLONE_NEWNET = 0x10000000, 0x40000000  # linux/sched.h
_TUNSETIFF, _IFF_TUN, _IFF_NO_PI = 0x400454CA, 0x0001, 0x1000  # linux/if_tun.h
_SIOCSIFFLAGS, _SIOCSIFADDR, _SIOCSIFNETMASK, _SIOCSIFMTU = 0x8914, 0x8916, 0x891C, 0x8922  # linux/sockios.h
_IFF_UP, _IFF_RUNNING = 0x1, 0x40  # linux/if.h
_TUN = "/dev/net/tun"
_NAME = b"lab0"
_MTU_BYTES = 1500
_LARGEST_BYTES = 65_535
_OVERTAKEN_S = 0.02
"""How long a packet that shall be overtaken waits for the next one."""
_TICK_S = 0.01
_QUIET_S = 0.03
"""How long no packet may have been sent before the network counts as quiet."""
_PATIENCE_S = 0.5
"""How long `settle` waits for an acknowledgment; a kernel delays it by 0.2 s at most."""
_PUMP_S = 10.0
"""How long the pump may take to look what was sent: a busy machine may keep it waiting."""


def enter_namespaces() -> None:
    """Move this process, which has one thread, into a user and a network namespace of its own.

    Raises:
        PacketLabError: The system refuses.
    """
    user, group = os.getuid(), os.getgid()
    try:
        unshare = ctypes.CDLL(None, use_errno=True).unshare
    except AttributeError as error:
        raise PacketLabError("network namespaces are Linux's") from error
    if unshare(_CLONE_NEWUSER | _CLONE_NEWNET):
        number = ctypes.get_errno()
        why = "user.max_user_namespaces is reached" if number == errno.ENOSPC else os.strerror(number)
        raise PacketLabError(f"unshare: {why}")
    with _telling("the user namespace"):
        Path("/proc/self/setgroups").write_text("deny", encoding="utf-8")
        Path("/proc/self/uid_map").write_text(f"0 {user} 1", encoding="utf-8")
        Path("/proc/self/gid_map").write_text(f"0 {group} 1", encoding="utf-8")


class PacketLab:
    """The network of the calling thread's namespace; threads and sockets made from there on are on it.

    Its methods may be called by any thread.

    Args:
        seed: What decides which packets get lost; None for chance.
    """

    host, target = "10.0.0.1", "10.0.0.2"
    sees_packets = True

    def __init__(self, *, seed: int | None = None) -> None:
        """Make the device, and start the pump.

        Raises:
            PacketLabError: The system refuses.
        """
        self._opened = time.perf_counter()
        with _telling(_TUN):
            self._device = os.open(_TUN, os.O_RDWR)
        try:
            with _telling("the TUN device"):
                self._set_up()
        except BaseException:
            os.close(self._device)
            raise
        self._random = random.Random(seed)  # noqa: S311  no secret depends on it
        self._numbering = Numbering()
        self._changed = threading.Condition()  # guards the attributes below
        self._link = Link()
        self._packets: list[Packet] = []
        self._acknowledgments = Acknowledgments()
        self._last_s = self.now_s()
        self._under_way: deque[tuple[float, bytes]] = deque()  # when each is due; the pump alone changes it
        self._held: bytes | None = None  # the packet to be overtaken; the pump alone changes it
        self._is_asked = False  # whether `settle` wants to know that no packet is left
        self._rung, self._bell = os.pipe()  # it wakes the pump; closed, it ends the pump
        self._pump = threading.Thread(target=self._run, name="packet pump", daemon=True)
        self._pump.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Stop the pump and end the device."""
        os.close(self._bell)
        self._pump.join()
        os.close(self._rung)
        os.close(self._device)

    def now_s(self) -> float:
        """Return the seconds since the lab was opened."""
        return time.perf_counter() - self._opened

    def set_link(self, link: Link) -> None:
        """Let the link treat each further packet like this."""
        with self._changed:
            self._link = link

    def set_mtu(self, mtu_bytes: int) -> None:
        """Let each further packet of a new connection have that many bytes at most."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
            fcntl.ioctl(control, _SIOCSIFMTU, struct.pack("16si20x", _NAME, mtu_bytes))

    def settle(self) -> None:
        """Wait until all that was sent has arrived and is acknowledged, and no packet follows.

        What is lost isn't waited for: half a second without a packet is enough.
        """
        with self._changed:
            self._last_s = self.now_s()
            while True:
                quiet = self.now_s() - self._last_s
                all_arrived = not self._under_way and self._held is None
                if not all_arrived or quiet < (_QUIET_S if self._acknowledgments.complete else _PATIENCE_S):
                    self._changed.wait(_TICK_S)
                elif not self._has_new_packets():
                    return

    def take_packets(self) -> list[Packet]:
        """Return the packets that were sent since the last call."""
        with self._changed:
            taken, self._packets = self._packets, []
        return taken

    def _has_new_packets(self) -> bool:
        """Wait until the pump has read all packets that were sent."""
        before, self._is_asked = self._last_s, True
        os.write(self._bell, b"?")
        self._changed.wait_for(lambda: not self._is_asked, _PUMP_S)
        return self._last_s > before

    def _set_up(self) -> None:
        up = struct.pack("16sH22x", _NAME, _IFF_UP | _IFF_RUNNING)
        fcntl.ioctl(self._device, _TUNSETIFF, struct.pack("16sH22x", _NAME, _IFF_TUN | _IFF_NO_PI))
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
            fcntl.ioctl(control, _SIOCSIFADDR, _make_address(self.host))
            fcntl.ioctl(control, _SIOCSIFNETMASK, _make_address("255.255.255.0"))
            fcntl.ioctl(control, _SIOCSIFFLAGS, up)
            fcntl.ioctl(control, _SIOCSIFFLAGS, struct.pack("16sH22x", b"lo", _IFF_UP | _IFF_RUNNING))
        self.set_mtu(_MTU_BYTES)

    def _run(self) -> None:
        while True:
            ready, _, _ = select.select([self._device, self._rung], [], [], self._find_wait())
            if self._device in ready:
                self._treat(os.read(self._device, _LARGEST_BYTES))
            elif self._rung in ready:
                if not os.read(self._rung, 1):
                    return
                self._answer()
            elif self._held is not None and not self._under_way:
                self._release()
            self._deliver()

    def _answer(self) -> None:
        with self._changed:
            self._is_asked = False
            self._changed.notify_all()

    def _find_wait(self) -> float | None:
        """Return how long the pump may sleep."""
        if self._under_way:
            return max(0.0, self._under_way[0][0] - self.now_s())
        return None if self._held is None else _OVERTAKEN_S

    def _treat(self, data: bytes) -> None:
        """Decide about a packet and note it."""
        head = decode_head(data)
        if head is None:
            return  # such as the kernel's search for IPv6 routers
        with self._changed:
            now, link = self.now_s(), self._link
            fate = self._choose_fate(link)
            packet = self._numbering.make_packet(head, now, fate)
            self._packets.append(packet)
            self._acknowledgments.note(packet)
            self._last_s = now
            if fate is Fate.ARRIVED:
                self._under_way.append((now + link.delay_s, turn_back(data)))
                if self._held is not None:
                    self._release()
            elif fate is Fate.OVERTAKEN:
                self._held = turn_back(data)

    def _choose_fate(self, link: Link) -> Fate:
        if self._random.random() < link.drop:
            return Fate.DROPPED
        if self._held is None and self._random.random() < link.overtake:
            return Fate.OVERTAKEN
        return Fate.ARRIVED

    def _release(self) -> None:
        """Send the packet that was to be overtaken behind the others."""
        held, self._held = self._held, None
        if held is not None:
            due = self._under_way[-1][0] if self._under_way else self.now_s()
            self._under_way.append((due, held))

    def _deliver(self) -> None:
        """Give the kernel the packets that are due."""
        while self._under_way and self._under_way[0][0] <= self.now_s():
            with contextlib.suppress(OSError):  # the kernel takes no packet now: it is lost, as on any link
                os.write(self._device, self._under_way[0][1])
            with self._changed:
                self._under_way.popleft()
                self._last_s = self.now_s()
                self._changed.notify_all()


def _make_address(address: str) -> bytes:
    """Return the request that gives the device an address (struct ifreq)."""
    return struct.pack("16sHH4s8x", _NAME, socket.AF_INET, 0, socket.inet_aton(address))


@contextlib.contextmanager
def _telling(what: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise PacketLabError(f"{what}: {error.strerror}") from error
