"""A member of a chat at a terminal, who types a few keys at a time, and looks at the screen as a person would.

What came back into the editor is sent again, and what a remark says to be lost is typed again.
"""

import random
import re
from collections import Counter
from dataclasses import dataclass, field

from tests.support.tmux import STATUS, Tmux

PATIENCE_S = 3.0
"""For so long a member waits after a reconnection before a line counts as lost: the history comes first."""
ODD_S = 15.0
"""For so long the editor may not have what it should have: a busy machine may hold up the client."""
_WORDS = ["the", "quick", "brown", "fox", "jumps", "over", "lazy", "dogs", "while", "nobody", "looks"]
_LOST = "Thismaynothavearrived:"
_SCROLLED_ROWS = 150


@dataclass
class Report:
    """What came of a talk.

    Attributes:
        lines: Lines that the members said.
        kills: How often the server was killed.
        returned: Lines that came back into the editor, and were sent again.
        arrived: Lines that came back, and left the editor since they had arrived.
        waited: Lines that were typed while the connection was away.
        retyped: Lines that were typed again.
        longest_ack_s: The longest time from Enter to the line on one's own screen.
        findings: What is wrong; empty where all holds.
    """

    lines: int = 0
    kills: int = 0
    returned: int = 0
    arrived: int = 0
    waited: int = 0
    retyped: int = 0
    longest_ack_s: float = 0.0
    findings: list[str] = field(default_factory=list)


def compact(rows: list[str]) -> str:
    """Return rows without any space: where they are wrapped doesn't matter."""
    return re.sub(r"\s+", "", "".join(rows))


