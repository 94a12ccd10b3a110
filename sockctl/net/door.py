"""The doors of a server: each has listening sockets, and makes the handler of each connection that comes there."""

from abc import ABC, abstractmethod

from sockctl.events.journal import Journal
from sockctl.net.connection import Connection
from sockctl.net.event_loop import EventLoop
from sockctl.net.handler import Handler
from sockctl.net.input_budget import InputBudget
from sockctl.net.limits import Timeouts
from sockctl.net.listener import Listeners
from sockctl.net.message_peer import MessagePeer
from sockctl.net.raw_handler import RawHandler
from sockctl.net.service import ConnectionService, Conversation, MessageService, RawService, Service
from sockctl.protocol.greeting import make_greeting

FULL = b"All places are taken: come back later.\r\n"
"""The text for a client that is refused for want of a place."""


class Door(ABC):
    """A way into a server.

    Attributes:
        listeners: The listening sockets.
        converses: Whether each connection begins with a conversation, in a handler thread of its own.
        for_browsers: Whether it is for browsers, not for the clients of the service's own wire.
        excuse: The bytes for a client that is refused for want of a place; not sent where connections are encrypted.
    """

    listeners: Listeners
    converses: bool
    for_browsers: bool = False
    excuse: bytes

    @abstractmethod
    def make_handler(self, connection: Connection, event_loop: EventLoop, budget: InputBudget) -> Handler:
        """Return the handler that joins the service and a connection."""


class ServiceDoor(Door):
    """The door of a service's own wire: bytes, or messages in frames or lines.

    Args:
        service: The service.
        listeners: The listening sockets.
        journal: Takes the events.
        timeouts: The time limits.
    """

    def __init__(self, service: Service, listeners: Listeners, journal: Journal, timeouts: Timeouts) -> None:
        self.listeners = listeners
        self.converses = isinstance(service, Conversation | ConnectionService)
        self.excuse = make_greeting(service.name) + FULL if isinstance(service, MessageService) else b""
        self._service = service
        self._journal = journal
        self._timeouts = timeouts

    def make_handler(self, connection: Connection, event_loop: EventLoop, budget: InputBudget) -> Handler:
        """Return the handler that joins the service and a connection."""
        match self._service:
            case MessageService():
                return MessagePeer(
                    connection, event_loop, self._service, self._journal, budget, timeouts=self._timeouts
                )
            case RawService():
                return RawHandler(connection, event_loop, self._service)
            case ConnectionService():
                return self._service.make_handler(connection, event_loop)
            case _:
                raise TypeError(f"{type(self._service).__name__} is no service that this door knows")
