"""A clock that a test sets."""

import datetime

NOON = datetime.datetime(2026, 1, 31, 12, tzinfo=datetime.UTC)


class Clock:
    """Stands at noon until `now` is set."""

    def __init__(self) -> None:
        self.now = NOON

    def __call__(self) -> datetime.datetime:
        return self.now
