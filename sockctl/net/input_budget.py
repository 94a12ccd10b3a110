"""The budget of a client's input: one for each connection, and one that all connections of an address share.

A flood limit counts the texts of a member. It doesn't see frames of an unknown kind, pongs, empty lines, telnet
commands, nor the input of a client that hasn't logged in. Yet each message takes time to decode. So a budget charges
every byte and message, of whatever kind, before the server decodes more.

The unit is a second of work of a usual core. The charges are constants, not measured times: on a busy machine a client
would else pay for the others. Input that takes far longer is charged as measured, in processor time of the decoding
thread.

A budget grows by `rate` seconds of work a second, up to `burst_s`. One number keeps it: the time at which all work is
paid for (the generic cell rate algorithm of ATM networks). A connection collects its charges, and settles them a
millisecond of work at a time. A connection within its fair share of the address's budget never waits for the address.
So a client that says a little pays nothing for others that share its address and flood.
"""

import math
import threading
from dataclasses import dataclass

MESSAGE_S = 3e-6
"""Work to decode a short message that needs no answer."""
BYTE_S = 5e-9
"""Work to receive and decode a byte."""
TELNET_BYTE_S = 1e-6
"""Further work to drop a byte of a telnet command."""
MEASURED_BYTES = 1024
"""From so many bytes on, decoding is measured: nested JSON, say, may take much longer than the charge for its bytes."""
MISJUDGED = 2.0
"""Input that takes longer than so many times its charge is charged as measured, …"""
NOTICEABLE_S = 0.5e-3
"""… if it takes longer than this, too: on a busy machine, any decoding may take so long now and then; …"""
DEAR = 8.0
"""… and so many times: polite clients send no such input, and one piece may keep all others waiting for 14 ms."""
QUANTUM_S = 1e-3
"""Work that a connection collects before it settles."""
FAIR_BURST_S = 2 * QUANTUM_S
"""Work at once that is still within a connection's fair share of its address."""
SHARERS = 64
"""The number of fair shares of an address: twice as many as it may have connections by default."""
ADDRESSES = 1024
"""The number of addresses from which on those without a debt are forgotten."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InputRates:
    """What the input of clients may cost.

    Attributes:
        rate: Seconds of work a second, for one connection.
        burst_s: Seconds of work at once, for one connection.
        address_rate: Seconds of work a second, for all connections of an address.
        address_burst_s: Seconds of work at once, for all connections of an address.
        flooding_s: Seconds after which the server closes a connection that was beyond its budget all the time.
        address_wait_s: The longest wait at once of a connection for its address.
    """

    rate: float
    burst_s: float
    address_rate: float
    address_burst_s: float
    flooding_s: float
    address_wait_s: float = 60.0


STRANGER_INPUT = InputRates(
    rate=0.000_25, burst_s=0.005, address_rate=0.01, address_burst_s=0.05, flooding_s=10.0, address_wait_s=2.0
)
"""For clients that haven't logged in yet: a login takes five messages, 15 microseconds of work."""
MEMBER_INPUT = InputRates(
    rate=0.25, burst_s=0.25, address_rate=0.3, address_burst_s=0.3, flooding_s=60.0, address_wait_s=2.0
)
"""For clients that have logged in: 80,000 short messages a second, or 50 MB; all of one address 100,000, or 60 MB."""


class InputBudgets:
    """The budgets of a server's clients. Any thread may use it.

    Args:
        stranger: The rates for clients that haven't logged in yet.
        member: The rates for clients that have.
    """

    def __init__(self, stranger: InputRates = STRANGER_INPUT, member: InputRates = MEMBER_INPUT) -> None:
        self.stranger = stranger
        self.member = member
        self._lock = threading.Lock()  # guards the two below
        self._paid_at: dict[tuple[str, InputRates], float] = {}
        self._full = ADDRESSES

    def __len__(self) -> int:
        return len(self._paid_at)

    def open(self, address: str) -> "InputBudget":
        """Return the budget of a new connection from `address`, that of a stranger at first."""
        return InputBudget(self, address)

    def charge(self, address: str, rates: InputRates, work_s: float, now: float) -> float:
        """Charge work to an address; return when it is within its budget again, `now` or later."""
        key = address, rates
        with self._lock:
            paid_at = max(self._paid_at.get(key, now), now) + work_s / rates.address_rate
            # Else clients that come and go would leave debts for hours to later clients of the address.
            paid_at = min(paid_at, now + rates.address_burst_s / rates.address_rate + rates.address_wait_s)
            self._paid_at[key] = paid_at
            if len(self._paid_at) > self._full:
                self._paid_at = {key: at for key, at in self._paid_at.items() if at > now}
                self._full = max(ADDRESSES, 2 * len(self._paid_at))
        return max(now, paid_at - rates.address_burst_s / rates.address_rate)


class InputBudget:
    """The budget of one connection. Only the thread that owns the connection uses it.

    Attributes:
        work_s: Work that the connection has not settled yet; the decoding thread adds to it.
        is_flooding: Whether the connection was beyond its budget for so long that the server must close it.
    """

    __slots__ = (
        "_address",
        "_beyond_since",
        "_budgets",
        "_fair_at",
        "_paid_at",
        "_rates",
        "_waits_for_address",
        "is_flooding",
        "work_s",
    )

    def __init__(self, budgets: InputBudgets, address: str) -> None:
        self._budgets = budgets
        self._address = address
        self._rates = budgets.stranger
        self._paid_at = self._fair_at = 0.0
        self._beyond_since = math.inf
        self._waits_for_address = False
        self.is_flooding = False
        self.work_s = 0.0

    def admit(self) -> None:
        """Give the connection the budget of a member."""
        self._waits_for_address = False
        self._rates = self._budgets.member
        self._paid_at = self._fair_at = 0.0
        self._beyond_since = math.inf

    def charge_measured(self, took_s: float, *, size_bytes: int, count: int) -> None:
        """Charge the processor time of decoding, if it is far above the usual charge.

        Args:
            took_s: The time, in seconds.
            size_bytes: The bytes of the decoded messages.
            count: The number of the messages.
        """
        if took_s > max(MISJUDGED * (size_bytes * BYTE_S + count * MESSAGE_S), NOTICEABLE_S):
            self.work_s += DEAR * took_s

    @property
    def is_due(self) -> bool:
        """Whether the connection has collected enough work to settle."""
        return self.work_s >= QUANTUM_S

    @property
    def is_beyond(self) -> bool:
        """Whether the connection was beyond its budget at the last settling."""
        return self._beyond_since < math.inf

    def settle(self, now: float) -> float:
        """Charge the collected work, and return how many seconds the server may not decode more; often 0.

        Args:
            now: The time on the monotonic clock.
        """
        rates, work_s = self._rates, self.work_s
        self.work_s = 0.0
        self._paid_at = max(self._paid_at, now) + work_s / rates.rate
        until = self._paid_at - rates.burst_s / rates.rate
        fair_rate = rates.address_rate / SHARERS
        if self._fair_at <= now:
            self._waits_for_address = False
        self._fair_at = max(self._fair_at, now) + work_s / fair_rate
        address_until = self._budgets.charge(self._address, rates, work_s, now)
        if self._waits_for_address or self._fair_at - FAIR_BURST_S / fair_rate > now:
            self._waits_for_address = True  # until its fair share is full again: else it would get that and its turn
            until = max(until, address_until)
        if until <= now:
            self._beyond_since = math.inf
            return 0.0
        self._beyond_since = min(self._beyond_since, now)
        self.is_flooding = now - self._beyond_since >= rates.flooding_s
        return until - now
