"""Long lists, told a page at a time."""

from collections.abc import Sequence
from typing import TypeVar

from sockctl.errors import CommandError
from sockctl.services.chat.commands import parse_count
from sockctl.services.chat.member import Client
from sockctl.text import plural

__all__ = ["PAGE_LINES", "select_page", "tell_next_page"]

T = TypeVar("T")
PAGE_LINES = 50
"""Lines on a page."""


def select_page(items: Sequence[T], words: Sequence[str], *, of: str) -> tuple[int, Sequence[T]]:
    """Return the number of the page that a command's words ask for, and its items.

    Args:
        items: All items, one at least.
        words: The number of the page; none for the first.
        of: What is listed, such as ``rooms``.

    Raises:
        CommandError: There is no such page.
    """
    number, pages = parse_count(words[0], of="pages") if words else 1, -(-len(items) // PAGE_LINES)
    if number > pages:
        raise CommandError(f"There {'is' if pages == 1 else 'are'} {plural(pages, 'page')} of {of}.")
    return number, items[(number - 1) * PAGE_LINES : number * PAGE_LINES]


def tell_next_page(client: Client, number: int, items: Sequence[T], *, command: str) -> None:
    """Tell a client which command shows the next page, if there is one."""
    pages = -(-len(items) // PAGE_LINES)
    if number < pages:
        text = f"That is page {number} of {pages}: /{command} {number + 1} goes on."
        client.tell("notice", text, code=command, page=number, pages=pages)
