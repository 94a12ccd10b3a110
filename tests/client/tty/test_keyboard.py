"""Bursts of keys on a pseudo-terminal: what is a paste, and what was typed."""

import os
import threading
import time
import tty
from collections.abc import Iterator
from pathlib import Path

import pytest
from prompt_toolkit.keys import Keys

from sockctl.client.tty.background import NOT_ASKED
from sockctl.client.tty.keyboard import FOLLOWS_S, GOES_ON_S, QUIET_S, Keyboard
from tests.support.running import wait_until


class Typing:
    """A keyboard, and the far end of its terminal."""

    def __init__(self) -> None:
        self._far, near = os.openpty()
        tty.setraw(near)
        self._file = os.fdopen(near)
        self.keyboard = Keyboard(self._file, NOT_ASKED)

    def send(self, text: str) -> None:
        os.write(self._far, text.encode())

    def keys(self) -> list[str]:
        """Return the keys of one reading: a paste as its text in brackets."""
        return [f"[{one.data}]" if one.key is Keys.BracketedPaste else one.data for one in self.keyboard.read_keys()]

    def after(self, text: str) -> list[str]:
        self.send(text)
        return self.keys()

    def close(self) -> None:
        self._file.close()
        os.close(self._far)


@pytest.fixture
def typing() -> Iterator[Typing]:
    made = Typing()
    yield made
    made.close()


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


def test_a_burst_of_any_size_is_one_paste(typing: Typing) -> None:
    text = "".join(f"line {number}\r" for number in range(400))
    writer = threading.Thread(target=typing.send, args=(text,))
    writer.start()
    pasted = "".join(typing.keys())
    while writer.is_alive() or pasted.count("\r") < 400:
        pasted += "".join(typing.keys())
    writer.join()
    assert pasted.replace("[", "").replace("]", "") == text
    assert pasted.startswith("[")
    assert pasted.endswith("]"), "its last line is no entry, either"


def test_a_burst_goes_on_for_a_moment(typing: Typing) -> None:
    assert typing.after("one\rtwo") == ["[one\rtwo]"]
    assert typing.after("\r") == ["[\r]"]
    time.sleep(GOES_ON_S * 1.5)
    assert typing.after("\r") == ["\r"], "that is Enter"


def test_a_second_line_is_waited_for(typing: Typing) -> None:
    timer = threading.Timer(FOLLOWS_S / 3, typing.send, ["two\r"])
    timer.start()
    assert typing.after("one\r") == ["[one\rtwo\r]"]
    timer.join()


def test_an_answer_is_taken_as_it_is_typed(typing: Typing) -> None:
    typing.keyboard.is_asked = True
    assert typing.after("ann\r") == [*"ann", "\r"]
    assert typing.after("ann\rsecret\r") == [*"ann", "\r", *"secret", "\r"]
    assert typing.after("ann\rone\rtwo\r") == [*"ann", "\r", "[one\rtwo\r]"]


def test_it_is_busy_for_a_while_after_a_paste(typing: Typing) -> None:
    assert not typing.keyboard.is_busy
    typing.after("a")
    assert not typing.keyboard.is_busy
    typing.after("\x1b[200~one")
    typing.after("two\rthree")
    assert typing.keyboard.is_busy
    wait_until(lambda: not typing.keyboard.is_busy, timeout_s=QUIET_S * 5)


def test_the_far_end_hangs_up(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    with (tmp_path / "empty").open() as empty:
        keyboard = Keyboard(empty, NOT_ASKED)
        assert keyboard.read_keys() == []
        assert keyboard.closed
