r"""The greeting: the one text line with which a message service begins, as SSH does (RFC 4253, section 4.2).

    sockctl/1 talk\r\n

A client that knows it answers with a frame, and both go on in frames. To everyone else it is a line of text.
"""

import re

PREFIX = b"sockctl/"
VERSION = 1
MAX_GREETING_BYTES = 64
"""Bytes in a greeting at most, its end included."""
_LINE = re.compile(rb"sockctl/([0-9]{1,9}) ([a-z][a-z0-9-]{0,31})\r?\n")


def make_greeting(service: str) -> bytes:
    """Return the greeting of `service`."""
    return b"%s%d %s\r\n" % (PREFIX, VERSION, service.encode())


def may_become_greeting(data: bytes) -> bool:
    """Return whether `data`, which has no line end yet, may be the beginning of a greeting."""
    return len(data) < MAX_GREETING_BYTES and PREFIX.startswith(data[: len(PREFIX)])


def parse_greeting(line: bytes) -> tuple[int, str] | None:
    """Return the version and the service's name of a greeting; None if `line` (its end included) isn't one."""
    match = _LINE.fullmatch(line)
    return None if match is None else (int(match[1]), match[2].decode())
