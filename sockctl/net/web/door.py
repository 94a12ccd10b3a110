"""The web door of a server: a page, and a WebSocket into the same service."""

from sockctl.events.journal import Journal
from sockctl.net.connection import Connection
from sockctl.net.door import FULL, Door
from sockctl.net.event_loop import EventLoop
from sockctl.net.handler import Handler
from sockctl.net.input_budget import InputBudget
from sockctl.net.limits import Timeouts
from sockctl.net.listener import Listeners
from sockctl.net.service import MessageService, RawService, Service
from sockctl.net.web.addresses import Addresses
from sockctl.net.web.http_conversation import HttpConversation
from sockctl.net.web.large_messages import LargeMessages
from sockctl.net.web.message_handler import WebMessagePeer
from sockctl.net.web.raw_handler import WebRawHandler
from sockctl.net.web.site import Site


class WebDoor(Door):
    """A door for browsers.

    Args:
        service: The service.
        listeners: The listening sockets.
        journal: Takes the events.
        timeouts: The time limits.
        site: The page's files.
        addresses: The addresses that the server answers to.
    """

    converses = True
    for_browsers = True
    excuse = (
        b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain\r\nRetry-After: 10\r\n"
        b"Content-Length: %d\r\nConnection: close\r\n\r\n%s" % (len(FULL), FULL)
    )

    def __init__(
        self,
        service: Service,
        listeners: Listeners,
        journal: Journal,
        timeouts: Timeouts,
        *,
        site: Site,
        addresses: Addresses | None = None,
    ) -> None:
        self.listeners = listeners
        self._service = service
        self._journal = journal
        self._timeouts = timeouts
        self._site = site
        self._large = LargeMessages()
        self._addresses = addresses or Addresses()

    def make_handler(self, connection: Connection, event_loop: EventLoop, budget: InputBudget) -> Handler:
        """Return the handler that joins the service and a connection."""
        http = HttpConversation(
            connection, self._site, self._journal, budget, addresses=self._addresses, head_s=self._timeouts.head_s
        )
        match self._service:
            case MessageService():
                return WebMessagePeer(
                    connection, event_loop, self._service, self._journal, budget, timeouts=self._timeouts, http=http
                )
            case RawService():
                return WebRawHandler(connection, event_loop, self._service, self._journal, http=http, large=self._large)
            case _:
                raise TypeError(f"{type(self._service).__name__} is neither a RawService nor a MessageService")
