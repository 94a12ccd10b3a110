"""The counts of one process, or the sum of several."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Self

from sockctl.bench.histogram import Histogram

_HISTOGRAMS = ("latencies", "echoes")


@dataclass(slots=True)
class Stats:
    """The counts. Times are those of the monotonic clock, which all processes of a machine share.

    Attributes:
        latencies: The times from sending a message (open loop: from when it was due) to its answer.
        echoes: Those of a chat's senders alone, until each has heard itself.
        errors: The number of errors, by reason.
        sent: Messages (or logins) that were sent, or due.
        unsent: Messages that were due on a clock, and that the process was too late to send.
        expected: Answers (deliveries, logins) that the sent messages should get.
        answered: Correct answers.
        bytes: Bytes of messages in the correct answers.
        held_back: How often a chat's flood limit held messages back.
        out_of_order: Datagrams that came back behind a later one.
        duplicates: Datagrams that came back once more.
        late: Datagrams that came back when their time was up; they are no answers.
        clients: Clients that got in, before the measuring.
        began: When the measuring began.
        ended: When the last answer came, or the measuring ended without one.
        cpu_s: Processor seconds of the process while it sent.
        cpu_of_s: Seconds for which it sent.
        processes: Number of processes in these counts.
    """

    latencies: Histogram = field(default_factory=Histogram)
    echoes: Histogram = field(default_factory=Histogram)
    errors: Counter[str] = field(default_factory=Counter)
    sent: int = 0
    unsent: int = 0
    expected: int = 0
    answered: int = 0
    bytes: int = 0
    held_back: int = 0
    out_of_order: int = 0
    duplicates: int = 0
    late: int = 0
    clients: int = 0
    began: float = 0.0
    ended: float = 0.0
    cpu_s: float = 0.0
    cpu_of_s: float = 0.0
    processes: int = 1

    def answer(self, seconds: float, now: float, size_bytes: int, times: int = 1) -> None:
        """Count `times` answers of `size_bytes` each, which came at `now`, after `seconds`."""
        self.latencies.add(seconds, times)
        self.answered += times
        self.bytes += size_bytes * times
        self.ended = now

    def answer_all(self, dues_ns: list[int], now_ns: int, size_bytes: int) -> None:
        """Count answers of `size_bytes` together, which came at `now_ns`, to messages that were due at these times."""
        self.latencies.add_since(now_ns, dues_ns)
        self.answered += len(dues_ns)
        self.bytes += size_bytes
        self.ended = now_ns / 1e9

    def merge(self, other: "Stats") -> None:
        """Add the counts of another process."""
        self.latencies.merge(other.latencies)
        self.echoes.merge(other.echoes)
        self.errors += other.errors
        self.sent += other.sent
        self.unsent += other.unsent
        self.expected += other.expected
        self.answered += other.answered
        self.bytes += other.bytes
        self.held_back += other.held_back
        self.out_of_order += other.out_of_order
        self.duplicates += other.duplicates
        self.late += other.late
        self.clients += other.clients
        self.began = min(self.began, other.began)
        self.ended = max(self.ended, other.ended)
        self.cpu_s += other.cpu_s
        self.cpu_of_s += other.cpu_of_s
        self.processes += other.processes

    @property
    def seconds(self) -> float:
        """Seconds of the measured time."""
        return max(self.ended - self.began, 0.0)

    @property
    def lost(self) -> int:
        """Answers that never came, or were wrong."""
        return max(self.expected - self.answered, 0)

    def as_fields(self) -> dict[str, Any]:
        """Return the counts as fields of a JSON object, for `from_fields`."""
        histograms = {name: getattr(self, name).as_fields() for name in _HISTOGRAMS}
        return {**{name: getattr(self, name) for name in self.__slots__}, **histograms}

    @classmethod
    def from_fields(cls, fields: dict[str, Any]) -> Self:
        """Return the counts that `as_fields` gave."""
        histograms = {name: Histogram.from_fields(fields[name]) for name in _HISTOGRAMS}
        return cls(**{**fields, **histograms, "errors": Counter(fields["errors"])})
