"""Four members talk, and their server is killed three times: ``python -m tests.support.long_talk SECONDS SEED``.

The members are real clients with the line editor, in terminals of different widths. The last one always has a
half-typed line. At the end each screen, with all that was scrolled away, must have each line once, and all the same
order.
"""

import contextlib
import random
import re
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

from tests.support.running import TIMEOUT_S, Process, free_port, process
from tests.support.tmux import Tmux
from tests.support.typist import Report, Typist, compact

MEMBERS = {"ann": 80, "bob": 40, "cem": 140, "dan": 100}
"""Names, and how wide their terminals are."""
HALF_TYPED = "dan"
KILLS = 3
LOOK_EVERY_S = 0.15
LONGEST_PAUSE_S = 20.0
"""A client's longest pause, and some time to come back."""


class Talk:
    """Members in one room, and their server.

    Args:
        folder: Where everything is kept.
        chance: Decides what is typed, and when.
    """

    def __init__(self, folder: Path, chance: random.Random) -> None:
        self.report = Report()
        self.members: list[Typist] = []
        self._folder = folder
        self._chance = chance
        self._port = free_port()
        self._stack = contextlib.ExitStack()
        self._server: Process | None = None

    def __enter__(self) -> "Talk":
        with contextlib.ExitStack() as stack:
            self._stack = stack
            self._start_server()
            for name, columns in MEMBERS.items():
                folder = self._folder / name
                folder.mkdir()
                variables = {"SOCKCTL_STATE_DIR": str(folder / "state"), "NO_COLOR": "1"}
                screen = Tmux(folder, columns, 24, variables, kept=100_000)
                stack.callback(screen.close)
                self.members.append(Typist(name, screen, self.report, self._chance, is_slow=name == HALF_TYPED))
            for member in self.members:
                member.join(self._port)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()

    def _start_server(self) -> None:
        where = ("--port", str(self._port), "--strict-port", "--data-dir", str(self._folder / "data"))
        server = process("serve", "chat", *where, "--history", "1000", "--log-format", "json")
        self._server = self._stack.enter_context(server)
        self._server.event("listening")

    def go_on(self, seconds: float) -> None:
        """Let the members talk for so long."""
        self._until(lambda: False, seconds)

    def kill(self, stopped_s: float, gone_s: float) -> None:
        """Kill the server, and start it again.

        Args:
            stopped_s: For so long before it takes what it is sent, and does nothing with it.
            gone_s: For so long there is none.
        """
        assert self._server is not None
        self._server.process.send_signal(signal.SIGSTOP)
        self.go_on(stopped_s)
        self._server.end(signal.SIGKILL)
        self.report.kills += 1
        self.go_on(gone_s)
        self._start_server()

    def finish(self) -> None:
        """Let the members finish their lines, and compare what their screens have had."""
        for member in self.members:
            member.is_done = True
        self._until(lambda: all(member.is_quiet for member in self.members), LONGEST_PAUSE_S + TIMEOUT_S)
        self.go_on(1)
        said = sorted(text for member in self.members for text in member.said if not member.is_unfinished(text))
        self.report.lines = len(said)
        orders = {member.name: list(said_on(member.screen.last_rows(), said)) for member in self.members}
        first = orders[self.members[0].name]
        for name, order in orders.items():
            counts = Counter(order)
            wrong = [f"{text} {counts[text]} times" for text in said if counts[text] != 1]
            if wrong:
                self.report.findings.append(f"{name} has {wrong}")
            elif order != first:
                at = next(at for at, both in enumerate(zip(order, first, strict=True)) if both[0] != both[1])
                self.report.findings.append(f"{name} has {order[at : at + 5]}, ann has {first[at : at + 5]}")

    def _until(self, is_over: Callable[[], bool], seconds: float) -> None:
        """Let the members talk."""
        deadline = time.monotonic() + seconds
        while not is_over() and time.monotonic() < deadline:
            for member in self.members:
                member.act(time.monotonic())
            time.sleep(LOOK_EVERY_S)


def said_on(rows: list[str], said: list[str]) -> Iterator[str]:
    """Yield the lines that a screen shows as said by their members, in its order."""
    shown = compact(rows)
    known = {compact([text]): text for text in said}
    for found in re.finditer(r"<(\w+)>(\1-\d{5}[a-z]*\.)", shown):
        yield known.get(found[2], found[2])


def talk(folder: Path, seconds: float, seed: int) -> Report:
    """Let the members talk for so long, in which the server is killed three times.

    Args:
        folder: Where everything is kept.
        seconds: How long.
        seed: What is typed, and when.
    """
    chance = random.Random(seed)
    with Talk(folder, chance) as one:
        for kill in range(KILLS):
            one.go_on(seconds / (KILLS + 1))
            one.kill(chance.uniform(0.5, 3) if kill else 0, chance.uniform(0.5, 4))
        one.go_on(seconds / (KILLS + 1))
        one.finish()
        return one.report


def main() -> int:
    """Talk, and print the report."""
    seconds, seed = (int(word) for word in sys.argv[1:3])
    with tempfile.TemporaryDirectory() as folder:
        report = talk(Path(folder), seconds, seed)
    findings = report.findings
    print({name: value for name, value in vars(report).items() if name != "findings"})
    print("\n".join(findings) or "Nothing was lost, nothing came twice, and each editor had its line.")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
