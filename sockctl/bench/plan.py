"""The plan of the measuring, and its parts for several processes."""

import dataclasses
import enum
import json
from dataclasses import dataclass
from typing import Any, Self


class Kind(enum.StrEnum):
    """What the clients do."""

    ECHO = "echo"
    CHAT = "chat"
    LOGIN = "login"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """How the clients speak TLS.

    Attributes:
        server_name: The server's name, as the user wrote it.
        fingerprint: The certificate that is trusted; empty where authorities vouch for it.
        ca: The authorities' file, or empty.
        system_authorities: Whether those of the system vouch.
        certificate: The file of the clients' own certificate, or empty.
        key: The file of its key, or empty.
    """

    server_name: str
    fingerprint: str = ""
    ca: str = ""
    system_authorities: bool = False
    certificate: str = ""
    key: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Where:
    """Where clients connect.

    Attributes:
        name: The server, as the user has named it.
        family: The address family, AF_INET, AF_INET6 or AF_UNIX.
        address: The socket address; that of a Unix socket is its one part.
        tls: How TLS is spoken; None where it isn't.
        udp: Whether datagrams are sent there.
    """

    name: str
    family: int
    address: tuple[Any, ...]
    tls: Tls | None = None
    udp: bool = False

    @property
    def socket_address(self) -> Any:
        """The address as connect() takes it."""
        return self.address[0] if len(self.address) == 1 else self.address

    @classmethod
    def from_fields(cls, fields: dict[str, Any]) -> Self:
        """Return the place that was written as these fields."""
        tls = fields["tls"]
        return cls(**{**fields, "address": tuple(fields["address"]), "tls": None if tls is None else Tls(**tls)})


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """The part of one process.

    Attributes:
        kind: What the clients do.
        servers: The servers, among which the clients are spread.
        run: A word that no other run has; names and messages carry it.
        clients: How many there are.
        first: The number of the first one, among those of all processes.
        duration_s: Seconds that are measured; None where `count` alone ends it.
        count: Messages (or logins) that are measured; None for as many as there are.
        size_bytes: Bytes of a message.
        depth: Messages of a client in flight at most (closed loop).
        rate: Messages per second on a clock (open loop); None for a closed loop.
        offset_s: Seconds by which the clock's first message is late, so that processes take turns.
        warm_up_s: Seconds before, which aren't measured.
        timeout_s: Seconds for a connection, and for an answer.
        senders: How many members of a chat speak.
        user: Who logs in; ``{}`` becomes the client's number.
        password: With which password; never shown.
        progress: Whether it is told how far it is.
    """

    kind: Kind
    servers: tuple[Where, ...]
    run: str
    clients: int = 10
    first: int = 0
    duration_s: float | None = 5.0
    count: int | None = None
    size_bytes: int = 64
    depth: int = 1
    rate: float | None = None
    offset_s: float = 0.0
    warm_up_s: float = 0.5
    timeout_s: float = 5.0
    senders: int = 1
    user: str = ""
    password: str = dataclasses.field(default="", repr=False)
    progress: bool = False

    def divide(self, processes: int) -> list["Plan"]:
        """Return the plans of so many processes, each with a part of the clients, the messages and the rate."""
        shares: list[Plan] = []
        first = counted = 0
        for number in range(processes):
            behind = self.clients * (number + 1) // processes
            clients = behind - first
            count = None
            if self.count is not None:
                counted_behind = self.count * behind // self.clients
                count, counted = counted_behind - counted, counted_behind
            rate = None if self.rate is None else self.rate * clients / self.clients
            offset_s = 0.0 if self.rate is None else number / self.rate
            shares.append(
                dataclasses.replace(self, clients=clients, first=first, count=count, rate=rate, offset_s=offset_s)
            )
            first = behind
        return shares

    def to_json(self) -> str:
        """Return it as one line of JSON; the password is in it."""
        return json.dumps(dataclasses.asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Return what `to_json` has written."""
        fields = json.loads(text)
        servers = tuple(map(Where.from_fields, fields.pop("servers")))
        return cls(servers=servers, kind=Kind(fields.pop("kind")), **fields)

    @property
    def udp(self) -> bool:
        """Whether the clients send datagrams."""
        return self.servers[0].udp

    @property
    def target(self) -> str:
        """The servers, as the user has named them."""
        return ",".join(server.name for server in self.servers)
