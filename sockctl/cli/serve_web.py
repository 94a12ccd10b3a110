"""The web door of a server, as its options want it."""

from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING

from sockctl.cli.extras import needing
from sockctl.cli.web_options import WebOptions
from sockctl.errors import OptionError
from sockctl.events.base import Event
from sockctl.events.journal import Journal
from sockctl.events.server import Listening, PortTaken
from sockctl.events.web import PageServed
from sockctl.net.address import Endpoint, format_address
from sockctl.net.limits import Timeouts
from sockctl.net.listener import Listeners, open_listeners
from sockctl.net.reachability import find_reach
from sockctl.net.service import Service
from sockctl.protocol.http_rules import Origin

if TYPE_CHECKING:
    from sockctl.net.web.door import WebDoor


@dataclass(frozen=True, slots=True)
class Advertised:
    """What the servers of a chat tell each other of their pages.

    Attributes:
        own: The origin of this server's page.
        list_all: Returns the origins of all pages.
    """

    own: Origin
    list_all: Callable[[], Collection[Origin]]


class ServingWeb:
    """The web door of a server.

    Args:
        options: The options of the user.
        host: The host to listen on.
        strict_port: Whether to fail if the port is taken. An advertised page keeps its port in any case.
        backlog: How many connections may wait to be accepted.
        encrypted: Whether connections are encrypted.
        advertised: The pages of the chat's servers; None for a server that advertises none.

    Raises:
        ListenError: The server can't listen there.
        OptionError: A name is wrong.
    """

    def __init__(
        self,
        options: WebOptions,
        host: str,
        port: int,
        *,
        strict_port: bool,
        backlog: int,
        encrypted: bool,
        advertised: Advertised | None = None,
    ) -> None:
        self._advertised = advertised
        self._names = [_check_name(name) for name in options.web_name or []]
        self._scheme = "https" if encrypted else "http"
        self._opens_browser = options.opens_browser
        is_strict = strict_port or advertised is not None
        self.listeners: Listeners = open_listeners(host, port, strict_port=is_strict, backlog=backlog, option="--web")

    def make_door(self, service: Service, journal: Journal, timeouts: Timeouts) -> "WebDoor":
        """Return the door.

        Raises:
            LibraryMissingError: A library is missing.
        """
        with needing("web", "--web"):
            from sockctl.net.web.addresses import Addresses
            from sockctl.net.web.door import WebDoor
            from sockctl.net.web.site import load_site
        site = load_site(files("sockctl") / "web" / service.name)
        addresses = Addresses(self._names)
        if self._advertised is not None:
            addresses = Addresses(self._names, own=self._advertised.own, list_all=self._advertised.list_all)
        return WebDoor(service, self.listeners, journal, timeouts, site=site, addresses=addresses)

    def tell_place(self, journal: Journal) -> None:
        """Emit where the page is."""
        listeners = self.listeners
        if listeners.wanted_port not in (0, listeners.port):
            journal.emit(PortTaken(wanted_port=listeners.wanted_port, port=listeners.port))
        for event in self.list_events():
            journal.emit(event)

    def list_events(self) -> Iterator[Event]:
        """Yield the events that say where the page is."""
        for host in self.listeners.hosts:
            yield Listening(host=host, port=self.listeners.port, backlog=self.listeners.backlog, for_browsers=True)
        for url in self._list_urls():
            yield PageServed(url=url)

    @property
    def description(self) -> str:
        """A sentence that says where the page is."""
        return f" The page is at {next(self._list_urls())}"

    def open_browser(self) -> None:
        """Open the page in the browser, if the user wants that."""
        if self._opens_browser:
            import typer

            typer.launch(next(self._list_urls()))

    def _list_urls(self) -> Iterator[str]:
        """Yield the page's addresses: the advertised one, by name, on this machine, and for other machines."""
        if self._advertised is not None:
            yield f"{self._advertised.own}/"
        port = self.listeners.port
        reach = find_reach(self.listeners.hosts, port)
        for name in self._names:
            yield f"{self._scheme}://{format_address(name, port)}/"
        endpoints: list[Endpoint] = [
            *reach.machine[:1],
            *(one for one in reach.network if one not in reach.machine[:1]),
        ]
        for endpoint in endpoints:
            yield f"{self._scheme}://{endpoint}/"


def open_web(
    options: WebOptions | None,
    host: str,
    *,
    strict_port: bool,
    backlog: int,
    encrypted: bool,
    advertised: Advertised | None = None,
) -> ServingWeb | None:
    """Return the web door that the options ask for; None if they ask for none.

    Raises:
        OptionError: The options contradict each other, or a name is wrong.
        ListenError: The server can't listen there.
    """
    if options is None or options.web is None:
        if options is not None and (options.web_name or options.opens_browser):
            raise OptionError("--web-name and --open are about the page for browsers: add --web PORT.")
        return None
    return ServingWeb(
        options,
        host,
        options.web,
        strict_port=strict_port,
        backlog=backlog,
        encrypted=encrypted,
        advertised=advertised,
    )


def _check_name(name: str) -> str:
    from sockctl.protocol.http_rules import parse_host_header

    found = parse_host_header(name)
    if found is None or found.port is not None:
        raise OptionError(f"--web-name {name!r} is no host name: give one such as chat.example, without a port.")
    return found.host
