"""The README's install lines, as they stand, in a copy of the repository: the command starts, and has its man pages."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from sockctl import __version__
from tests.support.running import START_S, Process
from tests.support.tools import unavailable

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
LINE = re.findall(r"^    (.*pip install .*serve echo)$", README, re.MULTILINE)[0]
INSTALLERS = re.findall(r"`((?:pipx|uv tool) install [^`]+)`", README)
INSTALL_TIMEOUT_S = 400  # on a busy machine
MADE_HERE = (".venv*", ".git", ".*_cache", ".hypothesis", "__pycache__", ".coverage*", "dist")

pytestmark = [pytest.mark.slow, pytest.mark.timeout(2 * INSTALL_TIMEOUT_S)]


class Clone:
    """A copy of the repository, and a home of its own for what is installed from it."""

    def __init__(self, folder: Path) -> None:
        self.place = folder / "sockctl"
        self.home = folder / "home"
        shutil.copytree(ROOT, self.place, ignore=shutil.ignore_patterns(*MADE_HERE))
        self.home.mkdir()
        places = {"UV_TOOL_DIR": "tools", "UV_TOOL_BIN_DIR": "bin", "PIPX_HOME": "tools", "PIPX_BIN_DIR": "bin"}
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(("COVERAGE", "SOCKCTL"))},
            **{name: str(self.home / folder) for name, folder in places.items()},
            "PIPX_MAN_DIR": str(self.home / "man"),
            "SOCKCTL_PORT": "0",
        }

    def run(self, line: str) -> str:
        """Run a line of the README, and return its output."""
        done = subprocess.run(
            ["bash", "-c", line],
            cwd=self.place,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=INSTALL_TIMEOUT_S,
        )
        assert done.returncode == 0, done.stdout
        return done.stdout


class Line(Process):
    """A line of the README that starts a server."""

    def command(self, *arguments: str) -> list[str]:
        return ["bash", "-c", *arguments]


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Need a package index: each way to install builds by hatchling, which comes from there."""
    folder = str(tmp_path_factory.mktemp("index"))
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", folder, "hatchling"]
    if subprocess.run(command, check=False, capture_output=True, timeout=INSTALL_TIMEOUT_S).returncode:
        unavailable("no package index can be reached")


@pytest.fixture
def clone(index: None, tmp_path: Path) -> Clone:  # noqa: ARG001  it is needed, and has no value
    """Return a copy of the repository."""
    return Clone(tmp_path)


def check(command: Path, pages: Path) -> None:
    """Check an installed command, and the folder of its man pages."""
    done = subprocess.run([command, "--version"], check=True, capture_output=True, text=True)
    assert done.stdout.split()[-1] == __version__
    assert (pages / "man1" / "sockctl-serve-echo.1").read_text().startswith('.TH "SOCKCTL-SERVE-ECHO" 1')


def test_the_first_line_installs_and_serves(clone: Clone) -> None:
    install, server = LINE.rsplit(" && ", 1)
    clone.run(install)
    run = Line(server, cwd=clone.place, env=clone.environment)
    try:
        assert run.wait_for(r"Listening on 127\.0\.0\.1:[0-9]+", timeout_s=START_S)
    finally:
        run.process.terminate()
        code = run.wait()
        run.close()
    assert code == 0
    check(clone.place / ".venv/bin/sockctl", clone.place / ".venv/share/man")


@pytest.mark.parametrize("line", INSTALLERS)
def test_an_installer_puts_it_on_the_path(clone: Clone, line: str) -> None:
    name = line.split(maxsplit=1)[0]
    if shutil.which(name) is None:
        unavailable(f"the command {name} is missing (pip install {name})")
    clone.run(line)
    check(clone.home / "bin" / "sockctl", next(clone.home.glob("**/man")))


def test_the_readme_names_the_installers() -> None:
    assert [line.split()[0] for line in INSTALLERS] == ["pipx", "uv"]
