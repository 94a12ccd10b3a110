"""The settings of a proxy, as the user wants them."""

import socket
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from sockctl.net.address import Endpoint
from sockctl.net.transport import Transport
from sockctl.net.wait import Wait


class Secure(Protocol):
    """Makes TLS of a socket that is connected to the target."""

    def __call__(self, sock: socket.socket, timeout_s: float, *, wait: Wait) -> Transport:
        """Return TLS over the socket within a number of seconds; `wait` waits for the target, and its errors pass."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Impairments:
    """A bad network, made on purpose.

    Attributes:
        delay_s: How long bytes are held back, each way.
        bytes_per_s: How many bytes a second may pass, each way of each connection; None for any number.
        drop_after: After how many bytes, both ways together, a connection is broken off; None for never.
    """

    delay_s: float = 0.0
    bytes_per_s: int | None = None
    drop_after: int | None = None

    @property
    def hold(self) -> bool:
        """Whether bytes are held back."""
        return self.delay_s > 0 or self.bytes_per_s is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProxySettings:
    """What the user wants.

    Attributes:
        target: Where the proxy connects to for each client.
        shown_target: The target as the user has named it.
        messages: Whether the target speaks in messages of sockctl.
        secure: Makes TLS of a connection to the target; None for plain ones.
        connect_s: Seconds to connect to the target.
        sums: Whether the proxy emits sums alone, and inspects no bytes.
        hex_dump: Whether all bytes are shown in hex.
        is_json: Whether events are written as JSON.
        dump: The folder for the bytes of each connection; None for none.
        impairments: The faults of a bad network.
    """

    target: Endpoint
    shown_target: str
    messages: bool = False
    secure: Secure | None = None
    connect_s: float = 10.0
    sums: bool = False
    hex_dump: bool = False
    is_json: bool = False
    dump: Path | None = None
    impairments: Impairments = field(default_factory=Impairments)
