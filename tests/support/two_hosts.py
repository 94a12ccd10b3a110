"""Two hosts, made of network namespaces, and a cable between them: packets of 1,500 bytes, not loopback's 65,536.

A namespace has no name here. It lives as long as a descriptor, a thread, a process or a socket is in it; so nothing is
left of it, nor of its devices, however the tests end. A thread is on one host, and what it makes (sockets, threads,
processes) is there, too, for good. So a test does what it does on the client's host, and opens the listening sockets on
the server's: the rest of its body doesn't notice.
"""

import contextlib
import ctypes
import fcntl
import os
import shutil
import struct
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import pytest

SERVER, CLIENT = "10.231.7.1", "10.231.7.2"
MTU = 1500
ENDS = ("cable0", "cable1")
"""The ends of the cable: the server's and the client's."""
_TUNSETIFF, _IFF_TUN, _IFF_NO_PI = 0x400454CA, 0x0001, 0x1000  # linux/if_tun.h
_RELAY = Path(__file__).with_name("cable.py")
_CLONE_NEWNET = 0x40000000  # linux/sched.h; os.setns has it from Python 3.12 on
_Made = TypeVar("_Made")
_Test = TypeVar("_Test", bound=Callable[..., None])


class UnavailableError(Exception):
    """Two hosts can't be made here; the text names the missing part."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """The line between the hosts.

    Attributes:
        round_trip_ms: How long a packet and its answer are on their way.
        loss: The share of packets that is lost, in each direction.
        receive_buffer_bytes: What a client's kernel holds of what has not been read (the last field of tcp_rmem); None
            for the system's own bounds.
    """

    round_trip_ms: float = 0.0
    loss: float = 0.0
    receive_buffer_bytes: int | None = None


NEAR = Line(receive_buffer_bytes=16_384)
"""Packets of 1,500 bytes and small windows: a sender that isn't woken when the client reads at last shows here."""
FAR = Line(round_trip_ms=40, loss=0.01)
LINES = {"loopback": None, "near": NEAR, "far": FAR}


class Host:
    """A network namespace."""

    def __init__(self, fd: int) -> None:
        self.fd = fd

    def call(self, call: Callable[[], _Made]) -> _Made:
        """Call it in a thread on this host. It blocks until that is done."""

        def on_this_host() -> _Made:
            _enter(self.fd)
            return call()

        return _in_a_thread(on_this_host)

    @contextlib.contextmanager
    def here(self) -> Iterator[None]:
        """Be on this host with the calling thread, and with the threads and processes that it starts."""
        before = _current()
        try:
            _enter(self.fd)
            yield
        finally:
            _enter(before)
            os.close(before)

    def ip(self, *commands: str) -> None:
        """Carry out commands of ip(8)."""
        _tool([_ip(), "-batch", "-"], "\n".join(commands), self)


@dataclass(frozen=True, slots=True)
class TwoHosts:
    """A host for the server and one for the client.

    Attributes:
        way: How the cable is made: "veth", "netem" or "relay".
    """

    server: Host
    client: Host
    way: str

    def cut(self) -> None:
        """Cut the cable: neither FIN nor RST comes through any more."""
        self.client.ip(f"link set {ENDS[1]} down")

    def mend(self) -> None:
        """Mend the cable."""
        self.client.ip(f"link set {ENDS[1]} up")


ON_HOSTS: ContextVar[TwoHosts | None] = ContextVar("ON_HOSTS", default=None)
"""The hosts that tests use at the moment; None for loopback."""


@contextlib.contextmanager
def two_hosts(line: Line, *, netem: bool | None = None) -> Iterator[TwoHosts]:
    """Make two hosts, and be on the client's one.

    Args:
        line: What lies between them.
        netem: Whether the kernel delays and loses (True), or a process of ours (False). None tries the kernel first.

    Raises:
        UnavailableError: This system can't.
    """
    with contextlib.ExitStack() as undo:
        server, client = (new_host(undo) for _ in range(2))
        way = lay_cable(server, client, line, undo, netem=netem)
        for host, end, address in ((server, ENDS[0], SERVER), (client, ENDS[1], CLIENT)):
            host.ip(
                "link set lo up",
                f"link set {end} mtu {MTU} gso_max_segs 1 up",  # no packet is larger, not even inside the kernel
                f"addr add {address}/24 dev {end}",
            )
        if line.receive_buffer_bytes is not None:
            _bound_receive_buffers(client, line.receive_buffer_bytes)
        hosts = TwoHosts(server, client, way)
        undo.enter_context(client.here())
        undo.callback(ON_HOSTS.reset, ON_HOSTS.set(hosts))
        yield hosts


