"""Reads the topic pages of ``sockctl help``: Markdown files of the package, with lists made from the code.

The first line of a page is its title. A line such as ``{{server events}}`` stands for a list.
"""

import re
from pathlib import Path

import typer

from sockctl.cli.commands import suggest

PAGES = Path(__file__).parents[1] / "help"
_MARK = re.compile(r"^\{\{(.+)\}\}$", re.MULTILINE)


def list_topics() -> dict[str, str]:
    """Return the title of each topic."""
    titles = {}
    for path in sorted(PAGES.glob("*.md")):
        with path.open(encoding="utf-8") as page:
            titles[path.stem] = page.readline().removeprefix("#").strip()
    return titles


def read_topic(topic: str) -> str:
    """Return a page in Markdown.

    Raises:
        typer.BadParameter: There is no such topic.
    """
    topics = list_topics()
    if topic not in topics:
        raise typer.BadParameter(_explain_unknown(topic, list(topics)))
    text = (PAGES / f"{topic}.md").read_text(encoding="utf-8")
    return _MARK.sub(lambda mark: _make_list(mark[1]), text)


def _explain_unknown(topic: str, topics: list[str]) -> str:
    from sockctl.cli.app import COMMANDS

    if topic in COMMANDS:
        return f"There is no topic '{topic}', but a command: 'sockctl {topic} --help' explains it."
    from difflib import get_close_matches

    from sockctl.explain.catalogue import NAMES

    if topic.lower() in NAMES:
        return f"There is no topic '{topic}', but one to see live: 'sockctl explain {topic.lower()}'."
    live = get_close_matches(topic.lower(), NAMES, n=1)
    otherwise = f"Did you mean 'sockctl explain {live[0]}'?" if live else "'sockctl help' lists the topics."
    hint = suggest(topic, topics, otherwise=otherwise)
    return f"There is no topic '{topic}'.{hint}"


def _make_list(name: str) -> str:
    from sockctl.cli import topic_lists

    return topic_lists.MAKERS[name]()
