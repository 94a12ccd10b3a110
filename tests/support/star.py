"""Several hosts around one in the middle, each at the end of a cable of its own; see `tests.support.two_hosts`."""

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from tests.support.two_hosts import MTU, Host, Line, lay_cable, new_host


@dataclass(frozen=True, slots=True)
class Star:
    """A host in the middle, and hosts around it.

    Attributes:
        middle: The host in the middle.
        around: The others.
    """

    middle: Host
    around: Sequence[Host]

    @staticmethod
    def address(number: int) -> str:
        """Return where a host around finds the one in the middle."""
        return f"10.231.{8 + number}.1"

    def cut(self, number: int) -> None:
        """Cut the cable of a host: its packets vanish, and nobody is told."""
        self.middle.ip(f"link set cable{number} down")

    def mend(self, number: int) -> None:
        """Mend the cable again."""
        self.middle.ip(f"link set cable{number} up")


@contextlib.contextmanager
def star(count: int, line: Line) -> Iterator[Star]:
    """Make a host in the middle and so many around it; the calling thread stays where it is.

    Raises:
        UnavailableError: This system can't.
    """
    with contextlib.ExitStack() as undo:
        middle = new_host(undo)
        middle.ip("link set lo up")
        around = [new_host(undo) for _ in range(count)]
        for number, host in enumerate(around):
            ends = f"cable{number}", "cable"
            lay_cable(middle, host, line, undo, ends=ends)
            host.ip("link set lo up")
            for at, end, last in ((middle, ends[0], 1), (host, ends[1], 2)):
                at.ip(
                    f"link set {end} mtu {MTU} gso_max_segs 1 up", f"addr add 10.231.{8 + number}.{last}/24 dev {end}"
                )
        yield Star(middle, around)
