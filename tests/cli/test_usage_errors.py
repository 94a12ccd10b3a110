"""Usage errors: the usage line, the problem, and what to do."""

import os

import pytest

from sockctl.cli.exit_codes import ExitCode
from tests.support.running import sockctl


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["srve"], b"There is no command 'srve'. Did you mean serve?"),
        (["users", "rm"], b"There is no command 'rm'. Did you mean remove?"),
        (["serve", "echo", "--prot", "1"], b"There is no option --prot. Did you mean --port"),
        (["serve", "echo", "--portion", "0"], "--portion: 0 is not in the range 1\u201365536.".encode()),
        (["hosts", "trust"], b"HOST[:PORT] is missing."),
        (["serve", "echo", "--port", "nine"], b"'nine' is not a port"),
        (["serve", "echo", "--allow", "here"], b"--allow 'here' is not an address or a network"),
        (["connect", "-4", "-6", "localhost", "1"], b"exclude each other"),
        (["serve", "echo", "--control", "a", "--no-control"], b"--control and --no-control exclude each other"),
        (["serve", "echo", "-q", "-v"], b"-q and -v exclude each other: leave one out."),
        (["serve", "echo", "--udp", "-q", "-v"], b"-q and -v exclude each other: leave one out."),
        (["proxy", "0", "localhost:80", "-q", "-v"], b"-q and -v exclude each other: leave one out."),
        (["connect", "--timeout", "nan", "localhost", "1"], b"'nan' is not a time: write 5, 5s"),
        (["connect", "--quit-after", "inf", "localhost", "1"], b"'inf' is not a time"),
        (["serve", "echo", "--idle-timeout", "nan"], b"'nan' is not a time: write 5, 5s"),
        (["connect", "--timeout", "0", "localhost", "1"], b"0 is not in the range: give a time from 1ms to 365d."),
        (["connect", "localhost", "99999"], b"'99999' is not a port"),
        (["connect", "localhost"], b"PORT is missing and can't be asked for here: write sockctl connect HOST PORT"),
        (["connect", ":1"], b"HOST is missing"),
        (["-l", "9090"], b"There is no option -l. 'sockctl listen PORT' waits for a client."),
        (["listen", "-lkp", "9090"], b"There is no option -l. 'sockctl listen PORT' waits for a client."),
        (["listen", "-p", "9090"], b"There is no option -p. The port stands without an option: 'sockctl listen 9090'."),
        (["connect", "-u", "localhost", "1"], b"There is no option -u. 'sockctl connect udp://HOST:PORT' sends data"),
        (["connect", "-e", "cat"], b"There is no option -e. 'sockctl serve exec -- COMMAND' starts a program for"),
        (["connect", "-U", "./u.sock"], b"A Unix socket is written unix:PATH"),
        (["connect", "-nv", "localhost", "1"], b"There is no option -n. Leave it out: names alone are looked up"),
        (["listen", "--sh-exec", "cat", "1"], b"'sockctl serve exec -- COMMAND' starts a program for each client."),
        (["listen", "--broker", "1"], b"'sockctl listen PORT --many' takes several clients"),
        (["connect", "-k"], b"There is no option -k. 'sockctl listen PORT --keep-open' takes one client after another"),
        (["serve", "echo", "-p", "1"], b"There is no option -p. 'sockctl serve echo -h' explains it."),
        (["connect"], b"HOST and PORT are missing"),
        (["version"], b"Did you mean --version?"),
        (["chat"], b"Did you mean serve chat?"),
        (["connect", "--port", "1", "localhost"], b"without options: sockctl connect HOST:PORT."),
        (["connect", "--udp", "localhost", "1"], b"The scheme says so: sockctl connect udp://HOST:PORT."),
        (["listen", "--udp", "1"], b"UDP is answered by 'sockctl serve echo --udp'."),
        (
            ["users", "list", "--port", "1"],
            b"There is no option --port. Did you mean --store or --color? 'sockctl users list -h' explains it.",
        ),
        (["serve", "echo", "9090"], b"'9090' is more than the command takes. A server's port is an option: sockctl "),
        (["serve", "echo", ":9090"], b"A server's port is an option: sockctl serve echo --port 9090."),
        (["serve", "chat", "::1", "1"], b"'::1 1' is more than the command takes."),
        (["serve", "chat", "::1", "1"], b"an option: sockctl serve chat --host ::1 --port 1."),
        (["serve", "echo", "²"], "'²' is more than the command takes. 'sockctl serve echo -h'".encode()),
        (["help", "connect", "here"], b"'here' is more than the command takes. 'sockctl help -h' explains it."),
    ],
)
def test_usage_errors_say_what_and_exit_2(arguments: list[str], says: bytes) -> None:
    done = sockctl(*arguments)
    assert done.returncode == ExitCode.USAGE
    assert says in b" ".join(done.stderr.split())
    assert [line for line in done.stderr.splitlines() if line.startswith(b"Usage: ")] == done.stderr.splitlines()[:-1]
    assert done.stderr.splitlines()[-1].startswith(b"sockctl: ")
    assert b"Traceback" not in done.stderr


def test_the_pause_of_nc_is_told_apart_from_quiet() -> None:
    assert b"nc's -q TIME is --quit-after TIME." in sockctl("connect", "-q", "1", "localhost", "9090").stderr
    assert b"--quit-after" not in sockctl("connect", "-q", "localhost", "9090", "9091").stderr


def test_an_error_names_the_variable_that_is_wrong() -> None:
    done = sockctl("connect", "localhost", "1", env={**os.environ, "SOCKCTL_CONNECT_TIMEOUT": "soon"})
    assert done.returncode == ExitCode.USAGE
    assert b"sockctl: --timeout (set by SOCKCTL_CONNECT_TIMEOUT): 'soon' is not a time" in done.stderr
    done = sockctl("serve", "echo", env={**os.environ, "SOCKCTL_PORT": "abc"})
    assert done.returncode == ExitCode.USAGE
    assert b"sockctl: --port (set by SOCKCTL_PORT): 'abc' is not a port: a port is a whole number" in done.stderr
