"""Runs the topics of ``sockctl explain`` and prints them: for people, step by step, or as JSON."""

import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sockctl.cli.explain_output import format_block
from sockctl.cli.look import Look
from sockctl.cli.tables import print_json, print_list, print_text
from sockctl.errors import InputNeededError
from sockctl.explain.catalogue import NAMES, load_topic
from sockctl.explain.run import run_topic
from sockctl.explain.topic import Run, Topic
from sockctl.palette import Style
from sockctl.terminal import STDERR, STDIN, STDOUT, close_line, is_terminal, read_typed, say
from sockctl.text import make_visible

_ERASE = "\x1b[A\x1b[K"
"""Erases the line above, which the user's Enter has left empty."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """What the user has asked for.

    Attributes:
        guess: Ask for a guess before each run.
        slow: Wait for Enter before each line.
        json: Print JSON.
    """

    guess: bool
    slow: bool
    json: bool


def list_topics(*, json: bool) -> None:
    """Print the topics and their questions; tell a person how to see one."""
    questions = [(name, load_topic(name).question) for name in NAMES]
    entries = [{"topic": name, "question": question} for name, question in questions]
    print_list(entries, ("TOPIC", "QUESTION"), questions, empty="", json=json)
    if is_terminal(STDOUT) and not json:
        say(f"Each is shown by 'sockctl explain TOPIC', such as 'sockctl explain {NAMES[0]}'.")


def show_topics(topics: Mapping[str, Topic[Any]], wanted: Wanted, *, as_list: bool) -> None:
    """Run topics and print each of them.

    Args:
        topics: The topics by their names.
        wanted: How to show them.
        as_list: Print the JSON of all topics as one list.

    Raises:
        InputNeededError: Somebody must be asked, and there is no terminal to ask at.
        TopicError: A run has failed.
    """
    if (wanted.guess or wanted.slow) and not is_terminal(STDIN):
        raise InputNeededError("--guess and --slow ask at a terminal, and standard input is none.")
    fields = []
    pauses = _Pauses(wanted=wanted.slow)
    with close_line():
        for number, (name, topic) in enumerate(topics.items()):
            if wanted.json:
                expected = _ask(topic) if wanted.guess else None
                fields.append(run_topic(name, topic).make_fields(expected))
            else:
                _show(name, topic, Look.of_output(), pauses, guess=wanted.guess, first=number == 0)
    if wanted.json:
        print_json(fields if as_list else fields[0])


class _Pauses:
    """The pauses between the lines, until Ctrl-D.

    Args:
        wanted: Whether the user wants pauses.
    """

    def __init__(self, *, wanted: bool) -> None:
        self._wanted = wanted

    def announce(self) -> None:
        """Say how to go on, if there are pauses."""
        if self._wanted:
            say("Enter shows the next line, each time; Ctrl-D shows all that is left.")

    def wait(self) -> None:
        """Wait for Enter, if there are pauses."""
        if not self._wanted:
            return
        typed = read_typed()
        self._wanted = typed.endswith("\n")
        if not self._wanted:  # Ctrl-D: no line of the screen has ended, so nothing is erased
            say("", end="\n" if typed else "")
        elif os.environ.get("TERM") != "dumb" and is_terminal(STDERR):
            say(_ERASE, end="")


def _show(name: str, topic: Topic[Any], look: Look, pauses: _Pauses, *, guess: bool, first: bool) -> None:
    _print(([] if first else [""]) + [look.paint(look.fold(f"{name}: {topic.question}"), Style.NORMAL), ""])
    expected = _ask(topic) if guess else None
    pauses.announce()
    for piece in _list_pieces(run_topic(name, topic), look, expected):
        if piece:
            pauses.wait()
        _print([piece])


def _list_pieces(run: Run, look: Look, expected: str | None) -> Iterator[str]:
    """Yield what is shown of a run, piece by piece."""
    if run.unseen:
        yield look.paint(look.fold(run.unseen), Style.WARNING) + "\n"
    for block in run.topic.draw(run.measured):
        yield from format_block(block, look)
        yield ""
    if expected is not None:
        yield look.fold(f"Your guess: {make_visible(expected)}")
    for sentence in run.topic.conclude(run.measured):
        yield look.fold(sentence)
    yield "\n" + look.fold(f"Try it: {run.topic.attempt}")


def _ask(topic: Topic[Any]) -> str | None:
    """Return the user's guess; None for none."""
    say(topic.guess)
    say("Your guess: ", end="")
    typed = read_typed()
    if not typed.endswith("\n"):  # Ctrl-D, which ends no line on the screen
        say("")
    return typed.strip() or None


def _print(lines: Iterable[str]) -> None:
    """Print lines at once, so that they stand there while the next run goes on."""
    print_text("\n".join(lines))
    sys.stdout.flush()
