"""A command's password: from standard input, a file, or a person who types it without seeing it."""

import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pexpect
import pytest

from sockctl.accounts.password_normalization import normalize_password
from sockctl.cli.exit_codes import ExitCode, find_exit_code
from sockctl.cli.passwords import MAX_LINE_BYTES, format_strength, read_password
from sockctl.errors import (
    InputNeededError,
    OptionError,
    PasswordRefusedError,
    SecretFileError,
    StreamError,
)
from sockctl.terminal import STDIN
from tests.support.descriptors import in_place_of
from tests.support.running import START_S
from tests.support.terminal import ended

PROBE = [sys.executable, "-m", "tests.support.password_probe", "probe"]
ROOT = Path(__file__).parents[2]
SECRET = "swordfish"


def taken(password: str) -> str:
    return f"taken: {password.encode().hex()} left: "


def probe(*arguments: str, stdin: Any = b"") -> "subprocess.CompletedProcess[bytes]":
    return subprocess.run(
        [*PROBE, *arguments], input=stdin, capture_output=True, timeout=START_S, check=False, cwd=ROOT
    )


def given(**options: Any) -> str:
    arguments: dict[str, Any] = {"check": normalize_password, "stdin": False, "file": None, "twice": False, **options}
    password: str = read_password("Password", **arguments)
    return password


def heed_hangups() -> None:
    """Undo what nohup hands on."""
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.fixture
def terminal() -> Iterator[Any]:
    """Return what starts the probe on a new terminal."""
    children: list[pexpect.spawn[str]] = []

    def start(*arguments: str) -> "pexpect.spawn[str]":
        words = [*PROBE, *arguments]
        child = pexpect.spawn(
            words[0],
            words[1:],
            timeout=START_S,
            encoding="utf-8",
            cwd=str(ROOT),
            preexec_fn=heed_hangups,
        )
        child.setwinsize(50, 400)
        children.append(child)
        return child

    yield start
    for child in children:
        child.close(force=True)


@pytest.fixture
def secret_file(tmp_path: Path) -> Path:
    file = tmp_path / "secret"
    file.write_text(f"{SECRET}\n")
    file.chmod(0o600)
    return file


@pytest.fixture
def piped() -> Iterator[tuple[int, int]]:
    """Put a pipe in the place of standard input, and return its ends."""
    reader, writer = os.pipe()
    with in_place_of(STDIN, reader):
        yield reader, writer
    os.close(reader)
    os.close(writer)


# standard input


@pytest.mark.parametrize(
    ("stdin", "password", "left"),
    [
        (b"swordfish\n", "swordfish", b""),
        (b"swordfish\r\n", "swordfish", b""),
        (b"swordfish", "swordfish", b""),
        (b"swordfish\r\r\n", None, b""),
        (b" \xc3\xa9 \n\nmore\n", " é ", b"\nmore\n"),
    ],
)
def test_the_first_line_of_standard_input(stdin: bytes, password: str | None, left: bytes) -> None:
    run = probe("--password-stdin", "--twice", stdin=stdin)
    if password is None:
        assert run.returncode == ExitCode.USAGE
        assert b"holds a control character" in run.stderr
        assert b"swordfish" not in run.stderr
    else:
        assert run.stdout.decode() == taken(password) + left.hex() + "\n"
        assert run.stderr == b""


@pytest.mark.parametrize(
    ("stdin", "told"),
    [
        (b"", b"Standard input is empty"),
        (b"\n", b"A password can't be empty"),
        (b"swordfish\xff\n", b"Standard input is not UTF-8"),
        (b"swordfish" * 100_000, b"too long for one"),
        (b"swordfish" * 1000 + b"\n", b"it may have 1,024 bytes"),
    ],
)
def test_standard_input_without_a_password(stdin: bytes, told: bytes) -> None:
    run = probe("--password-stdin", stdin=stdin)
    assert run.returncode == ExitCode.USAGE
    assert told in run.stderr
    assert b"swordfish" not in run.stderr


