"""The token of a session, with which the server lets it in again."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sockctl.client.server_identity import ServerIdentity


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """The token that lets this session in again.

    Attributes:
        server: The server that gave it.
        service: Its service.
        token: The secret itself; the repr is without it.
        user: Whose it is; empty for a guest's.
        is_kept: Whether the file has it, or a newer one of the user: it is a user's, and the file was to be used.
    """

    server: "ServerIdentity"
    service: str
    token: str = field(repr=False)
    user: str
    is_kept: bool = False
