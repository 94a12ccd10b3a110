"""What a watched server does, computed from two snapshots of it: rates, the text above the table, and the rows."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sockctl.cli.watch_columns import Column, Fields, describe_state, format_size, format_time
from sockctl.net.address import format_address
from sockctl.net.control.client import Snapshot
from sockctl.text import make_visible

HIGH_LAG_MS = 100.0
"""From this lag on, people notice that the server is slow."""


@dataclass(frozen=True, slots=True)
class Figure:
    """A figure above the table.

    Attributes:
        title: Its name; empty for a text that speaks for itself.
        text: The figure.
        is_bad: Whether it deserves a look.
    """

    title: str
    text: str
    is_bad: bool = False


class Picture:
    """A snapshot, with what has changed since the one before.

    Args:
        snapshot: The snapshot.
        before: The one before; None for none, then no rate is known.

    Attributes:
        server: The fields of the server, with rates.
        rows: The fields of each connection, with rates.
    """

    def __init__(self, snapshot: Snapshot, before: Snapshot | None) -> None:
        earlier = None if before is None else before.server
        passed_s = 0.0 if earlier is None else snapshot.server["uptime_s"] - earlier["uptime_s"]
        self._passed_s = passed_s
        self.server: Fields = {
            **snapshot.server,
            "accepted_per_s": self._rate(snapshot.server, earlier, "accepted"),
            "refused_per_s": self._rate(_sum_refused(snapshot.server), earlier and _sum_refused(earlier), "refused"),
            "in_per_s": self._rate(snapshot.server, earlier, "bytes_in"),
            "out_per_s": self._rate(snapshot.server, earlier, "bytes_out"),
        }
        known = {} if before is None else {each["number"]: each for each in before.connections}
        self.rows = [self._make_row(each, known.get(each["number"])) for each in snapshot.connections]

    def _make_row(self, connection: Fields, before: Fields | None) -> Fields:
        if before is None and connection["age_s"] <= self._passed_s:
            before = {"bytes_in": 0, "bytes_out": 0}  # it is new since then
        return {
            **connection,
            "in_per_s": self._rate(connection, before, "bytes_in"),
            "out_per_s": self._rate(connection, before, "bytes_out"),
            "doing": describe_state(connection),
        }

    def _rate(self, now: Fields, before: Fields | None, field: str) -> float | None:
        """Return how much of a field came in a second; None where that isn't known."""
        if before is None or self._passed_s <= 0:
            return None
        grown = float(now[field]) - float(before[field])
        return round(max(0.0, grown / self._passed_s), 1)

    def list_figures(self) -> Iterator[Figure]:
        """Yield the figures above the table."""
        server = self.server
        places = describe_places(server) or "no place any more"
        yield Figure("", f"{make_visible(str(server['name']))} at {places}")
        yield Figure("process", str(server["pid"]))
        yield Figure("up", format_time(server["uptime_s"]))
        clients, most = server["clients"], server["max_clients"]
        yield Figure("clients", f"{clients:,} of {most:,}", clients >= most)
        if server["pending"]:
            full = server["pending"] >= server["max_pending"]
            yield Figure("not logged in", f"{server['pending']:,} of {server['max_pending']:,}", full)
        yield Figure("accepted", f"{server['accepted']:,}{_format_rate(server['accepted_per_s'])}")
        yield self._describe_refused()
        yield from self._describe_backlogs()
        yield Figure("in", f"{format_size(server['in_per_s'])}/s" if server["in_per_s"] is not None else "-")
        yield Figure("out", f"{format_size(server['out_per_s'])}/s" if server["out_per_s"] is not None else "-")
        yield from self._describe_counts()
        lost = server["events_lost"]
        yield Figure("events lost", f"{lost:,}", bool(lost))
        lag_ms = server["lag_ms"]
        stuck = " and more: an event thread is stuck" if server["stuck"] else ""
        yield Figure("lag", f"{lag_ms:,.1f} ms{stuck}", lag_ms >= HIGH_LAG_MS)

    def _describe_refused(self) -> Figure:
        refused: dict[str, int] = self.server["refused"]
        reasons = ", ".join(f"{reason} {count:,}" for reason, count in refused.items())
        total = f"{sum(refused.values()):,}{_format_rate(self.server['refused_per_s'])}"
        return Figure("refused", f"{total}: {reasons}" if reasons else total, bool(self.server["refused_per_s"]))

    def _describe_backlogs(self) -> Iterator[Figure]:
        """Yield how full the fullest backlog is."""
        known = [each for each in self.server["listening"] if each["waiting"] is not None]
        if known:
            waiting, size = max((each["waiting"], each["backlog"]) for each in known)
            yield Figure("backlog", f"{waiting:,} of {size:,}", waiting * 2 > size)

    def _describe_counts(self) -> Iterator[Figure]:
        counts: dict[str, Any] = self.server["counts"]
        if "members" in counts:
            yield Figure("members", f"{counts['members']:,}")
        if "hash_slots" in counts:
            running, slots, waiting = (counts[name] for name in ("hashes_running", "hash_slots", "hashes_waiting"))
            yield Figure("hashes", f"{running} of {slots} run, {waiting:,} wait", waiting > slots)


def select_rows(rows: list[Fields], *, column: Column, reverse: bool, peer: str) -> list[Fields]:
    """Return the rows whose peer has a text in it, sorted by a column.

    Args:
        rows: The rows, in the order of their numbers.
        column: The column.
        reverse: Whether the last one comes first.
        peer: The text.
    """
    chosen = [row for row in rows if peer in row["peer"]] if peer else rows
    return sorted(chosen, key=column.make_key, reverse=reverse)


def describe_places(server: Fields) -> str:
    """Return where a server listens, with a mark at the addresses for browsers."""
    return ", ".join(
        format_address(each["host"], each["port"]) + (" (for browsers)" if each.get("for_browsers") else "")
        for each in server["listening"]
    )


def _sum_refused(server: Fields) -> Fields:
    return {"refused": sum(server["refused"].values())}


def _format_rate(rate: float | None) -> str:
    return "" if rate is None else f" ({rate:,.1f}/s)"
