"""The form of a topic: a question, a run that measures, a picture of the figures, and sentences about them.

Only `Topic.measure` touches sockets. It runs in a process of its own (`sockctl.explain.run`) and returns a frozen
dataclass of figures. `draw` and `conclude` are pure: they get these figures, and nothing else, so all that is shown was
measured in this run. A sentence that interprets a figure checks it first, and says so where it didn't come out.
"""

import dataclasses
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sockctl.explain.network import Network
from sockctl.explain.packets import Packet

Measured = TypeVar("Measured")


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """Rows of figures below their titles.

    Attributes:
        caption: The line above.
        titles: The titles of the columns.
        rows: The cells of each row.
        right: The numbers of the columns whose cells end at the same place, as figures do.
        sizes: The size behind the bar at each row's end; empty for a table without bars.
    """

    caption: str = ""
    titles: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    right: frozenset[int] = frozenset()
    sizes: tuple[float, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """What a program did at one side of a ladder.

    Attributes:
        at_s: When, on the clock of the packets.
        text: What it did, such as ``connect() returns``.
        by_server: Whether the server's program did it.
    """

    at_s: float
    text: str
    by_server: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Ladder:
    """Packets between two programs, one below the other, with the programs' calls between them.

    Attributes:
        caption: The line above.
        server_port: The port of the server.
        packets: The packets.
        calls: The calls; they are put between the packets by time.
    """

    caption: str
    server_port: int
    packets: tuple[Packet, ...]
    calls: tuple[Call, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """Lines that stand as they are.

    Attributes:
        lines: The lines.
    """

    lines: tuple[str, ...]


Block = Table | Ladder | Text


@dataclass(frozen=True, slots=True, kw_only=True)
class Topic(Generic[Measured]):
    """A topic.

    Attributes:
        question: The question that it answers.
        guess: What ``--guess`` asks the user to predict.
        measure: Measures on a network, and returns the figures. It blocks, for 10 s at most.
        draw: Returns the picture of the figures.
        conclude: Returns two sentences about the figures, whose claims it has checked against them.
        attempt: One line for the user's own try.
        unseen: What can't be seen where the packet lab is refused; empty for a topic that does without the lab.
    """

    question: str
    guess: str
    measure: Callable[[Network], Measured]
    draw: Callable[[Measured], Iterable[Block]]
    conclude: Callable[[Measured], Iterable[str]]
    attempt: str
    unseen: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A topic that has run.

    Attributes:
        name: The name of the topic.
        topic: The topic.
        measured: Its figures.
        seconds: How long the run took.
        refused: Why there was no packet lab; empty where there was one, and where the topic needs none.
    """

    name: str
    topic: Topic[Any]
    measured: Any
    seconds: float
    refused: str

    @property
    def unseen(self) -> str:
        """The sentence about what this run can't show; empty where it shows all."""
        if not self.refused:
            return ""
        return f"Without the packet lab ({self.refused}), {self.topic.unseen} can't be seen: this is loopback."

    def make_fields(self, expected: str | None = None) -> dict[str, Any]:
        """Return what ``--json`` shows.

        ``topic``, ``question``, ``expected`` (the user's guess, or null), ``network`` (``packet lab`` or
        ``loopback``), ``unseen`` (a sentence, or null), ``seconds``, ``measured`` (the figures, as the topic's
        dataclass names them: units stand in the names), ``conclusions`` (sentences), and ``try`` (a line).

        Args:
            expected: The user's guess.
        """
        lab = bool(self.topic.unseen) and not self.refused
        return {
            "topic": self.name,
            "question": self.topic.question,
            "expected": expected,
            "network": "packet lab" if lab else "loopback",
            "unseen": self.unseen or None,
            "seconds": round(self.seconds, 3),
            "measured": dataclasses.asdict(self.measured),
            "conclusions": list(self.topic.conclude(self.measured)),
            "try": self.topic.attempt,
        }


def list_steps(ladder: Ladder) -> Iterator[Packet | Call]:
    """Yield the packets and calls of a ladder by time."""
    steps: list[Packet | Call] = [*ladder.packets, *ladder.calls]
    yield from sorted(steps, key=lambda step: step.at_s)


def format_measured_time(seconds: float) -> str:
    """Return a measured time for people: three digits, in µs, ms or s."""
    if seconds < 0.9995e-3:  # noqa: PLR2004  from here on it would show 1000 µs
        return f"{seconds * 1e6:.3g} µs"
    return f"{seconds * 1e3:.3g} ms" if seconds < 0.9995 else f"{seconds:.3g} s"  # noqa: PLR2004  as above
