"""Moments as files have them: RFC 3339, in UTC, to the second, such as ``2026-01-31T12:00:00Z``."""

import datetime
from collections.abc import Callable

from sockctl.errors import StoreFormatError
from sockctl.stores.json_store import json_place

__all__ = ["Clock", "check_timestamp", "format_timestamp", "parse_timestamp", "utc_now"]

Clock = Callable[[], datetime.datetime]
"""Returns the time, with a time zone."""


def utc_now() -> datetime.datetime:
    """Return the time."""
    return datetime.datetime.now(datetime.UTC)


def format_timestamp(moment: datetime.datetime) -> str:
    """Return a moment as text."""
    return moment.astimezone(datetime.UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def parse_timestamp(text: str) -> datetime.datetime:
    """Return the moment that a text names, in UTC.

    Raises:
        ValueError: It is none, or has no time zone.
    """
    moment = datetime.datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError(f"{text!r} has no time zone")
    if not datetime.MINYEAR < moment.year < datetime.MAXYEAR:  # so that days can be added, and zones changed
        raise ValueError(f"{text!r} is out of range")
    return moment.astimezone(datetime.UTC)


def check_timestamp(value: object, *place: str | int) -> None:
    """See whether a value read from a file is a moment.

    Raises:
        StoreFormatError: It isn't; the error says where it stands: at `place`, as for `json_place`.
    """
    try:
        if type(value) is str:
            parse_timestamp(value)
            return
    except ValueError:
        pass
    raise StoreFormatError(f"{json_place(*place)} is no time, such as 2026-01-31T12:00:00Z")
