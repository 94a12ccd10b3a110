"""Talk (row 10): the operator at the server's terminal and the clients answer each other, message for message."""

import re
import threading
from typing import ClassVar, Protocol

from sockctl.errors import NobodyThereError
from sockctl.events.reasons import Reason
from sockctl.net.peer import Peer
from sockctl.net.service import MessageService
from sockctl.protocol.messages import Message, message
from sockctl.stores.timestamps import format_timestamp, utc_now

__all__ = ["OPERATOR", "SAYING_KINDS", "Desk", "Talk"]

OPERATOR = "operator"
"""The sender of what is said at the server's terminal."""
SAYING_KINDS = frozenset({"line", "answer", "say"})
"""Kinds of a client in which it says something."""
_ADDRESSED = re.compile(r"@(\d{1,9})\s+(.*)", re.DOTALL)


class Desk(Protocol):
    """Where the operator sees what happens. Called by the event threads: nothing here may block."""

    def joined(self, number: int, peer: str) -> None:
        """Show that a client is here."""
        ...

    def said(self, number: int, text: str) -> None:
        """Show what a client has said."""
        ...

    def left(self, number: int, reason: Reason) -> None:
        """Show that a client is gone."""
        ...


class Talk(MessageService):
    """Shows the operator what clients say, and carries back what the operator says.

    Args:
        desk: Where the operator sits.
    """

    name: ClassVar[str] = "talk"

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._lock = threading.Lock()  # guards the two below: the event threads and the operator's use them
        self._peers: dict[int, Peer] = {}
        self._last: int | None = None  # who spoke last

    @property
    def does(self) -> str:
        """One sentence that says what the service does."""
        return "It serves talk: clients and whoever sits at this terminal answer each other."

    def joined(self, peer: Peer) -> None:
        """Let the operator know, and the client who it is."""
        with self._lock:
            self._peers[peer.number] = peer
        peer.tell("welcome", f"You are client {peer.number}. What you type is shown to the operator, who can answer.")
        self._desk.joined(peer.number, peer.shown)

    def received(self, peer: Peer, batch: list[Message]) -> None:
        """Show what `peer` says; an empty line says nothing."""
        for one in batch:
            if one.kind in SAYING_KINDS and one.text and not one.text.isspace():
                with self._lock:
                    self._last = peer.number
                self._desk.said(peer.number, one.text)

    def left(self, peer: Peer, reason: Reason) -> None:
        """Let the operator know."""
        with self._lock:
            self._peers.pop(peer.number, None)
            if self._last == peer.number:
                self._last = None
        self._desk.left(peer.number, reason)

    def say(self, line: str) -> None:
        """Send what the operator has typed: ``@2 text`` to client 2, else to who spoke last, or to the only one here.

        Raises:
            NobodyThereError: There is no such client, or none at all, or several of whom none has spoken.
        """
        addressed = _ADDRESSED.fullmatch(line)
        with self._lock:
            peer = self._addressee(int(addressed[1]) if addressed else None)
        text = addressed[2] if addressed else line
        peer.post(message("say", text, sender=OPERATOR, at=format_timestamp(utc_now())))

    def _addressee(self, number: int | None) -> Peer:
        here = ", ".join(map(str, sorted(self._peers)))
        if not self._peers:
            raise NobodyThereError("Nobody is connected: nothing was sent.")
        if number is not None:
            if number not in self._peers:
                raise NobodyThereError(f"There is no client {number}: nothing was sent. Connected: {here}.")
            return self._peers[number]
        chosen = self._last if self._last is not None or len(self._peers) > 1 else next(iter(self._peers))
        if chosen is None:
            raise NobodyThereError(
                f"Several are connected, and none of them has spoken: pick one with @NUMBER ({here})."
            )
        return self._peers[chosen]
