"""The rows that a line with wide characters takes in the editor. Imported with prompt_toolkit only.

prompt_toolkit divides the width of the line by that of the screen. But a wide character that would begin in the last
column goes to the next row, so there may be more rows: the editor was too low, and its last row wasn't seen.
"""

from prompt_toolkit.formatted_text import fragment_list_to_text, to_formatted_text
from prompt_toolkit.layout import BufferControl, UIContent
from prompt_toolkit.layout.controls import GetLinePrefixCallable
from prompt_toolkit.layout.screen import Char
from prompt_toolkit.utils import get_cwidth


def count_wide_rows(control: BufferControl) -> None:
    """Let the window of a control be as high as its lines are drawn."""
    create = control.create_content

    def create_content(width: int, height: int, preview_search: bool = False) -> UIContent:
        content = create(width, height, preview_search)
        divide = content.get_height_for_line

        def count_height(
            lineno: int, width: int, get_line_prefix: GetLinePrefixCallable | None, slice_stop: int | None = None
        ) -> int:
            text = fragment_list_to_text(content.get_line(lineno))[:slice_stop]
            if get_line_prefix is not None:
                text = fragment_list_to_text(to_formatted_text(get_line_prefix(lineno, 0))) + text
            if (text.isascii() and text.isprintable()) or width < 2:  # noqa: PLR2004  columns of a wide character
                return divide(lineno, width, get_line_prefix, slice_stop)
            return _count_rows(text, width)

        content.get_height_for_line = count_height  # type: ignore[method-assign]
        return content

    control.create_content = create_content  # type: ignore[method-assign]


def _count_rows(text: str, columns: int) -> int:
    rows, column = 1, 0
    for char in text:
        width = get_cwidth(Char.display_mappings.get(char, char))
        if column + width > columns:
            rows, column = rows + 1, 0
        column += width
    return rows
