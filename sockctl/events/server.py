"""The events of a server, from its start to its stop."""

from dataclasses import dataclass
from typing import ClassVar

from sockctl.events.base import ConnectionEvent, Event, Level
from sockctl.events.reasons import DisconnectReason, RefusalReason
from sockctl.text import format_bytes, format_seconds, plural

__all__ = [
    "AcceptPaused",
    "AcceptResumed",
    "ClientConnected",
    "ClientDisconnected",
    "ClientRefused",
    "ClientsRefused",
    "DataReceived",
    "DataSent",
    "DescriptorsLimited",
    "InputEnded",
    "Listening",
    "LoopbackOnly",
    "PortTaken",
    "ProtocolBroken",
    "Reachable",
    "ReadingPaused",
    "ReadingResumed",
    "ServerStarted",
    "ServerStopped",
    "ServerStopping",
    "ServiceFailed",
    "SlowReaderDropped",
    "TlsCertificate",
    "TlsCertificateRefused",
    "TlsEstablished",
    "TlsFailed",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerStarted(Event):
    """The server process starts; nothing listens yet."""

    name: ClassVar[str] = "server_started"

    version: str
    pid: int
    does: str

    @property
    def text(self) -> str:
        return f"sockctl {self.version} starts as process {self.pid}. {self.does}"


@dataclass(frozen=True, slots=True, kw_only=True)
class PortTaken(Event):
    """The wanted port was taken, so the server took another one."""

    name: ClassVar[str] = "port_taken"
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

    name: ClassVar[str] = "listening"

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

    name: ClassVar[str] = "reachable"

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

    name: ClassVar[str] = "loopback_only"

    @property
    def text(self) -> str:
        return (
            "Other machines, virtual ones included, can't reach it: it listens on the loopback interface only. "
            "--host '' listens on every interface."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class DescriptorsLimited(Event):
    """The system allows fewer descriptors than ``--max-clients`` may need."""

    name: ClassVar[str] = "descriptors_limited"
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
class ClientConnected(ConnectionEvent):
    """A client was accepted and let in."""

    name: ClassVar[str] = "client_connected"

    clients: int
    max_clients: int

    @property
    def text(self) -> str:
        return (
            f"A client connected: accept() took it from the backlog and gave it a socket of its own "
            f"({self.clients:,} of {self.max_clients:,} clients)."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientRefused(Event):
    """A client was turned away; its socket was closed at once."""

    name: ClassVar[str] = "client_refused"
    level: ClassVar[Level] = Level.WARNING

    peer: str
    reason: RefusalReason

    @property
    def text(self) -> str:
        return f"{self.peer} was refused and its socket closed at once: {self.reason.explanation}."


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientsRefused(Event):
    """Several clients were turned away, more than are told one by one."""

    name: ClassVar[str] = "clients_refused"
    level: ClassVar[Level] = Level.WARNING

    count: int
    seconds: float
    reasons: dict[RefusalReason, int]

    @property
    def text(self) -> str:
        parts = (f"{plural(count, 'time')} because {why.explanation}" for why, count in self.reasons.items())
        return (
            f"{plural(self.count, 'more client')} were refused in {format_seconds(self.seconds)}: {'; '.join(parts)}."
        )


def _amount(count: int, portions: int, seconds: float | None) -> str:
    """Return ``6 bytes in 1 portion``, or for a sum ``12.0 MiB in 12,288 portions within 1.0 s``."""
    within = "" if seconds is None else f" within {format_seconds(seconds)}"
    return f"{format_bytes(count)} in {plural(portions, 'portion')}{within}"


@dataclass(frozen=True, slots=True, kw_only=True)
class DataReceived(ConnectionEvent):
    """Data came from the client; a sum over `seconds` where traffic is busy."""

    name: ClassVar[str] = "data_received"

    bytes: int
    portions: int
    seconds: float | None = None

    @property
    def text(self) -> str:
        amount = _amount(self.bytes, self.portions, self.seconds)
        return f"Received {amount}: recv() copied them from the kernel's receive buffer."


@dataclass(frozen=True, slots=True, kw_only=True)
class DataSent(ConnectionEvent):
    """Data went to the client; a sum over `seconds` where traffic is busy."""

    name: ClassVar[str] = "data_sent"

    bytes: int
    portions: int
    seconds: float | None = None

    @property
    def text(self) -> str:
        amount = _amount(self.bytes, self.portions, self.seconds)
        return f"Sent {amount}: send() copied them into the kernel's send buffer, TCP carries them from there."


@dataclass(frozen=True, slots=True, kw_only=True)
class InputEnded(ConnectionEvent):
    """The client shut its sending side; it may still receive."""

    name: ClassVar[str] = "input_ended"
    level: ClassVar[Level] = Level.DETAIL

    @property
    def text(self) -> str:
        return "The client sends no more (its FIN came); it still gets what is on the way to it."


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadingPaused(ConnectionEvent):
    """The client doesn't read, so it isn't read from either."""

    name: ClassVar[str] = "reading_paused"
    level: ClassVar[Level] = Level.DETAIL

    queued_bytes: int

    @property
    def text(self) -> str:
        return (
            f"The client doesn't take what is sent to it: {format_bytes(self.queued_bytes)} wait in its outbox. "
            f"Nothing more is read from it until they are gone, so TCP slows it down (flow control)."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadingResumed(ConnectionEvent):
    """The client read, its outbox is empty, and it is read from again."""

    name: ClassVar[str] = "reading_resumed"
    level: ClassVar[Level] = Level.DETAIL

    @property
    def text(self) -> str:
        return "The client took what waited for it, so it is read from again."


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsCertificate(Event):
    """The server has a certificate, at its start or after SIGHUP. `fingerprint` is the SHA-256 of its DER form."""

    name: ClassVar[str] = "tls_certificate"

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

    name: ClassVar[str] = "tls_certificate_refused"
    level: ClassVar[Level] = Level.ERROR

    error: str

    @property
    def text(self) -> str:
        return f"SIGHUP: the certificate stays as it was, since the new one can't be loaded. {self.error}"


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsEstablished(ConnectionEvent):
    """The TLS handshake is done."""

    name: ClassVar[str] = "tls_established"

    version: str
    cipher: str

    @property
    def text(self) -> str:
        return f"The TLS handshake is done: {self.version} with {self.cipher}. From here on everything is encrypted."


@dataclass(frozen=True, slots=True, kw_only=True)
class TlsFailed(ConnectionEvent):
    """The TLS handshake failed; the connection is ended."""

    name: ClassVar[str] = "tls_failed"
    level: ClassVar[Level] = Level.WARNING

    error: str

    @property
    def text(self) -> str:
        return f"The TLS handshake failed: {self.error}. Nothing was exchanged, and the connection is ended."


@dataclass(frozen=True, slots=True, kw_only=True)
class ProtocolBroken(ConnectionEvent):
    """The client sent what is no message; it is told so, and the connection is ended."""

    name: ClassVar[str] = "protocol_broken"
    level: ClassVar[Level] = Level.WARNING

    code: str
    error: str

    @property
    def text(self) -> str:
        return f"The client broke the protocol ({self.code}) and is told so: {self.error}"


@dataclass(frozen=True, slots=True, kw_only=True)
class InputThrottled(ConnectionEvent):
    """The client sends more than its budget allows: it is read from more slowly."""

    name: ClassVar[str] = "input_throttled"

    seconds: float

    @property
    def text(self) -> str:
        return (
            f"The client, or its address, sends more than its budget of work allows. Nothing is read from it for "
            f"{self.seconds:g} s, so TCP slows it down, and the others notice nothing."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class SlowReaderDropped(ConnectionEvent):
    """The client's outbox is full with what others said; the connection is ended."""

    name: ClassVar[str] = "slow_reader_dropped"
    level: ClassVar[Level] = Level.WARNING

    queued_bytes: int

    @property
    def text(self) -> str:
        return (
            f"The client doesn't read: {format_bytes(self.queued_bytes)} wait in its outbox, and no more may. It is "
            f"dropped, so that nobody has to wait for it."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientDisconnected(ConnectionEvent):
    """A connection ended; its slot is free. The counts are those of the whole connection."""

    name: ClassVar[str] = "client_disconnected"

    reason: DisconnectReason
    bytes_in: int
    bytes_out: int
    seconds: float

    @property
    def text(self) -> str:
        return (
            f"The connection ended after {format_seconds(self.seconds)}, {format_bytes(self.bytes_in)} received and "
            f"{format_bytes(self.bytes_out)} sent. {self.reason.explanation}"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptPaused(Event):
    """The system has no descriptor or memory for another connection right now."""

    name: ClassVar[str] = "accept_paused"
    level: ClassVar[Level] = Level.WARNING

    error: str
    clients: int
    retry_s: float

    @property
    def text(self) -> str:
        return (
            f"No further client can be accepted for now ({self.error}). The {self.clients:,} that are connected are "
            f"served on; new ones wait in the backlog, and accept() is tried again every {self.retry_s:g} s."
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class AcceptResumed(Event):
    """Clients are accepted again after a pause."""

    name: ClassVar[str] = "accept_resumed"

    seconds: float

    @property
    def text(self) -> str:
        return f"Clients are accepted again after a pause of {format_seconds(self.seconds)}."


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceFailed(ConnectionEvent):
    """The service raised an error that it should not have: a defect of sockctl's."""

    name: ClassVar[str] = "service_failed"
    level: ClassVar[Level] = Level.ERROR

    error: str

    @property
    def text(self) -> str:
        return f"The service failed on this connection, the others go on. This is a defect of sockctl's: {self.error}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerStopping(Event):
    """The server was asked to stop."""

    name: ClassVar[str] = "server_stopping"

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

    name: ClassVar[str] = "server_stopped"

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
