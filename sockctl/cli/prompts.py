"""Questions at the terminal: asked with a default, checked, and asked again until the answer will do."""

from collections.abc import Callable
from typing import TypeVar

from sockctl.errors import AddressError, InputNeededError
from sockctl.terminal import is_in_foreground, read_line, say

T = TypeVar("T")


def may_ask(*, no_input: bool) -> bool:
    """Return whether to ask: at a terminal, not as a shell's job in the background, and without ``--no-input``."""
    return not no_input and is_in_foreground()


def ask(question: str, default: str, check: Callable[[str], T]) -> T:
    """Ask until `check` accepts the answer; an empty one stands for the default.

    Args:
        question: The question, without the default.
        default: The answer that just Enter stands for.
        check: Returns the value, or raises AddressError with a sentence that explains what is wrong.

    Raises:
        InputNeededError: The input ended instead (Ctrl-D).
    """
    while True:
        say(f"{question} [{default}]: ", end="")
        answer = read_line()
        if answer is None:
            say("")
            raise InputNeededError(f"No answer was given to: {question}.")
        try:
            return check(answer.strip() or default)
        except AddressError as error:
            say(str(error))


def confirm(question: str, *, no_input: bool, option: str) -> bool:
    """Ask a question that is answered with yes or no, until one of them comes.

    Args:
        question: The question.
        no_input: Whether ``--no-input`` was given.
        option: The option that says yes in advance.

    Raises:
        InputNeededError: There is no terminal to ask at, or the input ended instead (Ctrl-D).
    """
    if not may_ask(no_input=no_input):
        raise InputNeededError(f"{question} That can't be asked for here: {option} says yes.")
    while True:
        say(f"{question} [yes/no]: ", end="")
        answer = (read_line() or "").strip().lower()
        if answer in {"yes", "y", "no", "n"}:
            return answer.startswith("y")
        if not answer:
            say("")
            raise InputNeededError(f"No answer was given to: {question}")
        say("Please type yes or no.")
