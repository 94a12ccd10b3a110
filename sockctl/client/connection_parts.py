"""What the halves of one connection share: its settings, its input, its messages, and who sends and shows."""

from typing import TYPE_CHECKING

from sockctl.client.inputs import LineInput, PipeInput
from sockctl.client.receiver import Receiver
from sockctl.client.sender import Sender
from sockctl.client.session_events import SessionEvent
from sockctl.client.settings import ClientSettings

if TYPE_CHECKING:
    from sockctl.client.datagram_exchange import DatagramExchange
    from sockctl.client.protocol import MessageProtocol
    from sockctl.client.script import Script
    from sockctl.client.web_exchange import WebExchange


class ConnectionParts:
    """The parts of one connection.

    Args:
        settings: How the session behaves.
        source: The session's input; not read where there is a script.
        protocol: The messages, where the server may speak in them.
        script: The steps, in place of an input.
        events: Where events are appended.
        now: The time.
        goes_on: Whether the client tries another server if this one doesn't let it in.
        local: Whether it is a connection over a Unix socket.
        peer: The server, for people.
        number: The number of the client at the other end, where this side has listened; None where it has connected.

    Attributes:
        settings: As above.
        source: As above.
        protocol: The messages; None once the wire is raw.
        script: As above.
        events: As above.
        local: True for a Unix socket, else None, as events have it.
        peer: As above.
        number: As above.
        other: What the other side is, for people.
        sender: Sends bytes and lines.
        receiver: Shows what comes.
        datagrams: The datagrams of UDP; None for a connection of another kind.
        web: The messages of a WebSocket; None for a connection of another kind.
    """

    def __init__(
        self,
        settings: ClientSettings,
        source: LineInput | PipeInput,
        protocol: "MessageProtocol | None",
        script: "Script | None",
        events: list[SessionEvent],
        now: float,
        *,
        goes_on: bool,
        local: bool,
        peer: str,
        number: int | None,
    ) -> None:
        self.settings = settings
        self.source = source
        self.protocol = protocol
        self.script = script
        self.events = events
        self.local = True if local else None
        self.peer = peer
        self.number = number
        self.other = "server" if number is None else "client"
        self.sender = Sender(settings, source, events)
        self.receiver = Receiver(settings, script, self.sender, events)
        self.datagrams = self._open_datagrams(peer) if settings.udp else None
        self.web = self._open_web(now) if settings.web else None
        self._tries_next = goes_on

    @property
    def exchange(self) -> "WebExchange | DatagramExchange | None":
        """Both directions of a wire with messages of its own; None for a stream."""
        return self.web or self.datagrams

    @property
    def input_ended(self) -> bool:
        """Whether the input, or the script, has nothing more to send."""
        return self.source.ended and not self.sender.held if self.script is None else self.script.ended

    @property
    def is_welcomed(self) -> bool:
        """Whether the server has let the client in."""
        return self.protocol is not None and self.protocol.is_welcomed

    @property
    def goes_on(self) -> bool:
        """Whether the client tries another server if this one doesn't let it in: it still has all answers."""
        return self._tries_next and not self.is_welcomed and self.sender.can_repeat

    def _open_web(self, now: float) -> "WebExchange":
        from sockctl.client.web_exchange import WebExchange

        return WebExchange(self.settings, self.sender, self.receiver, self.events, now)

    def _open_datagrams(self, peer: str) -> "DatagramExchange":
        from sockctl.client.datagram_exchange import DatagramExchange

        scripted = self.script is not None
        return DatagramExchange(self.settings, self.sender, self.receiver, self.events, peer, scripted=scripted)