def test_standard_input_that_another_process_made_non_blocking(
    piped: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    wait = select.select

    def write_and_wait(*arguments: Any) -> Any:
        os.write(piped[1], b"word\n")
        return wait(*arguments)

    os.set_blocking(piped[0], False)
    os.write(piped[1], b"sword ")
    monkeypatch.setattr(select, "select", write_and_wait)
    assert given(stdin=True) == "sword word"


def test_an_input_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = os.open(tmp_path, os.O_RDONLY)
    with in_place_of(STDIN, folder):
        os.close(folder)
        with pytest.raises(StreamError, match="Standard input can't be read: Is a directory"):
            given(stdin=True)
        monkeypatch.setattr(os, "isatty", lambda _: True)
        with pytest.raises(StreamError, match="The terminal can't be read: Is a directory"):
            given()


def test_bytes_that_are_no_text_are_in_no_error(piped: tuple[int, int]) -> None:
    os.write(piped[1], b"swordfish\xff\n")
    with pytest.raises(PasswordRefusedError) as refused:
        given(stdin=True)
    assert refused.value.__context__ is None


def test_reading_is_bounded(piped: tuple[int, int]) -> None:
    os.write(piped[1], b"a" * (MAX_LINE_BYTES + 2))
    with pytest.raises(PasswordRefusedError, match="too long"):
        given(stdin=True)
    assert os.read(piped[0], 10) == b"a"


# a file


@pytest.mark.parametrize("mode", [0o600, 0o400])
def test_the_first_line_of_a_file(secret_file: Path, mode: int) -> None:
    secret_file.chmod(mode)
    assert given(file=secret_file) == SECRET
    link = secret_file.with_name("link")
    link.symlink_to(secret_file)
    assert given(file=link, no_input=True, twice=True) == SECRET
    run = probe("--password-file", str(secret_file))
    assert run.stdout.decode() == f"{taken(SECRET)}\n"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602, 0o610, 0o601])
def test_a_file_that_is_open_to_others(secret_file: Path, mode: int) -> None:
    secret_file.chmod(mode)
    run = probe("--password-file", str(secret_file))
    assert run.returncode == ExitCode.FAILED
    assert f"secret is not used: others may use it (its mode is {mode:04o})".encode() in run.stderr
    assert SECRET.encode() not in run.stderr


