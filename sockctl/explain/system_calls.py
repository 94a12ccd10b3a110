"""System calls of one program: each with what it got and returned, and how long it took."""

import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from sockctl.explain.network import Network

Returned = TypeVar("Returned")


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemCall:
    """A system call.

    Attributes:
        by_server: Whether the server made it.
        name: Its name.
        arguments: What it got, for people.
        result: What it returned: the number of a descriptor or of bytes; 0 for neither.
        began_s: When it was made, on the clock of the network.
        ended_s: When it returned.
    """

    by_server: bool
    name: str
    arguments: str
    result: int
    began_s: float
    ended_s: float

    @property
    def took_s(self) -> float:
        """How long it took."""
        return self.ended_s - self.began_s


class CallRecorder:
    """Makes the calls of one side, and records them. Not thread-safe.

    Attributes:
        calls: The calls until now.
        network: The network, for the side's own use.

    Args:
        network: The network.
        by_server: Whether this is the server's side.
    """

    def __init__(self, network: Network, *, by_server: bool) -> None:
        self.calls: list[SystemCall] = []
        self.network = network
        self._by_server = by_server

    def do(self, name: str, arguments: str, call: Callable[[], Returned]) -> Returned:
        """Make a call and return what it returned.

        Args:
            name: The name of the system call.
            arguments: What it gets, for people.
            call: Makes it.
        """
        began = self.network.now_s()
        returned = call()
        ended = self.network.now_s()
        self.calls.append(
            SystemCall(
                by_server=self._by_server,
                name=name,
                arguments=arguments,
                result=_count(returned),
                began_s=began,
                ended_s=ended,
            )
        )
        return returned


def _count(returned: object) -> int:
    match returned:
        case int():
            return returned
        case bytes():
            return len(returned)
        case socket.socket() as sock:
            return sock.fileno()
        case (socket.socket() as sock, _):
            return sock.fileno()
    return 0
