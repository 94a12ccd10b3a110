"""Carries out the steps of a scripted session, as the connection's relay gives it its turn."""

import time
from collections import deque
from collections.abc import Callable, Sequence

from sockctl.client.script_steps import Expect, Send, Step, Wait, WaitForEnd
from sockctl.errors import ConnectionBrokenError, ConnectTimeoutError, ExpectationError
from sockctl.text import plural, visible

__all__ = ["Script"]

SHOWN_LINES = 5
"""How many of the last lines a failed expectation shows."""
SHOWN_CHARACTERS = 200
"""How much of each of them."""
KEPT_CHARACTERS = 4 << 20
"""How much is kept for expectations whose turn has not come; of what goes beyond, the oldest lines are left out."""
LINE_COSTS = 64
"""What a line takes beside its characters, in characters."""


class Script:
    """The steps, in place of a standard input.

    Args:
        steps: What to do.
        say: Sends a line.
        may_say: Returns whether a line may go out now.
        leave: Called after the last step, unless that has sent a line: says goodbye.
        timeout_s: Seconds for each expectation, and for the server's end.
        kept_characters: How much is kept for expectations whose turn has not come.
    """

    wanted = False  # there is nothing to read: its turn comes with `advance`

    def __init__(
        self,
        steps: Sequence[Step],
        *,
        say: Callable[[str], None],
        may_say: Callable[[], bool],
        leave: Callable[[], None],
        timeout_s: float,
        kept_characters: int = KEPT_CHARACTERS,
    ) -> None:
        self._steps = deque(steps)
        self._expectations = sum(isinstance(step, Expect) for step in steps)  # those that are left
        self._ends_by_sending = bool(steps) and isinstance(steps[-1], Send)
        self._say = say
        self._may_say = may_say
        self._leave = leave
        self._timeout_s = timeout_s
        self._until: float | None = None  # when the time of the step at the front is up
        self._kept_characters = kept_characters
        self._heard: deque[str] = deque()  # lines that no expectation has used up yet
        self._heard_characters = 0
        self._left_out = 0  # lines of them that there was no more place for
        self._open = ""  # the line that has no end yet
        self._start = 0  # up to here the first line has been used
        self._last: deque[str] = deque(maxlen=SHOWN_LINES)
        self.ended = False

    @property
    def waits_for_answers(self) -> bool:
        """Whether it ends with a line sent: then the server's answer is waited for to its end."""
        return self._ends_by_sending

    def fileno(self) -> int:
        """Return no descriptor."""
        return -1

    def read(self) -> bytes:
        """Return nothing."""
        return b""

    def hear(self, lines: Sequence[str], open_line: str = "") -> None:
        """Take lines that the server has sent, and what there is of the next one."""
        if self._expectations:  # else nobody would ever use them up
            for line in lines:
                self._keep(line)
            self._last.extend(lines)
            self._open = open_line

    def advance(self) -> float | None:
        """Carry out what can be carried out now; return for how many seconds to wait, or None.

        Raises:
            ExpectationError: The time of an expectation is up.
            ConnectTimeoutError: The server has not ended the connection, or not let a line go out, in time.
        """
        while self._steps:
            step = self._steps[0]
            if self._until is None:
                self._until = time.monotonic() + (step.seconds if isinstance(step, Wait) else self._timeout_s)
            if not self._is_done(step):
                left_s = self._until - time.monotonic()
                if left_s > 0:
                    return left_s
                self._raise_if_late(step)
            self._done_with_step()
        if not self.ended:
            self.ended = True
            if not self.waits_for_answers:
                self._leave()
        return None

    def end(self) -> None:
        """Carry out what is left, now that the server has ended the connection.

        Raises:
            ExpectationError: An expectation is not met by what had come.
            ConnectionBrokenError: There is something left to send.
        """
        if self._open:
            self._keep(self._open)
            self._open = ""
        while self._steps:
            step = self._steps[0]
            if isinstance(step, Expect) and not self._is_met(step):
                raise self._unmet(step, "before the server ended the connection")
            if isinstance(step, Send):
                left = plural(len(self._steps), "step was", "steps were")
                raise ConnectionBrokenError(
                    f"The server ended the connection before the script: {left} not carried out, the first of them "
                    f"would have sent {visible(step.text)!r}."
                )
            self._done_with_step()
        self.ended = True

    def _is_done(self, step: Step) -> bool:
        """Do what the step says, if that needs no waiting; return whether it is done before its time is up."""
        match step:
            case Send():
                if not self._may_say():
                    return False
                self._say(step.text)
                return True
            case Expect():
                return self._is_met(step)
            case _:
                return False

    def _raise_if_late(self, step: Step) -> None:
        """Fail a step whose time is up, unless waiting was all that it was for."""
        if isinstance(step, Expect):
            raise self._unmet(step, f"within {self._timeout_s:g} s")
        if isinstance(step, Send):
            from sockctl.client.plaintext_guard import never_asked

            raise never_asked(self._timeout_s)
        if isinstance(step, WaitForEnd):
            raise ConnectTimeoutError(
                f"The server has not ended the connection within {self._timeout_s:g} s (--timeout)."
            )

    def _done_with_step(self) -> None:
        self._expectations -= isinstance(self._steps.popleft(), Expect)
        self._until = None
        if not self._expectations:
            self._heard.clear()
            self._heard_characters = 0

    def _keep(self, line: str) -> None:
        self._heard.append(line)
        self._heard_characters += len(line) + LINE_COSTS
        while self._heard_characters > self._kept_characters and len(self._heard) > 1:
            self._use_up()
            self._left_out += 1

    def _use_up(self) -> None:
        self._heard_characters -= len(self._heard.popleft()) + LINE_COSTS
        self._start = 0

    def _is_met(self, step: Expect) -> bool:
        """Search what was heard, from where the expectation before was met; a line that is used up is gone.

        So a pattern that matches nothing at all, such as ``.*``, is met once by each line, and never by none.
        """
        while self._heard:
            line = self._heard[0]
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

    def _unmet(self, step: Expect, when: str) -> ExpectationError:
        lines = [*self._last, self._open] if self._open else [*self._last]
        came = "".join(f"\n  {visible(line[:SHOWN_CHARACTERS])}" for line in lines[-SHOWN_LINES:])
        heard = f" The last that came:{came}" if lines else " Nothing came."
        if self._left_out:
            when += f" ({self._left_out:,} lines that came before its turn were left out: more than can be kept)"
        return ExpectationError(f"{visible(step.pattern.pattern)!r} was not found {when}.{heard}")
