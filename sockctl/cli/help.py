"""``sockctl help``: the topic pages, and the man pages of all commands."""

from pathlib import Path
from typing import Annotated

import typer

from sockctl.cli.commands import declare_command
from sockctl.terminal import STDOUT, is_terminal, measure_columns, wants_colour

PAGE_COLUMNS = 100
"""Columns of a page at most: longer lines are hard to read."""

app = declare_command()


def _complete_topic(incomplete: str) -> list[str]:
    from sockctl.cli.topics import list_topics

    return [topic for topic in list_topics() if topic.startswith(incomplete)]


@app.command(epilog="Examples:\n  sockctl help scripts\n  sockctl help events | grep timeout")
def show_help(
    topic: Annotated[
        str | None,
        typer.Argument(
            metavar="[TOPIC]", help="The topic; without one, all topics are listed.", autocompletion=_complete_topic
        ),
    ] = None,
    *,
    man: Annotated[
        Path | None,
        typer.Option(help="Write the man pages of all commands into this folder.", metavar="DIR", file_okay=False),
    ] = None,
) -> None:
    """Show a page about a topic: scripts, events, files and more.

    A terminal shows the page in a pager (PAGER, else less). A pipe gets plain text, in Markdown.
    """
    from sockctl.cli.topics import list_topics, read_topic

    if man is not None:
        if topic is not None:
            raise typer.BadParameter("TOPIC and --man exclude each other.")
        _write_man_pages(man)
    elif topic is None:
        _list(list_topics())
    else:
        _show(read_topic(topic))


def _list(titles: dict[str, str]) -> None:
    """List the topics; a terminal's lines break at spaces."""
    from sockctl.cli.plain_help import fill, format_rows

    width = measure_columns(STDOUT) if is_terminal(STDOUT) else 1000
    rows = format_rows(list(titles.items()), max(map(len, titles)), width)
    _print("\n".join([fill("Topics, each shown by 'sockctl help TOPIC':", width), "", *rows]))


def _write_man_pages(folder: Path) -> None:
    from sockctl.cli.man_pages import make_man_pages

    pages = make_man_pages()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, page in pages.items():
            (folder / name).write_text(page, encoding="utf-8")
    except OSError as error:
        raise typer.BadParameter(f"The man pages can't be written into {folder}: {error.strerror}.") from error
    _print(f"{len(pages)} man pages are in {folder}; 'man -l {folder / 'sockctl.1'}' shows the first.")


def _show(page: str) -> None:
    """Show a page: in a pager on a terminal, else as it stands."""
    if not is_terminal(STDOUT):
        _print(page)
        return
    import os

    from rich.console import Console
    from rich.theme import Theme

    from sockctl.cli.page_style import STYLES, PageMarkdown

    os.environ.setdefault("LESS", "FRX")  # as git does: leave a page that fits on the screen, and pass colours on
    console = Console(highlight=False, theme=Theme(STYLES), no_color=not wants_colour(STDOUT))
    console.width = min(console.width, PAGE_COLUMNS)
    with console.pager(styles=not console.no_color, links=False):
        console.print(PageMarkdown(page), crop=False)


def _print(text: str) -> None:
    """Print text in UTF-8, whatever the locale's encoding is."""
    typer.echo(text.rstrip("\n").encode())
