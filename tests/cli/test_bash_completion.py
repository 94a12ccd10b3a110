"""Words that bash takes apart at ``:`` and ``=``: joined for the completion, and given back in part."""

import pytest
import typer
from typer._click.shell_completion import get_completion_class
from typer.main import get_command

from sockctl.cli.bash_completion import complete_joined_words, join_words


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ([""], [""]),
        (["logout", ""], ["logout", ""]),
        (["logout", "host", ":", "70"], ["logout", "host:70"]),
        (["logout", "host", ":"], ["logout", "host:"]),
        (["logout", "host", ":", "70", ""], ["logout", "host:70", ""]),
        (["logout", "[", "::", "1]", ":", "70"], ["logout", "[::1]:70"]),
        (["--host", "=", "a", "b"], ["--host=a", "b"]),
        (["--host", "=", ""], ["--host=", ""]),
        ([":", "1"], [":1"]),
    ],
)
def test_words_are_joined(parts: list[str], words: list[str]) -> None:
    assert join_words(parts)[: len(words)] == words


def list_targets() -> list[str]:
    return ["login.example:7070", "[::1]:7070"]


def complete(monkeypatch: pytest.MonkeyPatch, *words: str) -> list[str]:
    """Return what bash gets for the last of the words, from a command with a target and a level."""
    app = typer.Typer(add_completion=False)

    @app.command()
    def visit(target: str = typer.Argument(autocompletion=list_targets), level: str = typer.Option("")) -> None:
        """Visit `target`."""

    complete_joined_words()
    monkeypatch.setenv("COMP_WORDS", " ".join(("visit", *words)))
    monkeypatch.setenv("COMP_CWORD", str(len(words)))
    found = get_completion_class("bash")
    assert found is not None
    return found(get_command(app), {}, "visit", "_VISIT_COMPLETE").complete().split()


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        (["log"], ["login.example:7070"]),
        (["login.example", ":"], ["7070"]),
        (["login.example", ":", "70"], ["7070"]),
        (["[", "::", "1]", ":", "70"], ["7070"]),
        (["login.example:70"], ["login.example:7070"]),
        (["login.example", ":", "7070", ""], []),
        (["other.example", ":", "70"], []),
    ],
)
def test_bash_gets_the_part_that_it_replaces(
    monkeypatch: pytest.MonkeyPatch, words: list[str], offered: list[str]
) -> None:
    assert complete(monkeypatch, *words) == offered
