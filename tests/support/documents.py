"""The commands of a page, run as they stand: sessions in blocks marked ``console``, one after the other.

A command that starts a server runs on in the background; all others run to their end. What they print is compared with
what the page shows. There ``…`` stands for anything, and a number, a time or a fingerprint for any other one.
"""

import contextlib
import os
import re
import shlex
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from sockctl.cluster.engine_access import USUAL_PORT
from tests.support.engines import redis_server
from tests.support.processes import SOCKCTL, Popen
from tests.support.running import START_S, TIMEOUT_S

_BLOCK = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_INSTALLS_ENGINE = "apt-get install -y redis-server"
_SERVES = re.compile(r"^sockctl (?:serve|listen|proxy) ")
_NEEDS_SHELL = re.compile(r"^(?!sockctl )|[|&;<>()$`*?#~{}\[\]!\\\n]")
_ANYTHING = {
    r"(?:[0-9A-F]{2}:){3}(?:[0-9A-F]{2}:|…:)+[0-9A-F]{2}": r"(?:[0-9A-F]{2}:){31}[0-9A-F]{2}",
    r"\b[0-9a-f]{12}\b": r"[0-9a-f]{12}",
    r"(?<=\.)[0-9a-f]{8}\b": r"[0-9a-f]{8}",
    r"\d+(?:[.,]\d+)*(?: (?:µs|ms|s))\b": r"[\d.,]+ (?:µs|ms|s)",
    r"\d+(?:[.,]\d+)*(?: (?:KiB|MiB|GiB))\b": r"[\d.,]+ (?:KiB|MiB|GiB)",
    r"\d+(?:[.,]\d+)*": r"[\d.,]+",
    r" +": r"\s+",
    r"…": r".*",
}
"""What a page may show of things that differ from run to run, and what stands for each; the first that fits counts."""
_DIFFERS = re.compile("|".join(f"({shown})" for shown in _ANYTHING))


@dataclass
class Step:
    """A command of a page, and the lines that it prints there."""

    command: str
    shows: list[str] = field(default_factory=list)


def read_steps(page: str) -> Iterator[Step]:
    """Yield the commands of a page in their order."""
    for block in _BLOCK.findall(page):
        step, here = None, False
        for line in block.splitlines():
            if here and step is not None:
                step.command += f"\n{line}"
                here = line != "END"
            elif line.startswith("$ "):
                if step is not None:
                    yield step
                step = Step(line[2:])
                here = line.endswith("<<'END'")
            elif step is not None:
                step.shows.append(line)
        if step is not None:
            yield step


def find_difference(step: Step, printed: list[str]) -> str:
    """Return what a page shows that wasn't printed in that order; nothing where there is no difference."""
    left = iter(printed)
    for line in step.shows:
        if line != "…" and not any(_pattern(line).fullmatch(each) for each in left):
            return f"$ {step.command}\n{line}\nisn't there; there was:\n" + "\n".join(printed)
    return ""


def _pattern(line: str) -> re.Pattern[str]:
    stands_for = list(_ANYTHING.values())
    parts, end = [], 0
    for found in _DIFFERS.finditer(line):
        parts += [re.escape(line[end : found.start()]), stands_for[(found.lastindex or 1) - 1]]
        end = found.end()
    return re.compile("".join([*parts, re.escape(line[end:])]) + r"\s*")


class PageRunner:
    """Runs the commands of a page in a folder, as a user whose home it is."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._undo = contextlib.ExitStack()
        self._servers: list[tuple[Step, Popen, list[str], threading.Thread]] = []
        programs = str(Path(sys.executable).parent)
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("SOCKCTL", "XDG"))},
            "HOME": str(folder),
            "XDG_RUNTIME_DIR": self._undo.enter_context(tempfile.TemporaryDirectory()),  # a socket needs a short path
            "PATH": f"{programs}:{os.environ['PATH']}",
        }

    def run(self, step: Step) -> None:
        """Run a command, and check what it prints. A server's output is checked when the page is through."""
        if _SERVES.match(step.command):
            self._start(step)
            return
        if step.command == _INSTALLS_ENGINE:  # Debian starts what it installs
            self._undo.enter_context(redis_server(self._folder, port=USUAL_PORT))
            return
        with self._open(step.command) as run:
            try:
                printed, _ = run.communicate(timeout=START_S)
            finally:
                run.kill()
        assert not (difference := find_difference(step, printed.decode().splitlines())), difference

    def _open(self, command: str) -> Popen:
        """Start a command: by a shell, unless the same comes of it without one, in a sixth of the time."""
        if _NEEDS_SHELL.search(command):
            words = ["bash", "-c", f"exec {command}" if _SERVES.match(command) else command]
        else:
            words = [*SOCKCTL, *shlex.split(command)[1:]]
        return Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd=self._folder,
            env=self.environment,
        )

    def _start(self, step: Step) -> None:
        server = self._open(step.command)
        lines: list[str] = []
        assert server.stdout is not None
        reader = threading.Thread(target=self._read, args=(server, lines), daemon=True)
        reader.start()
        self._servers.append((step, server, lines, reader))
        deadline = time.monotonic() + START_S
        while not any("istening" in line for line in lines):
            assert server.poll() is None, f"{step.command} ended: {lines}"
            assert time.monotonic() < deadline, f"{step.command} doesn't listen: {lines}"
            time.sleep(0.02)

    @staticmethod
    def _read(server: Popen, lines: list[str]) -> None:
        assert server.stdout is not None
        for line in server.stdout:
            lines.append(line.decode().rstrip("\n"))

    def stop(self) -> list[str]:
        """Stop the servers, and return what their pages show that they didn't print."""
        differences = []
        for step, server, lines, reader in self._servers:
            server.terminate()
            server.wait(TIMEOUT_S)
            reader.join(TIMEOUT_S)
            assert server.stdout is not None
            server.stdout.close()
            differences.append(find_difference(step, lines))
        self._undo.close()
        return [difference for difference in differences if difference]
