"""How a topic page looks on a terminal: Rich's Markdown, with plain headings and code without a background."""

from typing import Any, ClassVar

from rich.console import Console, ConsoleOptions, RenderResult
from rich.markdown import CodeBlock, Heading, Markdown
from rich.padding import Padding
from rich.text import Text

STYLES = {
    "markdown.code": "cyan",
    "markdown.h1": "bold underline",
    "markdown.h2": "bold",
    "markdown.h3": "bold",
    "markdown.item.bullet": "none",
    "markdown.item.number": "none",
}


class _LeftHeading(Heading):
    """A heading at the left margin."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield the heading."""
        yield self.text


class _PlainCode(CodeBlock):
    """A code block, indented; the user's input is bold."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield the lines of the block."""
        lines = Text()
        for line in str(self.text).rstrip().splitlines(keepends=True):
            lines.append(line, style="bold" if line.startswith("$ ") else "")
        yield Padding(lines, (0, 0, 0, 4))


class PageMarkdown(Markdown):
    """A topic page, to be printed by Rich with the theme `STYLES`."""

    elements: ClassVar[Any] = {**Markdown.elements, "heading_open": _LeftHeading, "fence": _PlainCode}
