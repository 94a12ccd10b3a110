"""The Tab key of the line editor. Imported with prompt_toolkit only.

A word that may become one thing only becomes that. Else it grows by what all of them have in common. Where nothing
grows, they are listed above the line, which stays where it is.
"""

from os.path import commonprefix

from prompt_toolkit.buffer import Buffer

from sockctl.client.chat.layout import arrange_columns
from sockctl.text import make_visible


def complete_word(buffer: Buffer, word: str, found: list[str], *, columns: int, rows: int) -> list[str]:
    """Complete the word before the cursor; return the rows of what it may become, if that can't go on by itself.

    Args:
        buffer: The line being typed.
        word: The word before the cursor.
        found: What it may become, in order, each with what follows it.
        columns: The terminal's width.
        rows: How many rows there may be, 2 or more; what doesn't fit is counted in the last one.
    """
    common = found[0] if len(found) == 1 else commonprefix(found)  # noqa: RUF071  no paths
    if len(found) == 1 or len(common) > len(word):
        buffer.delete_before_cursor(len(word))
        buffer.insert_text(common)
        return []
    texts = [make_visible(text.strip()) for text in found]
    listed = arrange_columns(texts, columns)
    if len(listed) <= rows:
        return listed
    shown = len(texts) * (rows - 1) // len(listed)
    return [*arrange_columns(texts[:shown], columns), f"… and {len(texts) - shown:,} more"]
