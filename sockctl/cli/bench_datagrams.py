"""Finds the server of a measurement over UDP: a first datagram shows whether it answers."""

import select
import time
from dataclasses import fields

from sockctl.bench.datagrams import LONGEST_BYTES, NUMBER_BYTES
from sockctl.bench.plan import Kind, Where
from sockctl.cli.bench_options import BenchOptions
from sockctl.deadline import Deadline
from sockctl.errors import AddressError, ConnectTimeoutError, OptionError, UnreachableError
from sockctl.events.base import Event
from sockctl.net.address import Endpoint
from sockctl.net.udp.connector import open_datagrams
from sockctl.net.udp.framing import DATAGRAM, find_frames, frame
from sockctl.net.udp.target import parse_udp_target
from sockctl.net.udp.transport import DatagramTransport

TRIES = 5
"""How often the first datagram is sent, as it may be lost."""
_PROBE = b"sockctl"


def find_datagram_server(target: str, port: str | None, kind: Kind, size_bytes: int, options: BenchOptions) -> Where:
    """Return the server of a target that begins with ``udp://``.

    Args:
        target: The target.
        port: Its port, where the user gave it apart.
        kind: What is measured.
        size_bytes: Bytes of a datagram.
        options: The options of the user.

    Raises:
        AddressError: The target is incomplete, or another kind than echo is to be measured.
        OptionError: An option means nothing over UDP, or the datagrams have a wrong size.
        UnreachableError: There is no way, or nothing listens there.
        ConnectTimeoutError: No answer came.
    """
    if kind is not Kind.ECHO:
        raise AddressError(f"{target!r}: only bench {Kind.ECHO} is for udp://.")
    if any(getattr(options.tls_options, field.name) for field in fields(options.tls_options)):
        raise OptionError("--tls and its options mean nothing with udp://: TLS needs the ordered stream of TCP.")
    if not NUMBER_BYTES <= size_bytes <= LONGEST_BYTES:
        raise OptionError(
            f"--size {size_bytes} doesn't fit: a datagram here has {NUMBER_BYTES} bytes at least, for its number, and "
            f"{LONGEST_BYTES:,} at most."
        )
    found = parse_udp_target(target, port)
    if found.host is None or found.port is None:
        raise AddressError(f"{target!r} is not complete: write udp://HOST:PORT, such as udp://localhost:9090.")
    endpoint = Endpoint(found.host, found.port)
    timeout_s = options.find_timeout_s(udp=True)
    with open_datagrams(endpoint, tell=_ignore, timeout_s=timeout_s) as transport:
        transport.setblocking(False)
        _ask(transport, endpoint, timeout_s)
        return Where(name=f"udp://{endpoint}", family=transport.family, address=transport.address, udp=True)


def _ask(transport: DatagramTransport, endpoint: Endpoint, timeout_s: float) -> None:
    """Send a datagram until one comes back."""
    deadline = Deadline.after(timeout_s)
    for left in range(TRIES, 0, -1):
        transport.send(frame(_PROBE))
        again_at = time.monotonic() + deadline.left_s / left
        while (wait_s := again_at - time.monotonic()) > 0:
            if not transport.pending and not select.select([transport], [], [], wait_s)[0]:
                break
            for kind, text in find_frames(transport.recv(1)):
                if kind == DATAGRAM:
                    return
                why = bytes(text).decode()
                raise UnreachableError(
                    f"No datagram reaches {endpoint} ({why}). Is the server running, is the port right?"
                )
    raise ConnectTimeoutError(
        f"{endpoint} answered none of {TRIES} datagrams in {timeout_s:g} s. Is it an echo server, does a firewall drop "
        f"them?"
    )


def _ignore(_: Event) -> None:
    """Drop an event: only the result counts."""
