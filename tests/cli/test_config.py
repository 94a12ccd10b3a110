"""``sockctl config``, the configuration file and the environment, in real processes."""

import json
import os
import subprocess
from pathlib import Path

from sockctl.cli.exit_codes import ExitCode
from tests.support.config import write_config
from tests.support.running import process, sockctl


def show(*arguments: str, **environment: str) -> "subprocess.CompletedProcess[bytes]":
    return sockctl("config", "show", *arguments, "--json", env={**os.environ, **environment})


def test_the_path(folder: Path) -> None:
    assert sockctl("config", "path").stdout.decode() == f"{folder / 'config.toml'}\n"


def test_the_path_of_the_user(tmp_path: Path) -> None:
    environment = {**os.environ, "XDG_CONFIG_HOME": str(tmp_path)}
    environment.pop("SOCKCTL_CONFIG", None)
    assert sockctl("config", "path", env=environment).stdout.decode() == f"{tmp_path}/sockctl/config.toml\n"


def test_the_command_line_goes_before_the_environment_and_that_before_the_file(folder: Path) -> None:
    write_config(folder, '[serve.echo]\nport = 0\nlog-format = "json"\ndrain-timeout = "250ms"\nquiet = false\n')
    with process("serve", "echo") as run:
        assert run.event("listening")["host"] == "127.0.0.1"
    with process("serve", "echo", env={**os.environ, "SOCKCTL_HOST": "localhost", "SOCKCTL_LOG_FORMAT": "text"}) as run:
        run.wait_for("listening")
    with process("serve", "echo", "--log-format", "json", env={**os.environ, "SOCKCTL_LOG_FORMAT": "text"}) as run:
        assert run.event("listening")


def test_show_says_which_value_holds_and_from_where(folder: Path) -> None:
    file = write_config(folder, '# mine\n[serve.echo]\nport = 9191\nallow = ["127.0.0.1", "10.0.0.0/8"]\n')
    values = {one["option"]: one for one in json.loads(show("serve", "echo", SOCKCTL_MAX_CLIENTS="7").stdout)}
    assert (values["--port"]["value"], values["--port"]["from"]) == ("9191", f"{file}:3")
    assert (values["--allow"]["value"], values["--allow"]["from"]) == ("127.0.0.1 10.0.0.0/8", f"{file}:4")
    assert (values["--max-clients"]["value"], values["--max-clients"]["from"]) == (
        "7",
        "environment: SOCKCTL_MAX_CLIENTS",
    )
    assert (values["--drain-timeout"]["value"], values["--drain-timeout"]["from"]) == ("5s", "default")
    changed = json.loads(show().stdout)
    assert [(one["command"], one["option"]) for one in changed] == [("serve echo", "--port"), ("serve echo", "--allow")]


def test_show_of_no_command(folder: Path) -> None:
    assert folder
    done = show("serve", "eco")
    assert (done.returncode, done.stdout) == (ExitCode.USAGE, b"")
    assert b"'sockctl serve eco' is no command with options" in done.stderr


def test_a_file_that_is_right_and_none_at_all(folder: Path) -> None:
    assert b"There is no " in sockctl("config", "check").stdout
    write_config(folder, "[bench.echo]\nclients = 3\n[connect]\nno-session = true\n")
    assert sockctl("config", "check").stdout.endswith(b"config.toml is right.\n")


def test_no_variable_installs_or_shows_the_completion() -> None:
    assert b"env var" not in sockctl("--help").stdout
    shown = sockctl("users", "list", env={**os.environ, "SHELL": "/bin/bash", "SOCKCTL_SHOW_COMPLETION": "1"}).stdout
    assert b"complete" not in shown


def test_no_variable_asks_for_the_help_or_the_version() -> None:
    done = sockctl("users", "list", env={**os.environ, "SOCKCTL_HELP": "1", "SOCKCTL_USERS_LIST_VERSION": "1"})
    assert b"Usage" not in done.stdout
    assert b"sockctl 0" not in done.stdout


def test_the_check_knows_the_options_that_a_command_takes(folder: Path) -> None:
    write_config(folder, '[connect]\ncolor = "never"\n')
    assert sockctl("connect", "127.0.0.1", "1").returncode == ExitCode.UNREACHABLE
    assert sockctl("config", "check").returncode == ExitCode.DONE
    (entry,) = json.loads(show().stdout)
    assert (entry["command"], entry["option"], entry["value"]) == ("connect", "--color", "never")
