"""The events of those who watch a server: of the control socket for `sockctl watch`, and of the metrics."""

from dataclasses import dataclass
from typing import ClassVar

from sockctl.events.base import Event, Level


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlOpened(Event):
    """The server can be watched, over the socket at `path`."""

    level: ClassVar[Level] = Level.DETAIL

    path: str

    @property
    def happened(self) -> str:
        return f"'sockctl watch' finds this server at {self.path}."

    @property
    def explanation(self) -> str:
        return "Only this user and root may ask there. The server works for it only when it is asked."


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlFailed(Event):
    """The server can't be watched; it serves all the same."""

    level: ClassVar[Level] = Level.WARNING

    error: str

    @property
    def happened(self) -> str:
        return f"'sockctl watch' can't watch this server: {self.error}"

    @property
    def explanation(self) -> str:
        return "It serves all the same. --control chooses another place, and --no-control makes no socket."


@dataclass(frozen=True, slots=True, kw_only=True)
class MetricsServed(Event):
    """The server gives its sums to Prometheus, at `url`."""

    url: str

    @property
    def happened(self) -> str:
        return f"For Prometheus: {self.url}"

    @property
    def explanation(self) -> str:
        return "Only this machine reaches it."
