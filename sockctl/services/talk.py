"""The talk service: each client talks with the operator at the server's terminal, and doesn't hear other clients."""

import re
import threading
from typing import ClassVar, Protocol

from sockctl.errors import NobodyThereError
from sockctl.events.reasons import DisconnectReason, Reason
from sockctl.net.peer import Peer
from sockctl.net.service import MessageService
from sockctl.protocol.messages import SAYING_KINDS, Message, make_message
from sockctl.stores.timestamps import format_timestamp, read_utc_clock

OPERATOR = "operator"
"""The sender of the messages typed at the server's terminal."""
_ADDRESSED = re.compile(r"@([0-9]{1,9})\s+(.*)", re.DOTALL)
_WHY: dict[Reason, str] = {
    DisconnectReason.CLIENT_RESET: "connection lost",
    DisconnectReason.CLIENT_VANISHED: "connection lost",
    DisconnectReason.TLS_ERROR: "TLS broken",
    DisconnectReason.PROTOCOL_ERROR: "it sent what is no message",
    DisconnectReason.SLOW_READER: "too slow to read along",
    DisconnectReason.SEND_TIMEOUT: "too slow to read along",
    DisconnectReason.DRAIN_TIMEOUT: "too slow to read along",
    DisconnectReason.FLOODING: "flooding",
    DisconnectReason.IDLE_TIMEOUT: "nothing said for too long",
    DisconnectReason.SERVER_STOPPING: "the server is stopping",
    DisconnectReason.INTERNAL_ERROR: "the server failed",
}
"""Why a client left, for the operator; after any other reason it left of its own will."""


def format_left(number: int, why: str) -> str:
    """Return the words that a client has left: ``client 2 left (connection lost)``."""
    return f"client {number} left" + (f" ({why})" if why else "")


class OperatorView(Protocol):
    """Shows the operator what clients do. The event threads call it, so it must not block."""

    def show_joined(self, number: int, peer: str) -> None:
        """Show that a client has connected."""
        ...

    def show_said(self, number: int, text: str) -> None:
        """Show a client's message."""
        ...

    def show_left(self, number: int, why: str) -> None:
        """Show that a client has left, and why; empty where it left of its own will."""
        ...


class Talk(MessageService):
    """Shows the operator the clients' messages, and sends clients the operator's.

    Args:
        view: Shows the operator what clients do.
    """

    name: ClassVar[str] = "talk"

    def __init__(self, view: OperatorView) -> None:
        self._view = view
        self._lock = threading.Lock()  # guards the two below: the event threads and the operator's use them
        self._peers: dict[int, Peer] = {}
        self._last: int | None = None  # the number of the client that spoke last

    @property
    def does(self) -> str:
        """Say what the service does, in a sentence or two."""
        return "It serves talk. The clients and the operator at this terminal answer each other."

    def joined(self, peer: Peer) -> None:
        """Show the operator a new client, and tell the client its number."""
        with self._lock:
            self._peers[peer.number] = peer
        peer.tell("welcome", f"You are client {peer.number}. What you type is shown to the operator, who can answer.")
        self._view.show_joined(peer.number, peer.shown)

    def received(self, peer: Peer, batch: list[Message]) -> None:
        """Show the messages of `peer`, but for empty lines."""
        for one in batch:
            if one.kind in SAYING_KINDS and one.text and not one.text.isspace():
                with self._lock:
                    self._last = peer.number
                self._view.show_said(peer.number, one.text)

    def left(self, peer: Peer, reason: Reason) -> None:
        """Show the operator that a client has left."""
        with self._lock:
            self._peers.pop(peer.number, None)
            if self._last == peer.number:
                self._last = None
        self._view.show_left(peer.number, _WHY.get(reason, ""))

    @property
    def numbers(self) -> list[int]:
        """The numbers of the clients that are here."""
        with self._lock:
            return sorted(self._peers)

    @property
    def addressee(self) -> int | None:
        """The number of the client that a text without an address is for: that which spoke last, or the only one."""
        with self._lock:
            return self._last if self._last is not None or len(self._peers) != 1 else next(iter(self._peers))

    def say(self, line: str) -> None:
        """Send a line of the operator: ``@2 text`` to client 2, others to the `addressee`. Raises as `send` does."""
        number, text = split_address(line)
        self.send(self.addressee if number is None else number, text)

    def send(self, number: int | None, *texts: str) -> None:
        """Send texts of the operator to a client.

        Raises:
            NobodyThereError: There is no such client, or no client, or several of which none has spoken.
        """
        with self._lock:
            peer = self._find(number)
        at = format_timestamp(read_utc_clock())
        for text in texts:
            peer.post(make_message("say", text, sender=OPERATOR, at=at))

    def _find(self, number: int | None) -> Peer:
        here = ", ".join(map(str, sorted(self._peers)))
        if not self._peers:
            raise NobodyThereError("Nobody is connected: nothing was sent.")
        if number is None:
            raise NobodyThereError(
                f"Several are connected, and none of them has spoken: pick one with @NUMBER ({here})."
            )
        if number not in self._peers:
            raise NobodyThereError(f"There is no client {number}: nothing was sent. Connected: {here}.")
        return self._peers[number]


def split_address(line: str) -> tuple[int | None, str]:
    """Return the number of the client to which a line is addressed, None for none, and the text."""
    addressed = _ADDRESSED.fullmatch(line)
    return (int(addressed[1]), addressed[2]) if addressed else (None, line)
