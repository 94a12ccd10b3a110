"""The events of a server as a whole, from its start to its stop."""

from dataclasses import dataclass
from typing import ClassVar

from sockctl.events.base import Event, Level
from sockctl.text import format_bytes, format_seconds, plural


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerStarted(Event):
    """The server process starts; nothing listens yet."""

    version: str
    pid: int
    does: str

    @property
    def text(self) -> str:
        return f"sockctl {self.version} starts as process {self.pid}. {self.does}"


@dataclass(frozen=True, slots=True, kw_only=True)
class PortTaken(Event):
    """The wanted port was taken, so the server took another one."""

    level: ClassVar[Level] = Level.WARNING

    wanted_port: int
    port: int

    @property
    def text(self) -> str:
        return (
            f"Port {self.wanted_port} is taken by another program (bind() failed with EADDRINUSE), so the server "
            f"moved to port {self.port}; --strict-port refuses instead."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Listening(Event):
    """The server takes connections from now on. `host` and `port` are the socket's own."""

    host: str
    port: int
    backlog: int

    @property
    def text(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return (
            f"Listening on {host}:{self.port}: socket() made the server's socket, bind() gave it this address, and "
            f"listen() lets clients connect; up to {self.backlog:,} may wait until accept() takes them."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Reachable(Event):
    """One address at which clients reach the server, and the command for it."""

    scope: str
    host: str
    port: int
    command: str

    @property
    def text(self) -> str:
        where = "this machine" if self.scope == "machine" else "other machines, virtual ones included"
        return f"From {where}: {self.command}"


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopbackOnly(Event):
    """Only this machine reaches the server."""

    @property
    def text(self) -> str:
        return (
            "Other machines, virtual ones included, can't reach it: it listens on the loopback interface only. "
            "--host '' listens on every interface."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class DescriptorsLimited(Event):
    """The system allows fewer descriptors than ``--max-clients`` may need."""

    level: ClassVar[Level] = Level.WARNING

    needed: int
    limit: int
    max_clients: int

    @property
    def text(self) -> str:
        return (
            f"--max-clients {self.max_clients} may need {self.needed:,} file descriptors, and the system allows this "
            f"process {self.limit:,}: clients beyond that wait until others leave. Raise the hard limit (ulimit -Hn) "
            f"or lower --max-clients."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsCertificate(Event):
    """The server has a certificate, at its start or after SIGHUP. `fingerprint` is the SHA-256 of its DER form."""

    path: str
    fingerprint: str

    @property
    def text(self) -> str:
        return (
            f"Connections are encrypted with the certificate in {self.path}. Its fingerprint is SHA256 "
            f"{self.fingerprint}: clients that see another one don't talk with this server."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsCertificateRefused(Event):
    """SIGHUP came, and the certificate can't be loaded; the old one stays."""

    level: ClassVar[Level] = Level.ERROR

    error: str

    @property
    def text(self) -> str:
        return f"SIGHUP: the certificate stays as it was, since the new one can't be loaded. {self.error}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerStopping(Event):
    """The server was asked to stop."""

    clients: int
    drain_timeout_s: float

    @property
    def text(self) -> str:
        if not self.clients:
            return "The server was asked to stop. It takes no more clients, and none is connected."
        return (
            f"The server was asked to stop. It takes no more clients, answers what it has received from the "
            f"{self.clients:,} connected, and closes them within {self.drain_timeout_s:g} s."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerStopped(Event):
    """The server has ended; the counts are those of its whole life."""

    clients: int
    bytes_in: int
    bytes_out: int
    seconds: float

    @property
    def text(self) -> str:
        return (
            f"The server stopped after {format_seconds(self.seconds)}, its sockets are closed. It served "
            f"{plural(self.clients, 'client')}, received {format_bytes(self.bytes_in)} and sent "
            f"{format_bytes(self.bytes_out)}."
        )
