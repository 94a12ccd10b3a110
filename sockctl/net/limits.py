"""The limits of a server for its clients: their number, their costs, and the time for each step."""

from dataclasses import dataclass, field

from sockctl.net.access_rules import AccessRules
from sockctl.net.input_budget import MEMBER_INPUT, STRANGER_INPUT, InputRates
from sockctl.source_network import IPV6_PREFIX

READ_BYTES = 65_536
"""The most bytes of one read; measured: 1 KiB reads make a pipelined echo 20 times slower."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeouts:
    """How long a server waits, in seconds.

    Attributes:
        idle_s: How long a connection may move nothing before the server closes it; None for any time.
        handshake_s: How long a TLS handshake may take.
        head_s: How long the head of an HTTP request may take.
        frame_s: How long a frame may take from its first byte to its last.
        choice_s: How long a conversation that is over waits for the client's choice of the wire.
        send_s: How long a client may take to read the messages of a conversation.
        flush_s: How long a client may take to read the queued bytes before the server closes its connection.
        linger_s: How long the server discards input after it has shut its sending side.
        linger_at_most_s: The same, for a client that is still reading.
        last_words_s: How long a client that is put out may take to read the reason, and again to end its side.
        quiet_s: How long nothing must have moved before the server closes a connection without lingering.
        abandon_s: How long after the drain's end the server waits for a conversation that doesn't end.
        accept_retry_s: How long accepting pauses when the system has no descriptor or memory left.
        settle_s: How long a pending client keeps its place from addresses with about as many pending.
        sum_s: How long data events grow into a sum while traffic is busy.
    """

    idle_s: float | None = None
    handshake_s: float = 10.0
    head_s: float = 10.0
    frame_s: float = 10.0
    choice_s: float = 2.0
    send_s: float = 30.0
    flush_s: float = 10.0
    linger_s: float = 2.0
    linger_at_most_s: float = 30.0
    last_words_s: float = 1.0
    quiet_s: float = 0.5
    abandon_s: float = 1.0
    accept_retry_s: float = 0.25
    settle_s: float = 10.0
    sum_s: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How much a server grants its clients.

    Attributes:
        max_clients: Clients at once.
        max_clients_per_address: Clients at once from one address.
        max_pending: Clients at once that have not logged in yet; None for a quarter of `max_clients`.
        ipv6_prefix: Bits of an IPv6 address that count as one address.
        rules: Which addresses may connect at all.
        portion: Bytes in a portion, the unit in which data events count.
        read_bytes: The most bytes of one read. Under TLS `READ_BYTES`: no poller sees bytes that a read leaves.
        event_threads: Threads that watch the connections, each its share; 0 for `count_event_threads`.
        stranger_input: The costs of messages from clients that haven't logged in.
        member_input: The costs of messages from clients that have.
        refusals_per_second: Refusals that the server emits one by one; more become sums.
        sums_per_second: Sums of data events that each event thread emits; 200 take some 10 ms of a second's work.
    """

    max_clients: int = 512
    max_clients_per_address: int = 32
    max_pending: int | None = None
    ipv6_prefix: int = IPV6_PREFIX
    rules: AccessRules = field(default_factory=AccessRules)
    portion: int = 1024
    read_bytes: int = READ_BYTES
    event_threads: int = 0
    stranger_input: InputRates = STRANGER_INPUT
    member_input: InputRates = MEMBER_INPUT
    refusals_per_second: int = 10
    sums_per_second: int = 200
