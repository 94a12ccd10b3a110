"""A client of a message service: greeted, then in frames."""

from abc import abstractmethod
from collections.abc import Callable

from sockctl.bench.pool import Client, WorkerContext
from sockctl.errors import ProtocolError
from sockctl.net.poller import WRITABLE
from sockctl.net.transport import Transport
from sockctl.protocol.client_wire import ClientWire
from sockctl.protocol.messages import Message, decode_message


class MessageClient(Client):
    """One connection to a message service.

    Args:
        context: The state that all clients share.
        number: The client's number.
        decode: Returns the message in a frame's text.
    """

    def __init__(
        self, context: WorkerContext, number: int, *, decode: Callable[[str], Message] = decode_message
    ) -> None:
        super().__init__(context, number)
        self._decode = decode
        self.wire = self._make_wire()
        self._blocked = False

    @abstractmethod
    def heard(self, one: Message) -> None:
        """Process a message of the server."""

    def connected(self, transport: Transport) -> None:
        """Wait for the greeting."""
        self._transport = transport
        self.wire = self._make_wire()
        self._blocked = False

    def _make_wire(self) -> ClientWire:
        return ClientWire(insist=True, opening=_open, decode=self._decode)

    def send(self, *messages: Message) -> None:
        """Send messages."""
        for one in messages:
            self.wire.outgoing += ClientWire.encode(one)
        self.flush()

    def ready(self, events: int) -> None:
        """Receive, and send bytes that couldn't be sent before."""
        if events & WRITABLE:
            self.flush()
            if not events & ~WRITABLE:
                return
        if self._transport is None:
            return
        try:
            size = self._transport.recv_into(self.context.buffer)
            if size:
                self.take(bytes(self.context.view[:size]))
            else:
                self.fail("closed")
        except BlockingIOError:
            return
        except OSError:
            self.fail("reset")
        except ProtocolError as error:
            self.fail(error.code)

    def take(self, data: bytes) -> None:
        """Process bytes of the server.

        Raises:
            ProtocolError: The bytes break the protocol.
        """
        self.wire.feed(data)
        for one in self.wire.decode_all():
            if self.gone:
                return
            self.heard(one)
        self.flush()

    def flush(self) -> None:
        """Send unsent bytes, as far as the system takes them."""
        while self.wire.outgoing and self._transport is not None:
            try:
                count = self._transport.send(self.wire.outgoing)
            except BlockingIOError:
                break
            except OSError:
                self.fail("reset")
                return
            del self.wire.outgoing[:count]
        if self._blocked != bool(self.wire.outgoing) and self._transport is not None:
            self._blocked = bool(self.wire.outgoing)
            self.want_to_send(self._blocked)


def _open(_: str) -> bytes:
    return ClientWire.hello(session=False)
