"""The events of a server as a whole, from its start to its stop."""

from dataclasses import dataclass
from typing import ClassVar

from sockctl.events.base import Event, Level
from sockctl.text import format_bytes, format_count, format_seconds

EVERY_INTERFACE = "--host ''"
"""What lets a server listen on every interface."""
_SCOPES = {
    "machine": "this machine",
    "unix": "this machine, by the Unix socket",
    "network": "other machines, virtual ones included",
}
"""From where an address can be reached."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerStarted(Event):
    """The server process starts; it doesn't listen yet."""

    version: str
    pid: int
    does: str

    @property
    def happened(self) -> str:
        return f"sockctl {self.version} starts as process {self.pid}. {self.does}"


@dataclass(frozen=True, slots=True, kw_only=True)
class PortTaken(Event):
    """Another program has the wanted port, so the server took another one."""

    level: ClassVar[Level] = Level.WARNING

    wanted_port: int
    port: int

    @property
    def happened(self) -> str:
        return f"Port {self.wanted_port} is taken by another program, so the server moved to port {self.port}."

    @property
    def explanation(self) -> str:
        return "bind() failed with EADDRINUSE. With --strict-port the server fails instead."


@dataclass(frozen=True, slots=True, kw_only=True)
class Listening(Event):
    """The server takes connections from now on. `host` and `port` are those of its socket.

    `for_browsers` says whether the clients there are browsers.
    """

    explained: ClassVar[int] = 1

    host: str
    port: int
    backlog: int
    for_browsers: bool = False

    @property
    def happened(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"Listening {'for browsers ' if self.for_browsers else ''}on {host}:{self.port}."

    @property
    def explanation(self) -> str:
        return (
            f"socket() made the server's socket, bind() gave it this address, and listen() lets clients connect. Up to "
            f"{self.backlog:,} may wait until accept() takes them; Linux lets one more wait."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class UnixListening(Event):
    """The server takes connections at a Unix socket from now on.

    `mode` is that of its file in octal digits; an abstract name has none.
    """

    place: str
    backlog: int
    mode: str | None = None

    @property
    def happened(self) -> str:
        return f"Listening on {self.place}."

    @property
    def explanation(self) -> str:
        if self.mode is None:
            made = "bind() gave it this name, which no file has: it is gone with the server"
        else:
            made = f"bind() made its file, whose mode {self.mode} says which users may connect"
        return (
            f"socket() made a Unix socket, {made}. listen() lets processes of this machine connect. Up to "
            f"{self.backlog:,} may wait until accept() takes them; Linux lets one more wait."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class BacklogCut(Event):
    """The kernel lets fewer connections wait than ``--backlog`` asks for."""

    level: ClassVar[Level] = Level.WARNING

    wanted_backlog: int
    backlog: int

    @property
    def happened(self) -> str:
        return f"The kernel cuts --backlog {self.wanted_backlog} to {self.backlog}, its net.core.somaxconn."

    @property
    def explanation(self) -> str:
        return (
            f"listen() doesn't tell. Clients beyond that wait for their system's next try. Raise the bound with "
            f"'sysctl -w net.core.somaxconn={self.wanted_backlog}', and start the server again."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Reachable(Event):
    """An address at which clients reach the server, and the command for it."""

    scope: str
    host: str
    port: int
    command: str

    @property
    def happened(self) -> str:
        where = _SCOPES[self.scope]
        return f"From {where}: {self.command}"

    @property
    def shown_once(self) -> str | None:
        """One command is enough on this machine; others may reach only one of several addresses."""
        return self.scope if self.scope == "machine" else None


@dataclass(frozen=True, slots=True, kw_only=True)
class LoopbackOnly(Event):
    """Only this machine reaches the server. `wider` is what lets it listen on every interface."""

    wider: str = EVERY_INTERFACE

    @property
    def happened(self) -> str:
        return "Other machines, virtual ones included, can't reach it."

    @property
    def explanation(self) -> str:
        return f"The server listens on the loopback interface only; with {self.wider} it listens on every interface."


@dataclass(frozen=True, slots=True, kw_only=True)
class DescriptorsLimited(Event):
    """The system allows fewer descriptors than ``--max-clients`` may need."""

    level: ClassVar[Level] = Level.WARNING

    needed: int
    limit: int
    max_clients: int

    @property
    def happened(self) -> str:
        return (
            f"--max-clients {self.max_clients} may need {self.needed:,} file descriptors, and the system allows this "
            f"process {self.limit:,}."
        )

    @property
    def explanation(self) -> str:
        return (
            "Clients beyond that wait or are turned away until others leave. Raise the hard limit (ulimit -Hn) or "
            "lower --max-clients."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsCertificate(Event):
    """The server has loaded a certificate, at its start or after SIGHUP.

    `fingerprint` is the SHA-256 of its DER form.
    """

    path: str
    fingerprint: str

    @property
    def happened(self) -> str:
        return f"Connections are encrypted. The certificate has SHA256 {self.fingerprint}."

    @property
    def explanation(self) -> str:
        return f"It is in {self.path}. Clients that see another one don't talk with this server."


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsCertificateRefused(Event):
    """SIGHUP came, and the server can't load the certificate; it keeps the old one."""

    level: ClassVar[Level] = Level.ERROR

    error: str

    @property
    def happened(self) -> str:
        return f"SIGHUP came, and the server keeps the certificate that it has: it can't load the new one. {self.error}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerStopping(Event):
    """A signal asks the server to stop. `udp` is true where its clients are addresses, not connections."""

    clients: int
    drain_timeout_s: float
    udp: bool | None = None

    @property
    def happened(self) -> str:
        return "The server was asked to stop."

    @property
    def explanation(self) -> str:
        if self.udp:
            return "It answers the datagrams that wait in the receive buffer, and closes its sockets."
        if not self.clients:
            return "It takes no more clients, and none is connected."
        count, them = ("one", "it") if self.clients == 1 else (f"{self.clients:,}", "them")
        return (
            f"It takes no more clients, answers what it has received from the {count} connected, and closes {them} "
            f"within {self.drain_timeout_s:g} s."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerStopped(Event):
    """The server has ended; the counts are those of its whole life. A server of UDP counts datagrams, too."""

    clients: int
    bytes_in: int
    bytes_out: int
    seconds: float
    datagrams_in: int | None = None
    datagrams_out: int | None = None

    @property
    def happened(self) -> str:
        if self.datagrams_in is not None and self.datagrams_out is not None:
            return (
                f"The server stopped after {format_seconds(self.seconds)}. It heard "
                f"{format_count(self.clients, 'client')}, received {format_count(self.datagrams_in, 'datagram')} "
                f"({format_bytes(self.bytes_in)}) and sent {self.datagrams_out:,} ({format_bytes(self.bytes_out)})."
            )
        return (
            f"The server stopped after {format_seconds(self.seconds)}. It served {format_count(self.clients, 'client')}"
            f", received {format_bytes(self.bytes_in)} and sent {format_bytes(self.bytes_out)}."
        )
