import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import typer

import sockctl as package
from sockctl.cli import app as app_module
from sockctl.cli.exit_codes import ExitCode, find_exit_code
from sockctl.errors import ConnectTimeoutError, ListenError, UnreachableError
from tests.support.running import SOCKCTL, UNMEASURED, echo_process, sockctl


def test_version() -> None:
    done = sockctl("--version")
    assert (done.returncode, done.stdout.decode()) == (0, f"sockctl {package.__version__}\n")


def test_version_with_other_options_too() -> None:
    assert package.__version__.encode() in sockctl("--version", "connect").stdout


@pytest.mark.parametrize("command", [[], ["serve"], ["serve", "echo"], ["connect"], ["hosts"], ["hosts", "add"]])
def test_help_has_an_example(command: list[str]) -> None:
    done = sockctl(*command, "--help")
    assert done.returncode == 0
    assert b"Example" in done.stdout
    assert done.stderr == b""


def test_exit_codes_of_errors() -> None:
    assert find_exit_code(UnreachableError("")) is ExitCode.UNREACHABLE
    assert find_exit_code(ConnectTimeoutError("")) is ExitCode.TIMED_OUT
    assert find_exit_code(ListenError("")) is ExitCode.FAILED


def test_a_defect_is_one_line_unless_asked_for(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    failing = typer.Typer(add_completion=False)

    @failing.command()
    def fail() -> None:
        raise ValueError("a defect")

    monkeypatch.setattr(app_module, "app", failing)
    monkeypatch.setattr("sys.argv", ["sockctl"])
    monkeypatch.delenv("SOCKCTL_DEBUG", raising=False)
    assert app_module.run() is ExitCode.FAILED
    assert capfd.readouterr().err == (
        "sockctl: unexpected ValueError: a defect. This is a defect; SOCKCTL_DEBUG=1 shows where.\n"
    )
    monkeypatch.setenv("SOCKCTL_DEBUG", "1")
    with pytest.raises(ValueError, match="a defect"):
        app_module.run()


def test_no_descriptor_left_is_no_defect(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> None:
    failing = typer.Typer(add_completion=False)

    @failing.command()
    def fail() -> None:
        raise OSError(errno.EMFILE, os.strerror(errno.EMFILE))

    monkeypatch.setattr(app_module, "app", failing)
    monkeypatch.setattr("sys.argv", ["sockctl"])
    monkeypatch.delenv("SOCKCTL_DEBUG", raising=False)
    assert app_module.run() is ExitCode.FAILED
    assert capfd.readouterr().err == "sockctl: Too many open files. Raise the limit of open files (ulimit -n).\n"


def loaded_by(code: str) -> set[str]:
    script = f"import sys\n{code}\nprint(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60, env=UNMEASURED
    )
    return set(done.stdout.split())


def test_version_loads_nothing_of_the_command_line() -> None:
    loaded = loaded_by("sys.argv = ['sockctl', '--version']\nimport sockctl.__main__ as m\nm.main()")
    assert not loaded & {"typer", "sockctl.cli", "argparse", "socket"}


def test_a_chat_without_accounts_needs_no_hashes() -> None:
    loaded = loaded_by("import sockctl.services.chat.service")
    assert "sockctl.accounts.passwords" in loaded
    assert "argon2" not in loaded


def test_connect_loads_neither_heavy_libraries_nor_the_server() -> None:
    code = """
import socket
listener = socket.create_server(("127.0.0.1", 0))
sys.argv = ["sockctl", "connect", "127.0.0.1", str(listener.getsockname()[1]), "--quit-after", "0"]
sys.stdin.close()
import sockctl.cli.app as a
try:
    a.run()
except SystemExit as ended:
    assert ended.code == 0, ended.code
"""
    loaded = loaded_by(code)
    server = {
        "sockctl.net.server",
        "sockctl.net.event_loop",
        "sockctl.events.server",
        "sockctl.services",
        "socketserver",
    }
    assert "sockctl.client.io_loop" in loaded
    assert not loaded & {"rich", "argon2", "ssl", "ifaddr", "cryptography", "prompt_toolkit", "click", *server}
    assert not loaded & {"sockctl.client.token_login", "sockctl.stores.json_store"}, "there are no messages"


@pytest.mark.parametrize("name", app_module.COMMANDS)
def test_the_list_of_commands_says_what_each_says_of_itself(name: str) -> None:
    done = sockctl(name, "--help")
    assert done.returncode == 0
    usage, *lines = done.stdout.decode().splitlines()
    assert app_module.COMMANDS[name].removesuffix(".") in " ".join(" ".join(lines).split())
    assert [line for line in lines if line.endswith("...")] == [], f"what is said does not fit: {usage}"


def test_a_command_and_the_list_of_all_load_no_other_command() -> None:
    for arguments, loads in ((["--help"], set()), (["logout", "--help"], {"logout", "hosts"})):
        script = f"""
sys.argv = ["sockctl", *{arguments}]
sys.stdout, shown = None, sys.stdout
import sockctl.cli.app as a
try:
    a.run()
except SystemExit as ended:
    assert ended.code == 0, ended.code
sys.stdout = shown
"""
        loaded = loaded_by(script)
        assert "typer" in loaded
        assert {name for name in app_module.COMMANDS if f"sockctl.cli.{name}" in loaded} == loads


@pytest.mark.parametrize(("where", "why"), [(">&-", "it is closed"), (">/dev/full", "No space left on device")])
@pytest.mark.parametrize("command", ["--version", "-V", "--help", "serve echo -h", "users list", "connect -V"])
def test_output_that_cannot_be_written_is_told_in_one_sentence(
    command: str, where: str, why: str, tmp_path: Path
) -> None:
    done = subprocess.run(
        ["sh", "-c", f'exec "$@" {where}', "sh", *SOCKCTL, *command.split()],
        check=False,
        timeout=60,
        capture_output=True,
        env={**os.environ, "SOCKCTL_DATA_DIR": str(tmp_path)},
    )
    assert done.returncode == ExitCode.FAILED
    assert done.stderr.decode() == f"sockctl: Standard output can't be written: {why}. The rest is lost.\n"


def test_a_reader_that_has_enough_is_no_failure() -> None:
    with echo_process() as (_, port):
        bench = [*SOCKCTL, "bench", "echo", f"localhost:{port}", "--count", "10", "--timeout", "20"]
        done = subprocess.run(
            ["sh", "-c", '{ "$@"; echo $? >&2; } | true', "sh", *bench], check=False, timeout=60, capture_output=True
        )
    assert done.stderr == b"0\n"


def test_closed_standard_streams_do_no_harm() -> None:
    done = subprocess.run(
        ["sh", "-c", 'exec "$@" <&- >&- 2>&-', "sh", *SOCKCTL, "connect", "127.0.0.1", "1"],
        check=False,
        timeout=60,
        capture_output=True,
    )
    assert done.returncode == ExitCode.UNREACHABLE


INTERRUPTED = {
    "while the command line loads": """
class Interrupting:
    def find_spec(self, name, *_):
        if name == "sockctl.cli.app":
            os.kill(os.getpid(), signal.SIGINT)
sys.meta_path.insert(0, Interrupting())
""",
    "as the process ends": "threading._register_atexit(os.kill, os.getpid(), signal.SIGINT)",
}


@pytest.mark.parametrize("moment", INTERRUPTED)
def test_ctrl_c_around_a_command_shows_no_traceback(moment: str) -> None:
    lines = [
        "import os, signal, sys, threading",
        "signal.signal(signal.SIGINT, signal.default_int_handler)",
        INTERRUPTED[moment],
        "from sockctl.__main__ import main",
        "sys.argv = ['sockctl', 'help']",
        "sys.exit(main())",
    ]
    done = subprocess.run([sys.executable, "-c", "\n".join(lines)], capture_output=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (-signal.SIGINT, b"")
