"""Bursts of keys on a pseudo-terminal: what is a paste, and what was typed."""

import os
import select
import threading
import tty
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from prompt_toolkit.keys import Keys

from sockctl.client.tty.background import NOT_ASKED
from sockctl.client.tty.keyboard import BurstTimes, Keyboard
from tests.support.running import TIMEOUT_S, wait_until


class Typing:
    """A keyboard, and the far end of its terminal."""

    def __init__(self, times: BurstTimes) -> None:
        self._far, near = os.openpty()
        tty.setraw(near)
        self._file = os.fdopen(near)
        self.keyboard = Keyboard(self._file, NOT_ASKED, times=times)

    def send(self, text: str) -> None:
        os.write(self._far, text.encode())

    def keys(self) -> list[str]:
        """Wait for keys and return those of one reading: a paste as its text in brackets."""
        select.select([self._file], [], [], TIMEOUT_S)  # a terminal passes on later what was written to its far end
        return [f"[{one.data}]" if one.key is Keys.BracketedPaste else one.data for one in self.keyboard.read_keys()]

    def after(self, text: str) -> list[str]:
        self.send(text)
        return self.keys()

    def close(self) -> None:
        self._file.close()
        os.close(self._far)


@contextmanager
def typed(**times: float) -> Iterator[Typing]:
    made = Typing(BurstTimes(**times))
    try:
        yield made
    finally:
        made.close()


@pytest.fixture
def typing() -> Iterator[Typing]:
    with typed() as made:
        yield made


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("a", ["a"]),
        ("\r", ["\r"]),
        ("\r\r\r", ["\r", "\r", "\r"]),
        ("hello\r", [*"hello", "\r"]),
        ("one\rtwo", ["[one\rtwo]"]),
        ("one\rtwo\r", ["[one\rtwo\r]"]),
        ("one\n\texit\n", ["[one\n\texit\n]"]),
        ("\rtwo", ["[\rtwo]"]),
        ("one\rtwo\x04", ["[one\rtwo]", "\x04"]),
        ("one\r\x04", [*"one", "\r", "\x04"]),
        ("one\r\x03two\r", ["[one\r]", "\x03", "[two\r]"]),
        ("\x1b[200~one\rtwo\x1b[201~", ["[one\rtwo]"]),
        ("\x1b[200~one\rtwo\x1b[201~\r", ["[one\rtwo]", "\r"]),
    ],
)
def test_lines_that_come_at_once(typing: Typing, text: str, keys: list[str]) -> None:
    assert typing.after(text) == keys


def test_a_burst_of_any_size_is_one_paste() -> None:
    text = "".join(f"line {number}\r" for number in range(400))
    with typed(goes_on_s=TIMEOUT_S) as typing:
        writer = threading.Thread(target=typing.send, args=(text,))
        writer.start()
        pasted = "".join(typing.keys())
        while pasted.count("\r") < 400:
            pasted += "".join(typing.keys())
        writer.join()
    assert pasted.replace("[", "").replace("]", "") == text
    assert pasted.startswith("[")
    assert pasted.endswith("]"), "its last line is no entry, either"


@pytest.mark.parametrize(("goes_on_s", "key"), [(TIMEOUT_S, "[\r]"), (0, "\r")], ids=["paste", "Enter"])
def test_a_burst_goes_on_for_a_moment(goes_on_s: float, key: str) -> None:
    with typed(goes_on_s=goes_on_s) as typing:
        assert typing.after("one\rtwo") == ["[one\rtwo]"]
        assert typing.after("\r") == [key]


def test_a_second_line_is_waited_for() -> None:
    with typed(follows_s=TIMEOUT_S) as typing:
        typing.send("one\r")
        timer = threading.Timer(0.01, typing.send, ["two"])
        timer.start()
        assert typing.keys() == ["[one\rtwo]"]
        timer.join()


def test_an_answer_is_taken_as_it_is_typed(typing: Typing) -> None:
    typing.keyboard.is_asked = True
    assert typing.after("ann\r") == [*"ann", "\r"]
    assert typing.after("ann\rsecret\r") == [*"ann", "\r", *"secret", "\r"]
    assert typing.after("ann\rone\rtwo\r") == [*"ann", "\r", "[one\rtwo\r]"]


@pytest.mark.parametrize("quiet_s", [TIMEOUT_S, 0])
def test_it_is_busy_for_a_while_after_a_paste(quiet_s: float) -> None:
    with typed(quiet_s=quiet_s) as typing:
        assert not typing.keyboard.is_busy
        typing.after("a")
        assert not typing.keyboard.is_busy
        typing.after("\x1b[200~one")
        typing.after("two\rthree")
        assert typing.keyboard.is_busy == bool(quiet_s)


def test_it_is_busy_while_the_rest_of_a_paste_waits() -> None:
    """A busy machine may let the client go on long after the last keys, and before the next."""
    with typed(quiet_s=0, goes_on_s=0) as typing:
        typing.after("one\rtwo")
        typing.send("three")
        wait_until(lambda: typing.keyboard.is_busy)
        typing.keys()
        typing.after("x")
        typing.send("y")
        assert not typing.keyboard.is_busy, "that is typed by hand"


def test_the_far_end_hangs_up(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    with (tmp_path / "empty").open() as empty:
        keyboard = Keyboard(empty, NOT_ASKED)
        assert keyboard.read_keys() == []
        assert keyboard.closed
