"""Completion in bash, which takes a word apart at each ``:`` and ``=`` and replaces only the part behind the last one.

So ``logout server.example:9`` arrives as four words, and bash wants ``9090`` back.
"""

from typing import Any

from typer._click.shell_completion import add_completion_class
from typer._completion_classes import BashComplete

_BREAKS = ":="
"""Characters at which bash takes words apart, beside spaces (COMP_WORDBREAKS), and which stand in words of sockctl."""


class _JoinedWords(BashComplete):
    """Completes a word as the user typed it."""

    _given = ""
    """What stands in front of the part that bash replaces."""

    def get_completion_args(self) -> tuple[list[str], str]:
        """Return the words in front of the one that is completed, and that one."""
        before, part = super().get_completion_args()
        *words, word = join_words([*before, part])
        self._given = word if _is_break(part) else word.removesuffix(part)
        return words, word

    def format_completion(self, item: Any) -> str:
        """Return the part of a completion that bash puts in place of its own."""
        return super().format_completion(item).removeprefix(self._given)


def join_words(parts: list[str]) -> list[str]:
    """Return the words that bash has taken apart; an empty part is a word that begins."""
    words: list[str] = []
    is_open = False
    for part in parts:
        if words and part and (is_open or _is_break(part)):
            words[-1] += part
        else:
            words.append(part)
        is_open = _is_break(part)
    return words


def _is_break(part: str) -> bool:
    return bool(part) and not part.strip(_BREAKS)


def complete_joined_words() -> None:
    """Let bash complete joined words; Typer has set up its own completion before."""
    add_completion_class(_JoinedWords, BashComplete.name)
