"""Makes events of what a node lives through."""

from collections.abc import Callable, Sequence

from sockctl.cluster.entry import GONE, NODE, Entry, Lost, News
from sockctl.cluster.health import Away, Back
from sockctl.cluster.registry import Registration
from sockctl.events.base import Event
from sockctl.events.cluster import (
    NodeGone,
    NodeJoined,
    StoreAway,
    StoreBack,
    StoreConnected,
    StoreLag,
    StoreLost,
    StoreUnread,
)


class Reports:
    """Emits the events of a node. Any thread may use it.

    Args:
        emit: Emits an event, and never blocks.
    """

    def __init__(self, emit: Callable[[Event], None]) -> None:
        self._emit = emit

    def report_registration(self, store: str, place: Registration) -> None:
        """Report that the node has registered in an engine."""
        self._emit(StoreConnected(store=store, node=place.node, others=len(place.others)))

    def report_news(self, news: Sequence[News]) -> None:
        """Report the nodes that have come and gone, and losses."""
        for one in news:
            if isinstance(one, Lost):
                self._emit(StoreLost(after=one.previous, upto=one.upto))
            elif isinstance(one, Entry) and one.kind == NODE:
                self._emit(NodeJoined(node=one.node))
            elif isinstance(one, Entry) and one.kind == GONE:
                self._emit(NodeGone(node=one.node))

    def report_health(self, change: Away | Back) -> None:
        """Report that the engine is away, or back."""
        if isinstance(change, Away):
            self._emit(StoreAway(error=change.error))
        else:
            self._emit(StoreBack(seconds=round(change.seconds, 3), not_said=change.not_said))

    def report_defect(self, error: Exception) -> None:
        """Report that what the log says can't be taken."""
        self._emit(StoreUnread(error=f"{type(error).__name__}: {error}"))

    def report_lag(self, seconds: float) -> None:
        """Report that the node is behind the log."""
        self._emit(StoreLag(seconds=round(seconds, 3)))
