"""What the journal hands to its sinks."""

from dataclasses import dataclass

from sockctl.events.base import Event


@dataclass(frozen=True, slots=True)
class Record:
    """An event with the time at which it was told (seconds since the epoch) and the service that told it."""

    time: float
    service: str
    event: Event
