"""Moments in the form of files: RFC 3339, in UTC, to the second, such as ``2026-01-31T12:00:00Z``."""

import datetime
from collections.abc import Callable

Clock = Callable[[], datetime.datetime]
"""Returns the time, with a time zone."""


def read_utc_clock() -> datetime.datetime:
    """Return the current time in UTC."""
    return datetime.datetime.now(datetime.UTC)


def read_seconds(seconds: int) -> datetime.datetime:
    """Return the moment that a database has as seconds since 1970."""
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC)


def format_timestamp(moment: datetime.datetime) -> str:
    """Return a moment as text."""
    return moment.astimezone(datetime.UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def parse_timestamp(text: str) -> datetime.datetime:
    """Return the moment that a text names, in UTC.

    Raises:
        ValueError: The text is no moment, or has no time zone.
    """
    moment = datetime.datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} has no time zone")
    if not datetime.MINYEAR < moment.year < datetime.MAXYEAR:  # so that days can be added, and zones changed
        raise ValueError(f"{text!r} is out of range")
    return moment.astimezone(datetime.UTC)
