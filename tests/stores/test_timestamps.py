"""Moments as text."""

import datetime
import re

import pytest

from sockctl.stores.timestamps import format_timestamp, parse_timestamp, read_utc_clock


def test_a_moment_is_written_in_utc_and_read_again() -> None:
    zone = datetime.timezone(datetime.timedelta(hours=2))
    moment = datetime.datetime(2026, 1, 31, 14, 0, 0, 999, zone)
    assert format_timestamp(moment) == "2026-01-31T12:00:00Z"
    assert parse_timestamp("2026-01-31T12:00:00Z") == moment.replace(microsecond=0)
    assert parse_timestamp("2026-01-31T14:00:00+02:00").hour == 12, "whatever zone it was written in"
    assert read_utc_clock().tzinfo is datetime.UTC


@pytest.mark.parametrize("text", ["today", "2026-01-31T12:00:00", "0001-01-01T00:00:00+14:00", "9999-12-31T12:00:00Z"])
def test_what_is_no_moment(text: str) -> None:
    with pytest.raises(ValueError, match=re.escape(text)):
        parse_timestamp(text)
