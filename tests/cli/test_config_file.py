"""The configuration file: what is wrong in it is told with its line."""

from pathlib import Path

import pytest

from sockctl.cli.config_file import open_config
from sockctl.cli.exit_codes import ExitCode
from tests.support.config import write_config
from tests.support.other_user import as_other_user, needs_root
from tests.support.running import sockctl


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("[serve.echo]\nport = \n", 2, "The file is no TOML"),
        ("port = 1\n", 1, "port stands in no table: write [connect] or [serve.echo] above it."),
        ("[connet]\n", 1, "[connet] is no command. Did you mean connect?"),
        ("[nonsense]\n", 1, "[nonsense] is no command. 'sockctl --help' lists the commands."),
        ("[serve.nonsense]\n", 1, "[serve.nonsense] is no command. 'sockctl serve --help' lists what there is."),
        (
            "[serve.echo]\nzzz = 1\n",
            2,
            "zzz is no option of 'sockctl serve echo'. 'sockctl serve echo --help' lists the options.",
        ),
        ("\n[serve.eco]\nport = 1\n", 2, "[serve.eco] is no command. Did you mean echo?"),
        ("[serve.echo]\n\nprt = 1\n", 3, "prt is no option of 'sockctl serve echo'. Did you mean --port"),
        ("[serve.echo]\nquiet = 1\n", 2, "--quiet is on or off: write true or false."),
        ('[serve.echo]\nport = "abc"\n', 2, "--port: 'abc' is not a port: a port is a whole number from 0 to 65535"),
        ("[serve.chat]\nport = 65536\n", 2, "--port: '65536' is not a port"),
        ("[serve.echo]\nport = true\n", 2, "--port takes a value, not true or false."),
        ('[serve.echo]\nallow = "10.0.0.0/8"\n', 2, "--allow takes a list"),
        ("[serve.echo]\nport = 1979-05-27\n", 2, "--port takes one value"),
        ('[serve.echo]\nmax_clients = "many"\n', 2, "--max-clients: 'many' is not a whole number."),
        ("[serve.echo]\nmax-clients = 0\n", 2, "--max-clients: 0 is not in the range 1\u20131,000,000."),
        ('[serve.echo]\nidle-timeout = "5x"\n', 2, "--idle-timeout: '5x' is not a time: write 5, 5s"),
        ('[connect]\npassword = "x"\n', 2, "no secret may stand in this file: remove it."),
        ('[connect]\nsend = ["x"]\n', 2, "send is no option of 'sockctl connect'."),
    ],
)
def test_what_is_wrong_in_the_file_is_told_with_its_line(folder: Path, text: str, line: int, says: str) -> None:
    file = write_config(folder, text)
    done = sockctl("config", "check")
    assert done.returncode == ExitCode.USAGE
    assert done.stderr.decode().startswith(f"sockctl: {file}:{line}: ")
    assert says in done.stderr.decode()
    command = ["connect", "localhost", "1"] if "[conn" in text else ["serve", "echo"]
    assert sockctl(*command).stderr == done.stderr


def test_a_file_of_bytes_that_are_no_text(folder: Path) -> None:
    (folder / "config.toml").write_bytes(b"\xff")
    done = sockctl("users", "list")
    assert (done.returncode, done.stdout) == (ExitCode.USAGE, b"")
    assert b"is not UTF-8 (byte 0): save it as UTF-8." in done.stderr


def test_a_file_in_place_of_the_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = write_config(folder, "")
    monkeypatch.setenv("SOCKCTL_CONFIG", str(file))
    run = sockctl("config", "check")
    assert run.returncode == ExitCode.USAGE
    said = f"sockctl: {file} is a file: SOCKCTL_CONFIG names the folder in which config.toml is.\n"
    assert run.stderr.decode().endswith(said)


@needs_root
def test_a_folder_that_the_user_may_not_enter(folder: Path) -> None:
    folder.mkdir(mode=0o700, exist_ok=True)
    said = as_other_user(lambda: str(open_config()))
    assert said.startswith("ConfigError: ")
    assert "can't be looked for: Permission denied. Set HOME to a folder of your own, or SOCKCTL_CONFIG." in said
