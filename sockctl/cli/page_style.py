"""How a topic page looks on a terminal: Rich's Markdown, with plain headings, tables and code.

No line breaks within a word. Rich cuts the words of tables and of code where the terminal is narrow.
"""

from typing import Any, ClassVar

from rich.console import Console, ConsoleOptions, RenderResult
from rich.markdown import CodeBlock, Heading, Markdown, TableElement
from rich.text import Text

from sockctl.cli.tables import fit_columns, make_grid
from sockctl.wrapping import wrap_lines

_INDENT = 4
"""Columns in front of code."""

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
    """A code block, indented; what the user types is bold."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield the lines of the block."""
        lines = Text(no_wrap=True, overflow="ignore")  # a word that is too long isn't cut, either
        for line in str(self.text).rstrip().splitlines():
            indented = f"{' ' * _INDENT}{line}" if line else ""
            lines.append(f"{wrap_lines(indented, options.max_width)}\n", style="bold" if line.startswith("$ ") else "")
        lines.rstrip()
        yield lines


class _PlainTable(TableElement):
    """A table without lines; where columns would have to cut words, each row is a list of its cells with titles."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """Yield the table."""
        titles, *rows = [[cell.content for cell in row.cells] for row in self._list_rows()]
        widths = fit_columns([[cell.plain for cell in row] for row in (titles, *rows)], options.max_width)
        table = make_grid(show_header=widths is not None)
        if widths is None:
            table.add_column(overflow="fold")
        for title, width in zip(titles, widths or (), strict=False):
            table.add_column(title, width=width)
        for row in rows:
            if widths:
                table.add_row(*row)
                continue
            if table.rows:
                table.add_row()
            for title, cell in zip(titles, row, strict=True):
                if cell.plain:
                    table.add_row(Text.assemble(title, ": " if title.plain else "", style="bold") + cell)
        yield table

    def _list_rows(self) -> list[Any]:
        header = self.header and self.header.row
        return [header, *(self.body.rows if self.body else ())]


class PageMarkdown(Markdown):
    """A topic page, to be printed by Rich with the theme `STYLES`."""

    elements: ClassVar[Any] = {
        **Markdown.elements,
        "heading_open": _LeftHeading,
        "fence": _PlainCode,
        "table_open": _PlainTable,
    }
