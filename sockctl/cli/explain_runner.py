"""Runs the topics of ``sockctl explain`` and prints them: for people, step by step, or as JSON."""

import os
import sys
from collections.abc import Iterable, Iterator
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
from sockctl.terminal import STDERR, STDIN, is_terminal, read_line, say
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
    """Print the topics and their questions."""
    questions = [(name, load_topic(name).question) for name in NAMES]
    entries = [{"topic": name, "question": question} for name, question in questions]
    print_list(entries, ("TOPIC", "QUESTION"), questions, empty="", json=json)


def show_topics(names: Iterable[str], wanted: Wanted, *, as_list: bool) -> None:
    """Run topics and print each of them.

    Args:
        names: The topics.
        wanted: How to show them.
        as_list: Print the JSON of all topics as one list.

    Raises:
        InputNeededError: Somebody must be asked, and there is no terminal to ask at.
        TopicError: A run has failed.
    """
    if (wanted.guess or wanted.slow) and not is_terminal(STDIN):
        raise InputNeededError("--guess and --slow ask at a terminal, and standard input is none.")
    fields = []
    for number, name in enumerate(names):
        if wanted.json:
            topic = load_topic(name)
            expected = _ask(topic) if wanted.guess else None
            fields.append(run_topic(name).make_fields(expected))
        else:
            _show(name, wanted, Look.of_output(), first=number == 0)
    if wanted.json:
        print_json(fields if as_list else fields[0])


def _show(name: str, wanted: Wanted, look: Look, *, first: bool) -> None:
    topic = load_topic(name)
    _print(([] if first else [""]) + [look.paint(look.fold(f"{name}: {topic.question}"), Style.NORMAL), ""])
    expected = _ask(topic) if wanted.guess else None
    if wanted.slow:
        say("Enter shows the next line, each time.")
    for piece in _list_pieces(run_topic(name), look, expected):
        if wanted.slow and piece:
            _wait_for_enter()
        _print([piece])


def _list_pieces(run: Run, look: Look, expected: str | None) -> Iterator[str]:
    """Yield what is shown of a run, piece by piece."""
    if run.unseen:
        yield look.paint(look.fold(run.unseen), Style.WARNING) + "\n"
    for block in run.topic.draw(run.measured):
        yield from format_block(block, look)
        yield ""
    if expected is not None:
        yield look.fold(f"You expected: {make_visible(expected)}")
    for sentence in run.topic.conclude(run.measured):
        yield look.fold(sentence)
    yield "\n" + look.fold(f"Try it: {run.topic.attempt}")


def _ask(topic: Topic[Any]) -> str:
    say(topic.guess)
    say("Your guess: ", end="")
    return (read_line() or "").strip()


def _wait_for_enter() -> None:
    read_line()
    if os.environ.get("TERM") != "dumb" and is_terminal(STDERR):
        say(_ERASE, end="")


def _print(lines: Iterable[str]) -> None:
    """Print lines at once, so that they stand there while the next run goes on."""
    print_text("\n".join(lines))
    sys.stdout.flush()
