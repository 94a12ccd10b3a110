"""What a service knows of a client, for the operator who watches the server."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientDescription:
    """A client as its service knows it.

    Attributes:
        name: The name of the user or the client; empty where the service knows none.
        room: Where it speaks; empty for a service without rooms.
        muted: Whether the service lets it read only.
    """

    name: str = ""
    room: str = ""
    muted: bool = False


NOBODY = ClientDescription()
"""The description of a client of which the service knows nothing, or nothing yet."""
