"""What the commands have in common that change a store."""

import json
import os

import pytest
import typer

from sockctl.cli.changes import RemovalOptions, print_changes, tolerate
from sockctl.cli.exit_codes import ExitCode
from sockctl.errors import InputNeededError, UnknownUserError, UnreachableError

ENTRY = {"name": "Zoë\x9b"}


def test_sentences_or_json(capsys: pytest.CaptureFixture[str]) -> None:
    print_changes([ENTRY], "One is \x1b[31mgone.", "Another is gone.", json=False)
    assert capsys.readouterr().out == "One is \N{SYMBOL FOR ESCAPE}[31mgone.\nAnother is gone.\n"
    print_changes([ENTRY], "One is gone.", json=True)
    out = capsys.readouterr().out
    assert json.loads(out) == {"changed": [ENTRY]}
    assert "Zoë\\u009b" in out


def test_an_error_means_that_nothing_is_to_change(capsys: pytest.CaptureFixture[str]) -> None:
    for as_json, printed in ((False, "No ann. Nothing has changed.\n"), (True, '{\n  "changed": []\n}\n')):
        with tolerate(UnknownUserError, "No ann.", wanted=True, json=as_json):
            raise UnknownUserError("There is no user ann.")
        assert capsys.readouterr().out == printed


@pytest.mark.parametrize(("error", "wanted"), [(UnknownUserError("no"), False), (UnreachableError("no"), True)])
def test_other_errors_stay(error: Exception, wanted: bool) -> None:
    with pytest.raises(type(error)), tolerate(UnknownUserError, "No ann.", wanted=wanted, json=False):
        raise error


def test_nobody_is_asked_without_a_terminal_or_with_yes(keyboard: int) -> None:
    assert keyboard
    RemovalOptions(no_input=True).confirm("Go on?", refusal="No.")
    RemovalOptions(yes=True).confirm("Go on?", refusal="No.", needs_yes=True)
    with pytest.raises(InputNeededError, match="--yes says yes"):
        RemovalOptions(no_input=True).confirm("Go on?", refusal="No.", needs_yes=True)


def test_no_ends_the_command(keyboard: int, capfd: pytest.CaptureFixture[str]) -> None:
    os.write(keyboard, b"yes\nno\n")
    RemovalOptions().confirm("Go on?", refusal="All stays.")
    with pytest.raises(typer.Exit) as ended:
        RemovalOptions().confirm("Go on?", refusal="All stays.")
    assert ended.value.exit_code == ExitCode.FAILED
    assert capfd.readouterr().err == "Go on? [yes/no]: Go on? [yes/no]: All stays.\n"
