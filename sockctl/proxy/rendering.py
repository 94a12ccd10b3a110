"""Shows text that passes, safe for a terminal and a log."""

from sockctl.text import format_count, make_visible


def render_text(data: bytes, *, limit: int) -> str:
    r"""Return text as lines that are safe on a terminal, joined by ``\n``; a last line may have no end.

    LF and CR LF end a line, other controls become visible, bytes that aren't UTF-8 become U+FFFD.

    Args:
        data: The text, mostly UTF-8.
        limit: Bytes that are shown; a line behind them says how many are left out.
    """
    shown = data[:limit].decode(errors="replace").replace("\r\n", "\n").removesuffix("\n")
    lines = [make_visible(line) for line in shown.split("\n")]
    if len(data) > limit:
        lines.append(f"… {format_count(len(data) - limit, 'byte')} more")
    return "\n".join(lines)
