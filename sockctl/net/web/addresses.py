"""The addresses of a server's page, and those of the other servers of the same chat."""

from collections.abc import Callable, Collection, Sequence

from sockctl.protocol.http_rules import HostHeader, Origin, accepts_host, accepts_origin, parse_origin


class Addresses:
    """Where a page is, here and at other servers. Threads may share it.

    A page that was loaded from one server may open a WebSocket at another one. So a server accepts the origins of those
    that are advertised, exactly. The page may know the others only under the origin that they know.

    Args:
        names: The names that the server answers to, beside IP addresses and `localhost`; in small letters.
        own: The origin that this server advertises; None where it advertises none.
        list_all: Returns the origins that the servers of the chat advertise.
    """

    def __init__(
        self,
        names: Collection[str] = (),
        *,
        own: Origin | None = None,
        list_all: Callable[[], Collection[Origin]] = tuple,
    ) -> None:
        self._names = frozenset([*names, own.host] if own is not None else names)
        self._own = own
        self._list_all = list_all

    def accepts_host(self, host: str) -> bool:
        """Return whether the server answers to a host."""
        return accepts_host(host, self._names)

    def accepts_origin(self, origin: str, host: HostHeader, *, encrypted: bool, opens_websocket: bool) -> bool:
        """Return whether a request may come from a page of this origin."""
        if accepts_origin(origin, host, encrypted=encrypted):
            return True
        return opens_websocket and self._own is not None and parse_origin(origin) in self._list_all()

    def list_others(self, host: HostHeader) -> Sequence[Origin]:
        """Return the origins of the other servers, for a page that was asked for with this Host."""
        if self._own is None or not self._own.is_at(host):
            return ()
        return sorted(one for one in self._list_all() if one != self._own)
