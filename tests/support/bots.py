"""A client in a pipe that comes back, for tests that talk with it while it runs."""

import contextlib
import subprocess
from pathlib import Path

from tests.support.processes import Popen
from tests.support.running import SOCKCTL, START_S, wait_until


class Bot:
    """A client in a pipe; `say` gives it a line, `output` and `errors` are files that grow."""

    def __init__(self, folder: Path, *options: str) -> None:
        self.output, self.errors = folder / "output", folder / "errors"
        with self.output.open("wb") as output, self.errors.open("wb") as errors:
            self.process = Popen(
                [*SOCKCTL, "connect", "--reconnect", *options], stdin=subprocess.PIPE, stdout=output, stderr=errors
            )

    def say(self, *lines: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write("".join(f"{line}\n" for line in lines).encode())
        self.process.stdin.flush()

    def wait_for(self, text: str, count: int = 1, *, told: bool = False) -> None:
        """Wait for a text; the client may be starting, or pausing before its next try."""
        path = self.errors if told else self.output
        wait_until(lambda: path.read_text().count(text) >= count, timeout_s=START_S, what=f"{text!r} in {path}")

    def end(self) -> int:
        assert self.process.stdin is not None
        with contextlib.suppress(BrokenPipeError):
            self.process.stdin.close()
        return self.process.wait(START_S)

    def kill(self) -> None:
        self.process.kill()
        self.end()
