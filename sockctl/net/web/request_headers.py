"""The headers of a request."""

import h11


class RequestHeaders:
    """The headers of a request."""

    def __init__(self, request: h11.Request) -> None:
        self.pairs = [(name.decode("ascii"), value.decode("latin-1")) for name, value in request.headers]

    def get_all(self, name: str) -> list[str]:
        """Return the values of a header, whose name is in small letters."""
        return [value for found, value in self.pairs if found == name]

    def get(self, name: str) -> str | None:
        """Return the value of a header; None if it is missing."""
        return next(iter(self.get_all(name)), None)

    @property
    def asks_for_websocket(self) -> bool:
        """Whether the client wants a WebSocket; other protocols to change to are passed over, as HTTP allows."""
        upgrades = ",".join(self.get_all("upgrade")).lower().split(",")
        return "websocket" in map(str.strip, upgrades) or self.get("sec-websocket-key") is not None
