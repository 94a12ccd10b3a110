"""The steps of a scripted session, from the command line and from script files."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from sockctl.durations import parse_duration
from sockctl.errors import ScriptError
from sockctl.protocol.names import make_name_key


@dataclass(frozen=True, slots=True)
class Send:
    """Send a line."""

    text: str


@dataclass(frozen=True, slots=True)
class Expect:
    """Wait until the pattern is found in a line or message of the server."""

    pattern: re.Pattern[str]


@dataclass(frozen=True, slots=True)
class Wait:
    """Go on after so many seconds."""

    seconds: float


@dataclass(frozen=True, slots=True)
class WaitForEnd:
    """Go on when the server has ended the connection."""


Step = Send | Expect | Wait | WaitForEnd
MAX_WAIT_S = 31_536_000.0


def parse_steps(order: Sequence[str], *, send: Sequence[str], expect: Sequence[str], script: Path | None) -> list[Step]:
    """Return the steps in the order of the command line.

    Args:
        order: The names of the options as they were given: ``send``, ``expect``, ``script`` and others.
        send: The values of ``--send``, in order.
        expect: The values of ``--expect``, in order.
        script: The value of ``--script``.

    Raises:
        ScriptError: A pattern is none, or the script file can't be read or understood.
    """
    sends, expects = iter(send), iter(expect)
    steps: list[Step] = []
    for name in order:
        if name == "send":
            steps.append(Send(_check_sendable(next(sends), "--send")))
        elif name == "expect":
            steps.append(_expect(next(expects), "--expect"))
        elif name == "script" and script is not None:
            steps += read_script(script)
    return steps


def read_script(path: Path) -> list[Step]:
    """Return the steps in a file, one a line: ``send TEXT``, ``expect REGEX``, ``wait TIME``, ``wait``.

    Blank lines and lines that begin with ``#`` don't count.

    Raises:
        ScriptError: It can't be read or understood; the error names the line.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")  # some editors put a byte order mark in front
    except OSError as error:
        raise ScriptError(f"The script {path} can't be read: {error.strerror}. Is its name right?") from error
    except UnicodeDecodeError as error:
        raise ScriptError(f"The script {path} is not UTF-8 (byte {error.start}): save it as UTF-8.") from error
    steps = []
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip() and not line.lstrip().startswith("#"):
            steps.append(_step(line.lstrip(), f"{path}, line {number}"))
    return steps


def answer_login(steps: Sequence[Step], users: Sequence[str], *, waits: bool = True) -> bool:
    """Return whether the steps log in by themselves: they begin with waiting for a question, or with a user's name.

    Args:
        steps: The steps.
        users: The users who may be meant.
        waits: Whether waiting at the begin is for a question.
    """
    match steps[:1]:
        case [Expect()]:
            return waits
        case [Send(text)]:
            return make_name_key(text.strip()) in map(make_name_key, users)
    return False


def _step(line: str, where: str) -> Step:
    verb, _, rest = line.partition(" ")
    match verb.rstrip():
        case "send":
            return Send(_check_sendable(rest, where))
        case "expect":
            return _expect(rest, where)
        case "wait":
            return _wait(rest.strip(), where)
        case _:
            raise ScriptError(
                f"{where}: {verb!r} is no step. Steps are send TEXT, expect REGEX, wait TIME, wait (for the end)."
            )


def _check_sendable(text: str, where: str) -> str:
    if "\n" in text or "\r" in text:
        raise ScriptError(f"{where}: a line can't hold a line break: send two lines.")
    return text


def _expect(pattern: str, where: str) -> Expect:
    if not pattern:
        raise ScriptError(f"{where}: the pattern is empty, and would match anything: give one, such as 'hello'.")
    try:
        return Expect(re.compile(pattern))
    except re.error as error:
        place = "" if error.pos is None else f" at position {error.pos}"
        raise ScriptError(f"{where}: {pattern!r} is no regular expression: {error.msg}{place}.") from error


def _wait(text: str, where: str) -> Step:
    if not text:
        return WaitForEnd()
    try:
        seconds = parse_duration(text)
    except ValueError:
        seconds = math.inf
    if seconds > MAX_WAIT_S:
        raise ScriptError(f"{where}: {text!r} is no time: write wait 500ms, or wait alone for the end.")
    return Wait(seconds)
