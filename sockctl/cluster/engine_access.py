"""How an engine is reached: its place, the login there, and the certificates."""

import shlex
from dataclasses import dataclass, field
from pathlib import Path

USUAL_PORT = 6379


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineLogin:
    """The login at an engine.

    Attributes:
        user: The user; ``default`` is the engine's own for clients that name none.
        password: The password.
    """

    user: str = "default"
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineAccess:
    """The way to an engine.

    Attributes:
        host: Its host name or IP address.
        port: Its TCP port.
        database: The number of the database in it.
        tls: Whether the connection is encrypted.
        login: The login; None for none.
        ca: The file (PEM) of the authorities that vouch for its certificate; None for the system's.
        certificate: The client's own certificate (PEM); None for none.
        key: The key (PEM) of that certificate; None where the certificate's file holds it.
        timeout_s: How long connecting may take, and each answer.
    """

    host: str
    port: int = USUAL_PORT
    database: int = 0
    tls: bool = False
    login: EngineLogin | None = None
    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    timeout_s: float = 5.0

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        database = f"/{self.database}" if self.database else ""
        return f"{'rediss' if self.tls else 'redis'}://{host}:{self.port}{database}"

    def write_command(self, *words: str) -> str:
        """Return the shell's line that lets ``redis-cli`` run a command at the engine."""
        files = {"--cacert": self.ca, "--cert": self.certificate, "--key": self.key}
        tls = [word for option, file in files.items() if file is not None for word in (option, str(file))]
        place = ["-h", self.host, "-p", str(self.port), *(["--tls", *tls] if self.tls else [])]
        return shlex.join(["redis-cli", *place, *words])
