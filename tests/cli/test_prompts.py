"""Questions at a terminal, and where none may be asked."""

import os
from pathlib import Path
from typing import Any

import pytest

from sockctl.cli.exit_codes import ExitCode
from sockctl.cli.prompts import ask, confirm, may_ask
from sockctl.errors import AddressError, InputNeededError
from tests.support.accounts import accounts_at
from tests.support.terminal import ended


def check_even(text: str) -> int:
    if int(text) % 2:
        raise AddressError(f"{text} is odd.")
    return int(text)


def test_who_may_be_asked(keyboard: int) -> None:
    assert keyboard
    assert may_ask(no_input=False)
    assert not may_ask(no_input=True)


def test_enter_stands_for_the_default(keyboard: int, capfd: pytest.CaptureFixture[str]) -> None:
    os.write(keyboard, b"\n")
    assert ask("How many", "4", check_even) == 4
    assert capfd.readouterr() == ("", "How many [4]: ")


def test_a_question_is_asked_again(keyboard: int, capfd: pytest.CaptureFixture[str]) -> None:
    os.write(keyboard, b"3\n 6 \n")
    assert ask("How many", "4", check_even) == 6
    assert capfd.readouterr().err == "How many [4]: 3 is odd.\nHow many [4]: "


@pytest.mark.parametrize(("typed", "answer"), [("y", True), ("YES", True), ("n", False), ("perhaps\nNo", False)])
def test_yes_or_no(keyboard: int, capfd: pytest.CaptureFixture[str], typed: str, answer: bool) -> None:
    os.write(keyboard, f"{typed}\n".encode())
    assert confirm("Go on?", no_input=False, option="--yes") is answer
    assert capfd.readouterr().err.count("Please type yes or no.") == typed.count("\n")


def test_ctrl_d_is_no_answer(keyboard: int, capfd: pytest.CaptureFixture[str]) -> None:
    os.write(keyboard, b"\x04\x04")
    with pytest.raises(InputNeededError, match="No answer was given to: How many"):
        ask("How many", "4", check_even)
    with pytest.raises(InputNeededError, match="No answer was given to: Go on"):
        confirm("Go on?", no_input=False, option="--yes")
    assert capfd.readouterr().err == "How many [4]: \nGo on? [yes/no]: \n"


@pytest.mark.parametrize("arguments", [("users", "remove", "ann"), ("users", "passwd", "ann")])
def test_ctrl_c_ends_the_line_of_the_question(tmp_path: Path, terminal: Any, arguments: tuple[str, ...]) -> None:
    accounts_at(tmp_path, "ann")
    child = terminal(*arguments, "--data-dir", str(tmp_path))
    child.expect_exact(": ")
    child.sendintr()
    assert ended(child) == ExitCode.INTERRUPTED
    assert child.before.endswith("\r\n")
    assert "Traceback" not in child.before


def test_nobody_to_confirm(keyboard: int) -> None:
    assert keyboard
    with pytest.raises(InputNeededError, match=r"Go on\? That can't be asked for here: --yes says yes"):
        confirm("Go on?", no_input=True, option="--yes")