def on_every_network(test: _Test) -> _Test:
    """Run a test on loopback, and on hosts that are near to and far from each other: a decorator."""
    for mark in (pytest.mark.parametrize("network", LINES, indirect=True), pytest.mark.usefixtures("network")):
        test = mark(test)
    return test


def server_address() -> str:
    """Return where servers under test listen at the moment."""
    return "127.0.0.1" if ON_HOSTS.get() is None else SERVER


def on_the_server(call: Callable[[], _Made]) -> _Made:
    """Call it on the server's host, or just here if there is only one."""
    hosts = ON_HOSTS.get()
    return call() if hosts is None else hosts.server.call(call)


def new_host(undo: contextlib.ExitStack) -> Host:
    """Make a host, which lasts until `undo` is done."""

    def make() -> int:
        _call_libc("unshare", _CLONE_NEWNET)
        return _current()

    host = Host(_in_a_thread(make))
    undo.callback(os.close, host.fd)
    return host


def lay_cable(
    server: Host,
    client: Host,
    line: Line,
    undo: contextlib.ExitStack,
    *,
    netem: bool | None = None,
    ends: tuple[str, str] = ENDS,
) -> str:
    """Connect two hosts by a cable whose ends have these names, and return how."""
    if not line.round_trip_ms and not line.loss:
        _lay_veth(server, client, ends)
        return "veth"
    if netem is not False:
        _lay_veth(server, client, ends)
        try:
            for host, end in zip((server, client), ends, strict=True):
                _netem(host, end, line)
        except UnavailableError:
            if netem:
                raise
            server.ip(f"link del {ends[0]}")
        else:
            return "netem"
    fds = tuple(_tun(host, end, undo) for host, end in zip((server, client), ends, strict=True))
    arguments = [*map(str, fds), str(line.round_trip_ms / 2000), str(line.loss)]
    relay = subprocess.Popen([sys.executable, "-S", str(_RELAY), *arguments], stdin=subprocess.PIPE, pass_fds=fds)
    undo.callback(relay.wait)  # as a context it would wait for 0.25 s only, after a KeyboardInterrupt
    assert relay.stdin is not None
    undo.callback(relay.stdin.close)  # it ends with its input, also where this process is killed
    return "relay"


def _lay_veth(server: Host, client: Host, ends: tuple[str, str]) -> None:
    server.ip(f"link add {ends[0]} type veth peer name {ends[1]} netns /proc/{os.getpid()}/fd/{client.fd}")


def _netem(host: Host, end: str, line: Line) -> None:
    tc = shutil.which("tc")
    if tc is None:
        raise UnavailableError("the command tc is missing (Debian's package iproute2)")
    values = ["delay", f"{line.round_trip_ms / 2:g}ms", "loss", f"{line.loss:.3%}"]
    _tool([tc, "qdisc", "add", "dev", end, "root", "netem", *values], "", host)


def _tun(host: Host, name: str, undo: contextlib.ExitStack) -> int:
    """Make a device whose packets go through a descriptor; it ends with that."""

    def make() -> int:
        fd = os.open("/dev/net/tun", os.O_RDWR)
        undo.callback(os.close, fd)
        fcntl.ioctl(fd, _TUNSETIFF, struct.pack("16sH22x", name.encode(), _IFF_TUN | _IFF_NO_PI))
        return fd

    try:
        return host.call(make)
    except OSError as error:
        raise UnavailableError(f"TUN devices can't be made here: {error}") from error


def _bound_receive_buffers(host: Host, size: int) -> None:
    low = min(4096, size)
    host.call(lambda: Path("/proc/sys/net/ipv4/tcp_rmem").write_text(f"{low} {size} {size}"))


def _current() -> int:
    return os.open("/proc/thread-self/ns/net", os.O_RDONLY)


def _enter(fd: int) -> None:
    _call_libc("setns", fd, _CLONE_NEWNET)


def _call_libc(name: str, *arguments: int) -> None:
    call = getattr(ctypes.CDLL(None, use_errno=True), name, None)
    if call is None:
        raise UnavailableError("network namespaces are Linux's")
    if call(*arguments):
        raise UnavailableError(f"network namespaces can't be made here: {os.strerror(ctypes.get_errno())}")


def _in_a_thread(call: Callable[[], _Made]) -> _Made:
    with ThreadPoolExecutor(1) as threads:
        return threads.submit(call).result()


def _ip() -> str:
    ip = shutil.which("ip")
    if ip is None:
        raise UnavailableError("the command ip is missing (Debian's package iproute2)")
    return ip


def _tool(command: list[str], text: str, host: Host) -> None:
    done = host.call(
        lambda: subprocess.run(command, input=text, capture_output=True, text=True, timeout=30, check=False)
    )
    if done.returncode:
        raise UnavailableError(f"{command[0]} failed: {done.stderr.strip()}")
