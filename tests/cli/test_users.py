"""``sockctl users``: what it prints, what it refuses, and that nothing is ever lost."""

import contextlib
import json
import os
import random
import resource
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import pexpect
import pytest

from sockctl.accounts.accounts import Accounts
from sockctl.accounts.authenticator import Authenticator
from sockctl.accounts.hash_queue import HashQueue
from sockctl.cli.exit_codes import ExitCode
from tests.support.accounts import OTHER, PASSWORD, accounts_at, make_cheap
from tests.support.changes import changed
from tests.support.processes import Popen
from tests.support.running import SOCKCTL, START_S, TIMEOUT_S, UNMEASURED, sockctl

KILLS = max(60, int(os.environ.get("SOCKCTL_SOAK_KILLS", "0")) // 10)


def users(data: Path, *arguments: str, password: str | None = None) -> subprocess.CompletedProcess[bytes]:
    given = ["--password-stdin"] if password is not None else []
    return sockctl("users", *arguments, *given, "--data-dir", str(data), stdin=f"{password or ''}\n".encode())


def test_a_users_life(tmp_path: Path) -> None:
    data = tmp_path / "data"
    nobody = users(data, "list")
    assert nobody.stdout == b"NAME\tCREATED\tPASSWORD SET\tSTATE\n"
    assert nobody.stderr == b"There are no users yet: 'sockctl users add NAME' makes one.\n"
    assert json.loads(users(data, "list", "--json").stdout) == []
    assert not data.exists()
    make_cheap(data)
    assert users(data, "add", "Ann", password=PASSWORD).stdout == b"ann is a user now.\n"
    assert stat.S_IMODE((data / "users.json").stat().st_mode) == 0o600
    assert PASSWORD not in (data / "users.json").read_text()
    (added,) = changed(users(data, "add", "bob", "--json", password=OTHER))
    assert (added["name"], added["disabled"]) == ("bob", False)
    taken = users(data, "add", "BOB", "--if-missing", password=OTHER)
    assert (taken.returncode, taken.stdout) == (0, b"BOB is a user already. Nothing has changed.\n")
    assert changed(users(data, "add", "bob", "--if-missing", "--json")) == [], "no password is needed"
    titles, ann, _ = users(data, "list").stdout.decode().splitlines()
    assert titles.split("\t") == ["NAME", "CREATED", "PASSWORD SET", "STATE"]
    assert (ann.split("\t")[0], ann.split("\t")[-1]) == ("ann", "enabled")
    assert users(data, "disable", "BOB").stdout == b"bob may not log in any more; all sessions have ended.\n"
    assert changed(users(data, "disable", "bob", "--json")) == []
    assert b"disabled" in users(data, "list").stdout
    assert [one["disabled"] for one in json.loads(users(data, "list", "--json").stdout)] == [False, True]
    assert users(data, "verify", "bob", password=OTHER).returncode == ExitCode.NOT_LET_IN
    assert [one["disabled"] for one in changed(users(data, "enable", "bob", "--json"))] == [False]
    assert users(data, "enable", "bob").stdout == b"bob may log in.\n"
    assert users(data, "verify", "bob", password=OTHER).stdout == b"That is the password of bob.\n"
    assert users(data, "passwd", "bob", password=f"{OTHER} again").returncode == 0
    wrong = users(data, "verify", "bob", password=OTHER)
    assert (wrong.returncode, wrong.stdout) == (ExitCode.NOT_LET_IN, b"")
    assert wrong.stderr == b"sockctl: That is not the password of bob.\n"
    assert json.loads(users(data, "verify", "bob", "--json", password=f"{OTHER} again").stdout)["name"] == "bob"
    asked = users(data, "remove", "bob")
    assert asked.returncode == ExitCode.USAGE
    assert b"--yes" in asked.stderr
    assert [one["name"] for one in changed(users(data, "remove", "bob", "--yes", "--json"))] == ["bob"]
    gone = users(data, "remove", "bob", "--if-exists")
    assert (gone.returncode, gone.stdout) == (0, b"There is no user bob. Nothing has changed.\n")
    assert changed(users(data, "remove", "bob", "--if-exists", "--json")) == []
    assert [one["name"] for one in json.loads(users(data, "list", "--json").stdout)] == ["ann"]


@pytest.mark.parametrize(
    ("arguments", "password", "code", "why"),
    [
        (["add", "ann"], PASSWORD, ExitCode.FAILED, "There is a user ann already"),
        (["add", "root"], PASSWORD, ExitCode.USAGE, "reserved"),
        (["add", "a b"], PASSWORD, ExitCode.USAGE, "is not a name"),
        (["add", "bob"], "short", ExitCode.USAGE, "12 characters or more"),
        (["add", "bob"], "password1234", ExitCode.USAGE, "easy to guess"),
        (["add", "bob"], "qwertyuiop12", ExitCode.USAGE, "easy to guess"),
        (["add", "bob"], "aaaaaaaaaaaa", ExitCode.USAGE, "easy to guess"),
        (["add", "bobbobbobbob"], "bobbobbobbob", ExitCode.USAGE, "the name"),
        (["add", "bob"], "x" * 1025, ExitCode.USAGE, "1,024"),
        (["add", "bob", "--min-length", "40"], PASSWORD, ExitCode.USAGE, "40 characters or more"),
        (["add", "bob", "--min-length", "7"], PASSWORD, ExitCode.USAGE, "8\u2013256"),
        (["passwd", "ann"], "password1234", ExitCode.USAGE, "easy to guess"),
        (["passwd", "bob"], PASSWORD, ExitCode.FAILED, "There is no user 'bob'"),
        (["verify", "bob"], PASSWORD, ExitCode.FAILED, "There is no user 'bob'"),
        (["disable", "bob"], None, ExitCode.FAILED, "There is no user 'bob'"),
        (["enable", "bob"], None, ExitCode.FAILED, "There is no user 'bob'"),
        (["remove", "bob", "--yes"], None, ExitCode.FAILED, "There is no user 'bob'"),
        (["add", "bob"], None, ExitCode.USAGE, "--password-stdin or --password-file"),
    ],
)
def test_what_is_refused(tmp_path: Path, arguments: list[str], password: str | None, code: ExitCode, why: str) -> None:
    accounts_at(tmp_path, "ann")
    before = (tmp_path / "users.json").read_bytes()
    run = users(tmp_path, *arguments, password=password)
    assert run.returncode == code
    assert why in run.stderr.decode()
    assert b"Traceback" not in run.stderr
    assert password is None or len(password) < 8 or password in arguments or password.encode() not in run.stderr
    assert (tmp_path / "users.json").read_bytes() == before


def test_a_shorter_password_where_that_is_said(tmp_path: Path) -> None:
    make_cheap(tmp_path)
    assert users(tmp_path, "add", "ann", "--min-length", "8", password="vZ3kq!8W").returncode == 0


def test_a_password_from_a_file_of_ones_own(tmp_path: Path) -> None:
    make_cheap(tmp_path)
    secret = tmp_path / "secret"
    secret.touch(0o600)
    secret.write_text(f"{PASSWORD}\n")
    assert users(tmp_path, "add", "ann", "--password-file", str(secret)).returncode == 0
    secret.chmod(0o640)
    assert users(tmp_path, "verify", "ann", "--password-file", str(secret)).returncode == ExitCode.FAILED


def test_a_person_types_a_new_password_twice_and_says_yes(tmp_path: Path) -> None:
    make_cheap(tmp_path)

    def spawn(*arguments: str) -> "pexpect.spawn[bytes]":
        return pexpect.spawn(
            SOCKCTL[0],
            [*SOCKCTL[1:], "users", *arguments, "--data-dir", str(tmp_path)],
            timeout=START_S,
            dimensions=(50, 200),
        )

    child = spawn("add", "ann")
    child.expect_exact("Password for ann: ")
    child.sendline("password1234")
    child.expect_exact("easy to guess: it is, or is built on, one of the most common passwords.")
    child.expect_exact("Strength [#########...........]: some 10,000 guesses find it, and 1,000,000,000 must not.")
    child.expect_exact("Password for ann: ")
    child.sendline(PASSWORD)
    child.expect_exact("Again: ")
    child.sendline(PASSWORD)
    child.expect_exact("ann is a user now.")
    child.expect(pexpect.EOF)
    assert child.wait() == 0
    child = spawn("remove", "ann")
    child.expect_exact("Remove ann for good? [yes/no]: ")
    child.sendline("perhaps")
    child.expect_exact("Please type yes or no.")
    child.sendline("no")
    child.expect_exact("ann was not removed.")
    child.expect(pexpect.EOF)
    assert child.wait() == ExitCode.FAILED
    child = spawn("remove", "ann")
    child.expect_exact("[yes/no]: ")
    child.sendeof()
    child.expect_exact("No answer was given")
    child.expect(pexpect.EOF)
    assert child.wait() == ExitCode.USAGE
    child = spawn("remove", "ann")
    child.expect_exact("[yes/no]: ")
    child.sendline("yes")
    child.expect_exact("ann is removed.")
    child.expect(pexpect.EOF)
    assert child.wait() == 0


@pytest.mark.parametrize(
    "command", [["users", "list"], ["users", "add", "bob", "--password-stdin"], ["sessions", "list"]]
)
@pytest.mark.parametrize("what", ["empty", "corrupt", "newer", "twice", "open to others", "absurd"])
def test_files_that_can_not_be_used_are_refused_and_left(tmp_path: Path, command: list[str], what: str) -> None:
    accounts = accounts_at(tmp_path, "ann")
    authenticator = Authenticator(accounts, queue=HashQueue(slots=1))
    authenticator.log_in("ann", PASSWORD, "192.0.2.7", with_token=True)
    path = tmp_path / "users.json"
    good = path.read_text()
    match what:
        case "empty":
            path.write_text("")
        case "corrupt":
            path.write_text(good[:-5])
        case "newer":
            path.write_text(good.replace('"version": 1', '"version": 2'))
        case "twice":
            path.write_text(good.replace('"generation"', '"users": {}, "generation"', 1))
        case "open to others":
            path.chmod(0o644)
        case "absurd":
            path.write_text(good.replace("m=8,", "m=4194304,"))
    before = path.read_bytes()
    run = sockctl(*command, "--data-dir", str(tmp_path), stdin=f"{OTHER}\n".encode())
    assert run.returncode == ExitCode.FAILED
    assert run.stderr.startswith(f"sockctl: {path} ".encode())
    assert run.stderr.count(b"\n") == 1
    assert path.read_bytes() == before
    served = sockctl("serve", "auth", "--port", "0", "--data-dir", str(tmp_path))
    assert served.returncode == ExitCode.FAILED
    assert str(path).encode() in served.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give a file away")
def test_a_file_of_another_user_is_refused(tmp_path: Path) -> None:
    accounts_at(tmp_path, "ann")
    os.chown(tmp_path / "users.json", 12_345, -1)
    run = users(tmp_path, "list")
    assert run.returncode == ExitCode.FAILED
    assert b"another user owns it" in run.stderr


def test_a_data_folder_that_others_may_write_to_is_refused(tmp_path: Path) -> None:
    accounts_at(tmp_path, "ann")
    tmp_path.chmod(0o777)
    for run in (users(tmp_path, "list"), sockctl("serve", "auth", "--port", "0", "--data-dir", str(tmp_path))):
        assert run.returncode == ExitCode.FAILED
        assert f".json is not used: others may write to {tmp_path} (its mode is 0777)".encode() in run.stderr
        assert run.stderr.endswith(f"then: chmod go-w {tmp_path}\n".encode())
    tmp_path.chmod(0o755)
    assert users(tmp_path, "list").returncode == 0


def names(data: Path) -> list[str]:
    return [user.name for user in Accounts(data).users.list_all()]


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_killed_commands_spoil_nothing(tmp_path: Path) -> None:
    make_cheap(tmp_path)
    secret = tmp_path / "secret"
    secret.touch(0o600)
    secret.write_text(PASSWORD)
    acknowledged = []
    usual_s = 0.5
    chance = random.Random(60)
    for number in range(KILLS):
        began = time.monotonic()
        command = [
            *SOCKCTL,
            "users",
            "add",
            f"user{number}",
            "--password-file",
            str(secret),
            "--data-dir",
            str(tmp_path),
        ]
        with Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=UNMEASURED) as process:
            if number % 10:
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(chance.uniform(0.6, 1.05) * usual_s)
            else:
                process.wait(3 * TIMEOUT_S)  # how long it takes when nobody kills it
                usual_s = time.monotonic() - began
            process.kill()
            assert process.stdout is not None
            if process.stdout.read():
                acknowledged.append(f"user{number}")
    kept = names(tmp_path)
    assert set(acknowledged) <= set(kept)
    assert len(acknowledged) < KILLS, "nothing was killed"
    assert users(tmp_path, "add", "last", password=PASSWORD).returncode == 0


