"""Looks which ports of a host are open: connects to each, several at a time, and sends nothing."""

import contextlib
import socket
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from queue import Empty, SimpleQueue

from sockctl.errors import AddressError, ConnectTimeoutError, SockctlError, UnreachableError
from sockctl.net.address import Endpoint, parse_port
from sockctl.net.connector import Addresses, connect, look_up_addresses
from sockctl.text import is_whole_number

AT_ONCE = 64
"""Ports that are looked at at the same time."""
LOOK_S = 0.2
"""How often the main thread looks for a signal."""


@dataclass(frozen=True, slots=True)
class PortState:
    """What was found of a port.

    Attributes:
        endpoint: The host, as it was named, and the port.
        state: `open`, `closed` (refused or unreachable) or `silent` (no answer in time).
        seconds: How long that took.
        error: Why it isn't open, as a sentence; empty where it is.
    """

    endpoint: Endpoint
    state: str
    seconds: float
    error: str = ""


def parse_ports(texts: Sequence[str]) -> list[int]:
    """Return the ports that `texts` name: ``22``, ``80,443`` and ``8000-8010``, in their order.

    Raises:
        AddressError: One of them names no port, or a range that ends before it begins.
    """
    ports: list[int] = []
    for piece in ",".join(texts).split(",") if texts else ():
        first, dash, last = piece.partition("-")
        if not (dash and is_whole_number(first)):
            ports.append(parse_port(piece))
            continue
        lowest, highest = parse_port(first), parse_port(last)
        if highest < lowest:
            raise AddressError(f"{piece!r} ends before it begins: write {highest}-{lowest}.")
        ports += range(lowest, highest + 1)
    return list(dict.fromkeys(ports))


def check_ports(
    host: str,
    ports: Sequence[int],
    *,
    timeout_s: float,
    retries: int = 0,
    family: socket.AddressFamily = socket.AF_UNSPEC,
    source: Endpoint | None = None,
) -> Iterator[PortState]:
    """Return the state of each port, in their order, as soon as it is known.

    Args:
        host: The host.
        ports: The ports.
        timeout_s: Seconds for each try.
        retries: How many further tries each port gets.
        family: Restricts the addresses to IPv4 or IPv6.
        source: The own address to connect from.

    Raises:
        UnreachableError: The name of the host is unknown.
    """
    addresses = look_up_addresses(Endpoint(host, ports[0]), family, timeout_s)
    waiting: SimpleQueue[int] = SimpleQueue()
    found: list[SimpleQueue[PortState | SockctlError]] = [SimpleQueue() for _ in ports]

    def work() -> None:
        while True:
            try:
                place = waiting.get_nowait()
            except Empty:
                return
            endpoint = Endpoint(host, ports[place])
            try:
                found[place].put(_check_port(endpoint, timeout_s, retries, source, addresses))
            except SockctlError as error:
                found[place].put(error)

    for place in range(len(ports)):
        waiting.put(place)
    for _ in range(min(AT_ONCE, len(ports))):
        # Daemons: Ctrl-C must not wait for those that wait for an answer.
        threading.Thread(target=work, name="sockctl-port", daemon=True).start()
    for outcome in found:
        one = _await(outcome)
        if isinstance(one, SockctlError):
            raise one
        yield one


def _await(outcome: SimpleQueue[PortState | SockctlError]) -> PortState | SockctlError:
    """Wait for an outcome; a signal that comes just before the wait has its effect at the next look."""
    while True:
        with contextlib.suppress(Empty):
            return outcome.get(timeout=LOOK_S)


def _check_port(
    endpoint: Endpoint, timeout_s: float, retries: int, source: Endpoint | None, addresses: Addresses
) -> PortState:
    """Return the state of a port at `addresses`, which are those of the host with any port."""
    own = [(family, (address[0], endpoint.port, *address[2:])) for family, address in addresses]
    began = time.monotonic()
    state, why = "open", ""
    try:
        connect(
            endpoint, tell=lambda _: None, timeout_s=timeout_s, retries=retries, source=source, addresses=own
        ).close()
    except UnreachableError as error:
        state, why = "closed", str(error)
    except ConnectTimeoutError as error:
        state, why = "silent", str(error)
    return PortState(endpoint, state, round(time.monotonic() - began, 3), why)
