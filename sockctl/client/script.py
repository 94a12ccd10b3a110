"""Carries out the steps of a scripted session; it sends nothing itself, and is given the time."""

from collections import deque
from collections.abc import Sequence

from sockctl.client.plaintext_guard import make_never_asked_error
from sockctl.client.script_steps import Expect, Send, Step, Wait, WaitForEnd
from sockctl.errors import ConnectionBrokenError, ConnectTimeoutError, ExpectationError
from sockctl.text import format_count, make_visible

SHOWN_LINES = 5
"""How many of the last lines a failed expectation shows."""
SHOWN_CHARACTERS = 200
"""How much of each of them."""
KEPT_CHARACTERS = 4 << 20
"""How much is kept for expectations whose turn has not come; beyond that, the oldest lines are left out."""
LINE_COSTS = 64
"""The costs of a line beside its characters, in characters."""


def make_never_ended_error(timeout_s: float, other: str = "server") -> ConnectTimeoutError:
    """Return the error of a script whose last line was sent, while the other side has not ended the connection."""
    return ConnectTimeoutError(
        f"The {other} has not ended the connection within {timeout_s:g} s (--timeout). --quit-after TIME ends it "
        f"without an error, --expect REGEX as soon as the answer is there."
    )


class Script:
    """The steps, in place of a standard input.

    Args:
        steps: The steps.
        timeout_s: Seconds for the script as a whole, apart from its own pauses.
        kept_characters: How much is kept for expectations whose turn has not come.
        other: What the other side is, for errors.

    Attributes:
        ends_by_sending: Whether the last step sends a line: then the server's answer is waited for to its end.
        ends_by_expecting: Whether the last step is an expectation: the script defines success itself then.
        ended: Whether all steps were carried out.
        due_at: When the time of the current step is up; None where no step waits.
        deadline: When the time of the script is up; None before it has begun.
    """

    def __init__(
        self,
        steps: Sequence[Step],
        *,
        timeout_s: float,
        kept_characters: int = KEPT_CHARACTERS,
        other: str = "server",
    ) -> None:
        self._other = other
        self._other_ended = False
        self._all_steps = steps
        self._steps = deque(steps)
        self._expectations = sum(isinstance(step, Expect) for step in steps)  # those that are left
        self._timeout_s = timeout_s
        self._kept_characters = kept_characters
        self._received: deque[str] = deque()  # lines that no expectation has used up yet
        self._received_characters = 0
        self._left_out = 0  # lines of them that there was no more place for
        self._open = ""  # the line that has no end yet
        self._start = 0  # up to here the first line has been used
        self._last: deque[str] = deque(maxlen=SHOWN_LINES)
        self.ends_by_sending = bool(steps) and isinstance(steps[-1], Send)
        self.ends_by_expecting = bool(steps) and isinstance(steps[-1], Expect)
        self.ended = False
        self.due_at: float | None = None
        self.deadline: float | None = None

    def restart(self) -> None:
        """Begin anew with another server; the time of the script goes on."""
        self._steps = deque(self._all_steps)
        self._expectations = sum(isinstance(step, Expect) for step in self._steps)
        self._received.clear()
        self._received_characters = self._left_out = self._start = 0
        self._open = ""
        self._last.clear()
        self.ended, self.due_at = False, None

    def receive(self, lines: Sequence[str], open_line: str = "") -> None:
        """Keep lines of the server for the expectations that are left, and the beginning of the next line."""
        if self._expectations:  # else no step would use them up
            for line in lines:
                self._keep(line)
            self._last.extend(lines)
            self._open = open_line

    def run_to_line(self, now: float, *, can_send: bool) -> str | None:
        """Carry out steps up to one that sends a line, and return that; None where a step waits or all are done.

        Args:
            now: The time.
            can_send: Whether a line may go out now.

        Raises:
            ExpectationError: The time of an expectation is up.
            ConnectTimeoutError: The server has not ended the connection, or not let a line go out, in time.
        """
        while self._steps:
            step = self._steps[0]
            if self.due_at is None:
                self.due_at = self._begin_step(step, now)
            if isinstance(step, Send) and can_send:
                self._finish_step()
                return step.text
            if not isinstance(step, Expect) or not self._is_met(step):
                if self._other_ended and isinstance(step, Expect):
                    raise self._make_error(step, f"before the {self._other} ended the connection")
                if now < self.due_at and not (self._other_ended and isinstance(step, WaitForEnd)):
                    return None
                if now >= self.due_at:
                    self._refuse_late(step)
            self._finish_step()
        self.ended = True
        return None

    def note_end(self) -> None:
        """Note that the other side sends no more, while lines may still go out to it."""
        self._close_line()
        self._other_ended = True

    def end(self) -> None:
        """Carry out the steps that are left, now that the server has ended the connection.

        Raises:
            ExpectationError: An expectation is not met.
            ConnectionBrokenError: There is something left to send.
        """
        self._close_line()
        while self._steps:
            step = self._steps[0]
            if isinstance(step, Expect) and not self._is_met(step):
                raise self._make_error(step, f"before the {self._other} ended the connection")
            if isinstance(step, Send):
                left = format_count(len(self._steps), "step was", "steps were")
                raise ConnectionBrokenError(
                    f"The {self._other} ended the connection before the script: {left} not carried out, the first of "
                    f"them would have sent {make_visible(step.text)!r}."
                )
            self._finish_step()
        self.ended = True

    @property
    def end_due_at(self) -> float | None:
        """When the server must have ended the connection after a last line was sent; None before that, or for never."""
        return self.deadline if self.ended and self.ends_by_sending else None

    def is_late(self, now: float) -> bool:
        """Return whether that time is up."""
        return self.end_due_at is not None and now >= self.end_due_at

    def _begin_step(self, step: Step, now: float) -> float:
        """Return when the time of a step is up."""
        self.deadline = now + self._timeout_s if self.deadline is None else self.deadline
        if not isinstance(step, Wait):
            return self.deadline
        self.deadline += step.seconds
        return now + step.seconds

    def _refuse_late(self, step: Step) -> None:
        """Fail a step whose time is up, unless waiting was all that it was for."""
        if isinstance(step, Expect):
            raise self._make_error(step, f"within {self._timeout_s:g} s")
        if isinstance(step, Send):
            raise make_never_asked_error(self._timeout_s)
        if isinstance(step, WaitForEnd):
            raise ConnectTimeoutError(
                f"The {self._other} has not ended the connection within {self._timeout_s:g} s (--timeout)."
            )

    def _close_line(self) -> None:
        if self._open:
            self._keep(self._open)
            self._open = ""

    def _finish_step(self) -> None:
        self._expectations -= isinstance(self._steps.popleft(), Expect)
        self.due_at = None
        if not self._expectations:
            self._received.clear()
            self._received_characters = 0

    def _keep(self, line: str) -> None:
        self._received.append(line)
        self._received_characters += len(line) + LINE_COSTS
        while self._received_characters > self._kept_characters and len(self._received) > 1:
            self._use_up()
            self._left_out += 1

    def _use_up(self) -> None:
        self._received_characters -= len(self._received.popleft()) + LINE_COSTS
        self._start = 0

    def _is_met(self, step: Expect) -> bool:
        """Search the lines from where the expectation before was met; a line that is used up is gone.

        So a pattern that matches nothing at all, such as ``.*``, is met once by each line, and never by none.
        """
        while self._received:
            line = self._received[0]
            found = None
            if self._start < len(line) or not self._start:
                found = step.pattern.search(line, self._start)
            if found and found.end() < len(line):
                self._start = found.end()
                return True
            self._use_up()
            if found:
                return True
        found = step.pattern.search(self._open, self._start) if self._start < len(self._open) else None
        if found:
            self._start = found.end()
        return found is not None

    def _make_error(self, step: Expect, when: str) -> ExpectationError:
        lines = [*self._last, self._open] if self._open else [*self._last]
        came = "".join(f"\n  {make_visible(line[:SHOWN_CHARACTERS])}" for line in lines[-SHOWN_LINES:])
        heard = f" The last that came:{came}" if lines else " Nothing came."
        if self._left_out:
            when += f" ({self._left_out:,} lines that came before its turn were left out: more than can be kept)"
        return ExpectationError(f"{make_visible(step.pattern.pattern)!r} was not found {when}.{heard}")