ADDING = """
import sys
from pathlib import Path
from sockctl.accounts.accounts import Accounts
accounts = Accounts(Path(sys.argv[1]))
for number in range(25):
    accounts.add(f"user{sys.argv[2]}-{number}", "tall copper window frog")
"""


@pytest.mark.slow
def test_processes_that_add_at_once(tmp_path: Path) -> None:
    make_cheap(tmp_path)
    adders = [
        subprocess.Popen([sys.executable, "-c", ADDING, str(tmp_path), str(number)], env=UNMEASURED)
        for number in range(8)
    ]
    assert [adder.wait(60) for adder in adders] == [0] * 8
    assert len(names(tmp_path)) == 200


def test_a_file_that_may_not_grow(tmp_path: Path) -> None:
    accounts_at(tmp_path, "ann")
    path = tmp_path / "users.json"
    before = path.read_bytes()

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (len(before), len(before)))

    run = subprocess.run(
        [*SOCKCTL, "users", "add", "bob", "--password-stdin", "--data-dir", str(tmp_path)],
        input=PASSWORD.encode(),
        capture_output=True,
        timeout=START_S,
        check=False,
        preexec_fn=limit,
        env=UNMEASURED,
    )
    assert run.returncode == ExitCode.FAILED
    assert b"users.json can't be written: File too large" in run.stderr
    assert run.stdout == b""
    assert path.read_bytes() == before
    assert sorted(one.name for one in tmp_path.iterdir() if one.suffix == ".tmp") == []