def test_a_file_of_another_user(secret_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    somebody_else = os.geteuid() + 1
    monkeypatch.setattr(os, "geteuid", lambda: somebody_else)
    with pytest.raises(SecretFileError, match="another user owns it"):
        given(file=secret_file)


def test_no_file(tmp_path: Path) -> None:
    with pytest.raises(SecretFileError, match="gone\N{SYMBOL FOR ESCAPE} can't be read: No such file"):
        given(file=tmp_path / "gone\x1b")


@pytest.mark.timeout(20)
def test_what_is_no_file(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe, 0o600)
    for path in (pipe, tmp_path, Path(os.devnull)):
        with pytest.raises(SecretFileError, match="not a regular file"):
            given(file=path)


def test_a_file_without_a_password(secret_file: Path) -> None:
    secret_file.write_bytes(b"")
    with pytest.raises(InputNeededError, match="secret is empty"):
        given(file=secret_file)
    secret_file.write_bytes(b"\xff\n")
    with pytest.raises(PasswordRefusedError, match="secret is not UTF-8"):
        given(file=secret_file)
    secret_file.write_bytes(b"a\0b\n")
    with pytest.raises(PasswordRefusedError, match="control character"):
        given(file=secret_file)


# neither


def test_options_that_contradict_each_other(secret_file: Path) -> None:
    with pytest.raises(OptionError, match="contradict"):
        given(stdin=True, file=secret_file)


def test_nobody_to_ask() -> None:
    run = probe(stdin=b"swordfish\n")
    assert run.returncode == ExitCode.USAGE
    assert b"give --password-stdin or --password-file FILE" in run.stderr


def test_the_exit_codes() -> None:
    assert find_exit_code(PasswordRefusedError()) is ExitCode.USAGE
    assert find_exit_code(SecretFileError()) is ExitCode.FAILED


# a person


def test_a_password_is_typed_without_being_shown(terminal: Any) -> None:
    child = terminal()
    child.expect_exact("Password: ")
    assert not child.getecho()
    child.sendline(SECRET)
    child.expect_exact(f"\r\n{taken(SECRET)}")
    assert "swordfish" not in child.before
    assert ended(child) == 0
    assert child.getecho()


def test_a_new_password_is_typed_twice(terminal: Any) -> None:
    child = terminal("--twice")
    child.expect_exact("Password: ")
    child.sendline("")
    child.expect_exact("\r\nA password can't be empty: type one.\r\n")
    child.expect_exact("Password: ")
    child.sendline("swordfish\xad")
    child.expect("holds an invisible character")
    child.expect_exact("Password: ")
    child.sendline(SECRET)
    child.expect_exact("\r\nAgain: ")
    assert not child.getecho()
    child.sendline("swordfisch")
    child.expect_exact("\r\nThe two are different: type it again, twice.\r\n")
    child.expect_exact("Password: ")
    child.sendline("éteint")
    child.expect_exact("Again: ")
    child.sendline("éteint")
    child.expect_exact(taken("éteint"))
    assert "teint" not in child.before
    assert ended(child) == 0


@pytest.mark.parametrize(
    ("guesses", "bar", "number"),
    [(0, 0, "0"), (1, 0, "1"), (11_384, 9, "10,000"), (84_500, 11, "80,000"), (999_999_999, 19, "1,000,000,000")],
)
def test_the_strength_of_a_password(guesses: float, bar: int, number: str) -> None:
    line = format_strength(guesses, 1e9)
    assert line.startswith(f"Strength [{'#' * bar}{'.' * (20 - bar)}]: some {number} guesses find it")


def test_what_is_typed_ahead_answers(terminal: Any) -> None:
    child = terminal("--twice")
    child.expect_exact("Password: ")
    child.send(f"{SECRET}\r{SECRET}\r")
    child.expect_exact(taken(SECRET))
    assert "swordfish" not in child.before
    assert ended(child) == 0


def test_typed_bytes_that_are_no_text(terminal: Any) -> None:
    child = terminal()
    child.expect_exact("Password: ")
    os.write(child.child_fd, b"swordfish\xff\r")
    child.expect("What was typed is not UTF-8")
    child.expect_exact("Password: ")
    child.sendline(SECRET)
    assert ended(child) == 0


@pytest.mark.parametrize("typed", ["", SECRET], ids=["first", "again"])
def test_ctrl_d(terminal: Any, typed: str) -> None:
    child = terminal("--twice")
    child.expect_exact("Password: ")
    if typed:
        child.sendline(typed)
        child.expect_exact("Again: ")
    child.sendeof()
    child.expect(f"\r\n.*No answer was given to: {'Again' if typed else 'Password'}.")
    assert ended(child) == ExitCode.USAGE
    assert child.getecho()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_the_terminal_is_as_it_was_after_a_signal(terminal: Any, number: signal.Signals) -> None:
    child = terminal()
    child.expect_exact("Password: ")
    assert not child.getecho()
    child.send("swordfish")
    if number is signal.SIGINT:
        child.sendintr()
    else:
        child.kill(number)
    child.expect(pexpect.EOF)
    assert "swordfish" not in child.before
    assert "Traceback" not in child.before
    assert child.getecho()
    child.wait()
    if number is signal.SIGINT:
        assert child.exitstatus == ExitCode.INTERRUPTED
    else:
        assert child.signalstatus == number


def test_a_terminal_is_not_asked_where_it_must_not_be(terminal: Any, secret_file: Path) -> None:
    child = terminal("--no-input")
    child.expect("nobody may be asked")
    assert ended(child) == ExitCode.USAGE
    child = terminal("--password-stdin")
    child.expect("on a terminal leave it out")
    assert ended(child) == ExitCode.USAGE
    child = terminal("--password-file", str(secret_file))
    child.expect_exact(taken(SECRET))
    assert "Password" not in child.before
    assert ended(child) == 0
