"""What a node is given: its times, and the functions that it calls."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sockctl.cluster.entry import News
from sockctl.cluster.health import Away, Back
from sockctl.cluster.posting import Posting


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeTimes:
    """The times of a node, in seconds.

    Attributes:
        lease_s: The length of its lease.
        retired_s: How long its members have to come to another node when it stops.
        away_after_s: How long the engine must be away before that is told.
        refused_after_s: How long a message waits for the engine before it is refused.
        claim_s: How long a claim of a name waits for the engine.
        reader_wait_s: How long the engine holds a request of the reader.
        first_pause_s: The pause after the first failure; it doubles.
        longest_pause_s: The longest pause.
    """

    lease_s: float = 10.0
    retired_s: float = 5.0
    away_after_s: float = 2.0
    refused_after_s: float = 10.0
    claim_s: float = 5.0
    reader_wait_s: float = 1.0
    first_pause_s: float = 0.05
    longest_pause_s: float = 0.5


TIMES = NodeTimes()


@dataclass(frozen=True, slots=True, kw_only=True)
class Callbacks:
    """What a node tells. None of them may raise or block; each comes from one of the node's threads.

    Attributes:
        on_news: What is new in the log, in order; the reader's thread calls it.
        on_refused: Postings that were not said, and never will be, in order; the writer's or the reader's thread calls
            it.
        on_buried: The node was buried, and has another name now: its members must claim theirs again. It gets the
            name before; the writer's thread calls it.
        on_health: The engine is away, or back.
    """

    on_news: Callable[[Sequence[News]], None]
    on_refused: Callable[[Sequence[Posting]], None]
    on_buried: Callable[[str], None]
    on_health: Callable[[Away | Back], None]
