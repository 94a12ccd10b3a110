"""The events of a client under TLS; a client without TLS doesn't load them."""

from dataclasses import dataclass
from typing import ClassVar

from sockctl.events.base import Event, Level


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsEstablished(Event):
    """The TLS handshake is done, and the client trusts the server."""

    version: str
    cipher: str
    fingerprint: str

    @property
    def happened(self) -> str:
        return f"The TLS handshake is done: {self.version} with {self.cipher}."

    @property
    def explanation(self) -> str:
        return "The client trusts the certificate of the server. From here on everything is encrypted."


@dataclass(frozen=True, slots=True, kw_only=True)
class HostTrusted(Event):
    """The client did not know a server, and trusts it from now on.

    Attributes:
        asked: Whether the user was asked, and so has seen the fingerprint.
    """

    host: str
    fingerprint: str
    asked: bool = False

    @property
    def happened(self) -> str:
        certificate = "" if self.asked else f" Its certificate has SHA256 {self.fingerprint}."
        return f"{self.host} was unknown, and is trusted from now on.{certificate}"


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsCut(Event):
    """The connection ended without the goodbye of TLS (close_notify)."""

    level: ClassVar[Level] = Level.WARNING

    @property
    def happened(self) -> str:
        return "The connection ended without the goodbye of TLS (close_notify)."

    @property
    def explanation(self) -> str:
        return "Somebody may have cut it, and something may be missing."
