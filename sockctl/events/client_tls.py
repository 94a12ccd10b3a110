"""What happens to a client's connections under TLS; a client without TLS doesn't load it."""

from dataclasses import dataclass
from typing import ClassVar

from sockctl.events.base import Event, Level


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsEstablished(Event):
    """The TLS handshake is done, and the server is trusted."""

    version: str
    cipher: str
    fingerprint: str

    @property
    def text(self) -> str:
        return (
            f"The TLS handshake is done: {self.version} with {self.cipher}, and the server is trusted. Its certificate "
            f"has SHA256 {self.fingerprint}."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class HostTrusted(Event):
    """A server was unknown, and is trusted from now on."""

    host: str
    fingerprint: str

    @property
    def text(self) -> str:
        return f"{self.host} was unknown, and is known by SHA256 {self.fingerprint} from now on."


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsCut(Event):
    """The connection ended without the goodbye of TLS (close_notify)."""

    level: ClassVar[Level] = Level.WARNING

    @property
    def text(self) -> str:
        return (
            "The connection ended without the goodbye of TLS (close_notify): it may have been cut, and something may "
            "be missing."
        )