FAILING = """
import errno, os, sys
step = sys.argv.pop(1)
def full(*arguments, **options):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
setattr(os, step, full)
from sockctl.__main__ import main
sys.exit(main())
"""


@pytest.mark.parametrize("step", ["write", "fsync", "replace"])
@pytest.mark.parametrize("command", [["add", "bob"], ["passwd", "ann"]])
def test_a_disk_that_is_full(tmp_path: Path, step: str, command: list[str]) -> None:
    accounts_at(tmp_path, "ann")
    path = tmp_path / "users.json"
    before = path.read_bytes()
    run = subprocess.run(
        [sys.executable, "-c", FAILING, step, "users", *command, "--password-stdin", "--data-dir", str(tmp_path)],
        input=OTHER.encode(),
        capture_output=True,
        timeout=START_S,
        check=False,
        env=UNMEASURED,
    )
    assert run.returncode == ExitCode.FAILED
    assert run.stdout == b""
    assert path.read_bytes() == before
    if step != "write":  # with which standard error can't be written, either
        assert b"users.json can't be written: No space left on device" in run.stderr
    assert users(tmp_path, *command, password=OTHER).returncode == 0


def test_threads_that_add_while_a_command_lists(tmp_path: Path) -> None:
    accounts = accounts_at(tmp_path)
    adders = [threading.Thread(target=accounts.add, args=(f"user{number}", PASSWORD)) for number in range(10)]
    for adder in adders:
        adder.start()
    assert users(tmp_path, "list").returncode == 0
    for adder in adders:
        adder.join(TIMEOUT_S)
    assert len(names(tmp_path)) == 10
