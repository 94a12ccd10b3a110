"""How an engine is reached: its place, or the Sentinels that know it; the login there, and the certificates."""

import dataclasses
import shlex
from dataclasses import dataclass, field
from pathlib import Path

USUAL_PORT = 6379
SENTINEL_PORT = 26379


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineLogin:
    """The login at an engine.

    Attributes:
        user: The user; ``default`` is the engine's own for clients that name none.
        password: The password.
    """

    user: str = "default"
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Place:
    """A host name or IP address, and a TCP port."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineAccess:
    """The way to an engine.

    Attributes:
        host: Its host name or IP address; empty where Sentinels know it.
        port: Its TCP port.
        sentinels: The Sentinels that know the engine's place; empty where `host` names it.
        group: The name that Sentinels have for the engine and its replicas; with `host`, that is a Sentinel itself.
        database: The number of the database in it.
        tls: Whether the connection is encrypted.
        login: The login; None for none.
        ca: The file (PEM) of the authorities that vouch for its certificate; None for the system's.
        certificate: The client's own certificate (PEM); None for none.
        key: The key (PEM) of that certificate; None where the certificate's file holds it.
        timeout_s: How long connecting may take, and each answer.
    """

    host: str = ""
    port: int = USUAL_PORT
    sentinels: tuple[Place, ...] = ()
    group: str = ""
    database: int = 0
    tls: bool = False
    login: EngineLogin | None = None
    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    timeout_s: float = 5.0

    def __str__(self) -> str:
        scheme = "rediss" if self.tls else "redis"
        database = f"/{self.database}" if self.database else ""
        if self.is_sentinel:
            return f"Sentinel {Place(self.host, self.port)}"
        if self.sentinels:
            return f"{scheme}+sentinel://{','.join(map(str, self.sentinels))}/{self.group}{database}"
        return f"{scheme}://{Place(self.host, self.port)}{database}"

    @property
    def is_sentinel(self) -> bool:
        """Whether this is the way to a Sentinel, and to no engine."""
        return bool(self.host and self.group)

    @property
    def user(self) -> str:
        """The engine's user."""
        return "default" if self.login is None else self.login.user

    def at(self, place: Place) -> "EngineAccess":
        """Return the way to an engine at this place, with the same login and certificates."""
        return dataclasses.replace(self, host=place.host, port=place.port, sentinels=(), group="")

    def at_sentinel(self, place: Place) -> "EngineAccess":
        """Return the way to a Sentinel at this place, without a login, with the same certificates."""
        return dataclasses.replace(self, host=place.host, port=place.port, sentinels=(), database=0, login=None)

    def write_command(self, *words: str) -> str:
        """Return the shell's line that lets ``redis-cli`` run a command at the engine."""
        files = {"--cacert": self.ca, "--cert": self.certificate, "--key": self.key}
        tls = [word for option, file in files.items() if file is not None for word in (option, str(file))]
        place = ["-h", self.host, "-p", str(self.port), *(["--tls", *tls] if self.tls else [])]
        return shlex.join(["redis-cli", *place, *words])
