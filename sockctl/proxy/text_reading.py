"""Reads text that passes, and finds where a direction is no text any more.

Text is anything without the control characters that text never has, be it UTF-8 or not. It comes in pieces as they
were received: an incomplete line may be a question that waits for its answer.
"""

import re

from sockctl.proxy.byte_feed import Reading
from sockctl.proxy.exchange import InspectedFlow
from sockctl.proxy.seen import HIDDEN, TEXT_BYTES, Text

_TEXT_CONTROLS = b"\a\b\t\n\f\r\x1b"
_TEXT = bytes(set(range(0x20, 0x7F)) | set(range(0x80, 0x100)) | set(_TEXT_CONTROLS))
_NO_TEXT = re.compile(b"[^%s]" % re.escape(_TEXT))
_SECRET_QUESTION = re.compile(rb"(?i)(?:password[^\n]*|the same again):[ ]*\r?\n?\Z")
"""Finds a question for a password at the end of the lines of a message service."""
_ENDING = re.compile(rb"[\xc2-\xdf]\Z|[\xe0-\xef][\x80-\xbf]?\Z|[\xf0-\xf4][\x80-\xbf]{0,2}\Z")
"""Finds an incomplete character of UTF-8 at the end."""
_QUESTION_BYTES = 200
_SECRET_HEADER = re.compile(rb"(?i)((?:authorization|cookie)[ \t]*:)[^\r\n]*")
"""Finds such a header of RTSP, SIP, or of a request that is none of HTTP, in any line; its name comes first."""
_NAME_BYTES = 64
"""Bytes of an incomplete line that are remembered, since the name of a header may be cut."""
_EMPTY_LINES = re.compile(rb"(?:[ \t]*\r?\n|\r)+")


def is_text(data: bytes) -> bool:
    """Return whether all bytes may stand in text."""
    return not data.translate(None, _TEXT)


def read_text(flow: InspectedFlow) -> Reading[None]:
    """Read text up to the end of the direction, or to the first byte that stands in no text.

    Return also behind empty lines at the beginning, where the client may send an HTTP request (RFC 9112, section 2.2).
    """
    feed, exchange = flow.feed, flow.exchange
    said = b""  # the end of the target's text
    line = b""  # the line that the last piece left open: its end, or the name of its secret header
    begins, hides = flow.towards_target, False
    while (yield from feed.wait(1)):
        data, is_over = _cut_text(feed.peek(feed.available), ended=feed.ended)
        if not data:
            if is_over:
                return
            yield  # for the rest of a character
            continue
        if flow.towards_target:
            hides = hides or exchange.asks_secret
            empty = _EMPTY_LINES.match(data) if begins and not hides else None
            begins = empty is not None
            if empty is not None:
                data = empty[0]
            elif hides and (end := data.find(b"\n") + 1):
                data = data[:end]
        elif exchange.greeted:
            said = (said + data)[-_QUESTION_BYTES:]
            exchange.asks_secret = bool(_SECRET_QUESTION.search(said))
        feed.take_available(len(data))
        beginning = data[:TEXT_BYTES]
        shown = b"" if hides else _hide_headers(line, beginning)
        left_out = len(data) - len(beginning)
        flow.add(Text(towards_target=flow.towards_target, size=len(data), data=shown, left_out=left_out, hidden=hides))
        line = _find_open_line(line + data[-TEXT_BYTES:])
        if hides and data.endswith(b"\n"):
            hides = exchange.asks_secret = False
        if begins:
            return


def _hide_headers(line: bytes, data: bytes) -> bytes:
    """Return text without the values of headers that give access; `line` is the line that it goes on with."""
    text, at = line + data, len(line)
    lower = text.lower()
    if b"authorization" not in lower and b"cookie" not in lower:  # the pattern takes 30 times as long
        return data
    pieces: list[bytes] = []
    for found in _SECRET_HEADER.finditer(text):
        value = found[0][max(found.end(1), at) - found.start() :]
        if value.strip():
            pieces += [text[at : found.end() - len(value)], b" " * value.startswith(b" ") + HIDDEN.encode()]
            at = found.end()
    return b"".join(pieces) + text[at:]


def _find_open_line(text: bytes) -> bytes:
    """Return the end of the line that has no end yet; of one in a secret header, its name."""
    line = text[max(text.rfind(b"\n"), text.rfind(b"\r")) + 1 :]
    found = _SECRET_HEADER.search(line)
    return line[-_NAME_BYTES:] if found is None else found[1]


def _cut_text(data: bytes, *, ended: bool) -> tuple[bytes, bool]:
    """Return the text at the beginning, without an incomplete character, and whether something else stands behind."""
    if not is_text(data):
        found = _NO_TEXT.search(data)
        return data[: found.start() if found else None], True
    ending = None if ended else _ENDING.search(data, max(0, len(data) - 3))
    return data[: ending.start()] if ending else data, False
