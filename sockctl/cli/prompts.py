"""Asks questions at the terminal, with a default, until the answer passes a check."""

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from sockctl.errors import AddressError, InputNeededError
from sockctl.terminal import STDIN, close_line, is_in_background, is_terminal, read_line, say

if TYPE_CHECKING:
    from sockctl.net.address import Target

T = TypeVar("T")
DEFAULT_HOST = "localhost"


def may_ask(*, no_input: bool) -> bool:
    """Return whether to ask: at a terminal, not as a shell's job in the background, and without ``--no-input``."""
    return not no_input and is_terminal(STDIN) and not is_in_background()


def ask(question: str, default: str, check: Callable[[str], T]) -> T:
    """Ask until `check` accepts the answer; an empty one stands for the default.

    Args:
        question: The question, without the default.
        default: The answer that Enter alone stands for.
        check: Returns the value, or raises AddressError with a sentence that explains the problem.

    Raises:
        InputNeededError: The input ended instead (Ctrl-D).
    """
    while True:
        with close_line():
            say(f"{question} [{default}]: ", end="")
            answer = read_line()
        if answer is None:
            say("")
            raise InputNeededError(f"No answer was given to: {question}.")
        try:
            return check(answer.strip() or default)
        except AddressError as error:
            say(str(error))


def ask_target() -> "Target":
    """Ask where to connect, and say where the client will connect if the answer is more than a host.

    The answer is a host, ``HOST:PORT``, ``HOST PORT``, a target with its scheme, or a port of this machine.

    Raises:
        InputNeededError: The input ended instead (Ctrl-D).
    """
    from sockctl.net.address import format_address

    target = ask("Host", DEFAULT_HOST, _parse_answer)
    if target.host is not None and target.port is not None:
        scheme = f"{target.scheme}://" if target.scheme else ""
        say(f"Connecting to {scheme}{format_address(target.host, target.port)}.")
    return target


def _parse_answer(answer: str) -> "Target":
    from sockctl.net.address import Target, parse_port, parse_target
    from sockctl.net.schemes import is_web_address
    from sockctl.text import is_whole_number

    if is_whole_number(answer):
        return Target(DEFAULT_HOST, parse_port(answer))
    host, _, port = answer.partition(" ")
    if is_web_address(host):
        from sockctl.net.web.url import parse_web_target

        return parse_web_target(host, port.strip() or None)
    target = parse_target(host, port.strip()) if is_whole_number(port.strip()) else parse_target(answer)
    return Target(target.host or DEFAULT_HOST, target.port, target.scheme)


def confirm(question: str, *, no_input: bool, option: str) -> bool:
    """Ask a question until the answer is yes or no.

    Args:
        question: The question.
        no_input: Whether ``--no-input`` was given.
        option: The option that says yes in advance, for the error.

    Raises:
        InputNeededError: There is no terminal to ask at, or the input ended instead (Ctrl-D).
    """
    if not may_ask(no_input=no_input):
        raise InputNeededError(f"{question} That can't be asked for here: {option} says yes.")
    while True:
        with close_line():
            say(f"{question} [yes/no]: ", end="")
            answer = (read_line() or "").strip().lower()
        if answer in {"yes", "y", "no", "n"}:
            return answer.startswith("y")
        if not answer:
            say("")
            raise InputNeededError(f"No answer was given to: {question}")
        say("Please type yes or no.")
