"""The limits of a server of UDP."""

from dataclasses import dataclass, field

from sockctl.net.access_rules import AccessRules
from sockctl.source_network import IPV6_PREFIX

IDLE_S = 60.0
"""How long a silent client is remembered, unless the user says otherwise."""
NETWORK_RATE = 1000
"""Datagrams a second that an address beyond loopback gets answered, unless the user says otherwise.

A sender may forge such an address. Then its owner gets answers to datagrams that it never sent.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class DatagramLimits:
    """How much a server of UDP grants its clients.

    Attributes:
        rules: Which addresses are answered at all.
        idle_s: After how many seconds of silence a client is forgotten.
        max_remembered: Clients that are remembered at once.
        max_rate: Datagrams a second that one address gets answered; None for `network_rate`, and no limit on loopback.
        network_rate: See `max_rate`.
        ipv6_prefix: Bits of an IPv6 address that count as one address.
        lowest_port: Datagrams from ports below are not answered: services live there that answer in turn.
        buffer_bytes: Size of the kernel's receive buffer, as far as it allows that.
        unanswered_per_second: Unanswered datagrams that are emitted one by one in a second; more become sums.
        heard_per_second: The same for clients that are heard.
        sums_per_second: Sums of traffic in `sum_s`.
        sum_s: Seconds that a sum grows.
    """

    rules: AccessRules = field(default_factory=AccessRules)
    idle_s: float = IDLE_S
    max_remembered: int = 4096
    max_rate: int | None = None
    network_rate: int = NETWORK_RATE
    ipv6_prefix: int = IPV6_PREFIX
    lowest_port: int = 1024
    buffer_bytes: int = 4 << 20
    unanswered_per_second: int = 10
    heard_per_second: int = 100
    sums_per_second: int = 200
    sum_s: float = 1.0