class Typist:
    """A member at a terminal.

    Args:
        name: The name.
        screen: The terminal.
        report: Where figures are counted.
        chance: Decides what is typed, and when.
        is_slow: Whether there is always a half-typed line, which is finished later.
    """

    def __init__(
        self, name: str, screen: Tmux, report: Report, chance: random.Random, *, is_slow: bool = False
    ) -> None:
        self.name = name
        self.screen = screen
        self.said: list[str] = []
        self.is_done = False
        self._report = report
        self._is_slow = is_slow
        self._chance = chance
        self._prompt = f"[#lobby] {name}>"
        self._half = ""  # what stands in the editor
        self._rest = ""  # what is still to be typed of the line
        self._open: dict[str, float] = {}  # lines that were sent, and when
        self._lost: list[str] = []  # lines to be typed again
        self._told: Counter[str] = Counter()  # remarks about lost lines that were heeded
        self._in_editor = ""  # a line that came back
        self._odd_since = float("inf")  # since when the editor hasn't what it should have
        self._due = 0.0
        self._connected_since = 0.0

    def join(self, port: int) -> None:
        """Enter the chat."""
        self.screen.start("connect", "--quiet", f"sockctl://127.0.0.1:{port}")
        self.screen.expect("your name?")
        self.screen.type(self.name)
        self.screen.press("Enter")
        self.screen.expect(self._prompt)

    @property
    def is_quiet(self) -> bool:
        """Whether all that was said has arrived, and no more is to be said."""
        return self.is_done and not self._open and not self._lost and not self._in_editor and not self._is_typing

    def is_unfinished(self, text: str) -> bool:
        """Return whether a line is the one that stays half-typed."""
        return bool(self._rest) and text == self._half + self._rest

    @property
    def _is_typing(self) -> bool:
        return bool(self._rest) and not (self._is_slow and self.is_done)

    def act(self, now: float) -> None:
        """Look at the screen, and do what a person would do next."""
        rows = self.screen.last_rows(_SCROLLED_ROWS)
        if not self._look(rows, now) or now < self._due:
            return
        if self._rest:
            self._type(now)
        elif not self.is_done or self._lost or (self._is_slow and not self._half):
            self._begin(now)

    def _look(self, rows: list[str], now: float) -> bool:
        """Take note of what the screen shows; return whether the editor has what it should have."""
        start = max((at for at, row in enumerate(rows) if row.startswith(self._prompt)), default=-1)
        end = next((at for at in range(start + 1, len(rows)) if rows[at].startswith(STATUS)), len(rows))
        above, editor = compact(rows[:start]), compact(rows[start:end]).removeprefix(compact([self._prompt]))
        if "away" in "".join(rows[end:]):
            self._connected_since = float("inf")
        elif self._connected_since > now:
            self._connected_since = now
        for text in [one for one in self._open if f"<{self.name}>{compact([one])}" in above]:
            self._report.longest_ack_s = max(self._report.longest_ack_s, now - self._open.pop(text))
        is_settled = now > self._connected_since + PATIENCE_S
        if start >= 0 and self._in_editor:
            return self._decide(editor, now, is_settled=is_settled)
        if start >= 0 and editor == compact([self._half]):
            self._odd_since = float("inf")
            if is_settled:
                self._note_lost(above)
            return True
        self._odd_since = min(self._odd_since, now)
        if now > self._odd_since + PATIENCE_S:
            self._explain(editor, rows, now)
        return False

    def _explain(self, editor: str, rows: list[str], now: float) -> None:
        """Find out why the editor doesn't have what it should have."""
        half = compact([self._half])
        back = next((one for one in self._open if f"{compact([one])}{half}" == editor), "")
        if not back and now <= self._odd_since + ODD_S:
            return
        self._odd_since = float("inf")
        if back and not half:
            self._in_editor = back
            self._told[back] += 1
            return
        if not back:
            self._find(f"the editor has {editor!r} instead of {self._half!r}", rows)
        self.screen.press("C-u")  # the line came back just when the next one was begun
        self._rest, self._half = self._half + self._rest, ""

    def _decide(self, editor: str, now: float, *, is_settled: bool) -> bool:
        """Send a line again that came back, unless it has left the editor: then it had arrived."""
        text = self._in_editor
        if not editor:
            self._report.arrived += 1
        elif is_settled and text in self._open and editor == compact([text]):
            self.screen.press("Enter")
            self._open[text] = self._due = now
            self._report.returned += 1
        else:
            return False
        self._in_editor = ""
        return not editor

    def _note_lost(self, above: str) -> None:
        """Note which lines a remark tells to be lost, and didn't come back into the editor."""
        for text in [*self._open]:
            if above.count(f"{_LOST}{compact([text])}") > self._told[text]:
                self._told[text] += 1
                self._lost.append(text)
                del self._open[text]

    def _begin(self, now: float) -> None:
        """Begin with a line."""
        if self._lost:
            self._rest = self._lost.pop(0)
            self._report.retyped += 1
        else:
            words = " ".join(self._chance.choices(_WORDS, k=self._chance.randint(1, 18)))
            self._rest = f"{self.name}-{len(self.said):05} {words}."
            self.said.append(self._rest)
        self._due = now

    def _type(self, now: float) -> None:
        """Type some keys of the line, or Enter at its end."""
        line = self._half + self._rest
        count = self._chance.randint(1, 12)
        keys, self._rest = self._rest[:count], self._rest[count:]
        if self._is_slow and self._half and len(self._half) < len(line) // 2 <= len(self._half) + count:
            self._due = now + self._chance.uniform(1, 4)  # and leaves it so for a while
        self.screen.type(keys)
        self._half += keys
        if not self._rest:
            if self._connected_since > now:
                self._report.waited += 1
            self.screen.press("Enter")
            self._open[line], self._half = now, ""
            self._due = now + (0 if self._is_slow else self._chance.uniform(0.5, 4))

    def _find(self, what: str, rows: list[str]) -> None:
        if len(self._report.findings) < 10:
            seen = "\n    ".join(rows[-30:])
            self._report.findings.append(f"{self.name}: {what}\n    {seen}")
