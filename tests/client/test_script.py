"""How the steps of a script are carried out."""

import re
import tracemalloc
from collections.abc import Sequence

import pytest

from sockctl.client.script import Script
from sockctl.client.script_steps import Expect, Send, Step, Wait, WaitForEnd
from sockctl.errors import ConnectionBrokenError, ConnectTimeoutError, ExpectationError


def expect(pattern: str) -> Expect:
    return Expect(re.compile(pattern))


class Run:
    """A script that is carried out by the test, on the test's clock."""

    def __init__(self, *steps: Step, timeout_s: float = 10.0, kept_characters: int = 1_000_000) -> None:
        self.script = Script(steps, timeout_s=timeout_s, kept_characters=kept_characters)
        self.said: list[str] = []
        self.now = 0.0

    def advance(self) -> float | None:
        """Carry out what can be carried out; return when more can be."""
        while (line := self.script.run_to_line(self.now, can_send=True)) is not None:
            self.said.append(line)
        return self.script.due_at

    def receive(self, lines: Sequence[str], open_line: str = "") -> None:
        self.script.receive(lines, open_line)


def test_sends_up_to_an_expectation() -> None:
    run = Run(Send("a"), Send("b"), expect("x"), Send("c"))
    assert run.advance() is not None
    assert run.said == ["a", "b"]
    run.receive(["y"])
    assert run.advance() is not None
    run.receive(["x"])
    assert run.advance() is None
    assert run.said == ["a", "b", "c"]
    assert run.script.ended
    assert run.script.ends_by_sending


@pytest.mark.parametrize(
    ("lines", "patterns", "met"),
    [
        (["a b"], ["a", "b"], True),
        (["a b"], ["b", "a"], False),
        (["a", "b"], ["b", "a"], False),
        (["a", "a"], ["^a$", "^a$"], True),
        (["a"], ["^a$", "^a$"], False),
        (["aa"], ["^a", "^a"], False),
        (["skipped", "a", "b"], ["b"], True),
        ([], [".*"], False),
        (["a"], [".*", ".*"], False),
        (["a", ""], [".*", "^$"], True),
        (["", ""], ["^$", "^$"], True),
        ([""], ["^$", "^$"], False),
        (["ab"], ["a", "$"], True),
        (["a"], ["a", "$"], False),
    ],
)
@pytest.mark.parametrize("at_once", [True, False])
def test_what_an_expectation_uses_up(lines: list[str], patterns: Sequence[str], met: bool, at_once: bool) -> None:
    run = Run(*map(expect, patterns))
    if at_once:
        run.receive(lines)
    else:
        for line in lines:
            for end in range(len(line)):
                run.receive([], line[:end])
                if "$" not in "".join(patterns):
                    run.advance()
            run.receive([line])
            run.advance()
    run.advance()
    assert run.script.ended is met
    if not met:
        with pytest.raises(ExpectationError):
            run.script.end()


def test_a_prompt_without_an_end() -> None:
    run = Run(expect("password: "), expect("ok"))
    run.receive([], "password: ")
    run.advance()
    run.receive(["password: ok"])
    run.advance()
    assert run.script.ended
    assert not run.script.ends_by_sending


def test_a_last_line_without_an_end_counts() -> None:
    run = Run(expect("^done$"))
    run.receive([], "done")
    run.script.end()
    assert run.script.ended


def test_an_expectation_in_vain() -> None:
    run = Run(expect("x"), timeout_s=0.01)
    run.advance()
    run.receive([f"line {number}" for number in range(9)], "\x1b[31mopen")
    run.now = 0.02
    with pytest.raises(ExpectationError) as caught:
        run.advance()
    assert str(caught.value).startswith("'x' was not found within 0.01 s. The last that came:\n  line 5\n")
    assert str(caught.value).endswith("\n  \N{SYMBOL FOR ESCAPE}[31mopen")
    empty = Run(expect("x"))
    with pytest.raises(ExpectationError, match=r"before the server ended the connection\. Nothing came\."):
        empty.script.end()


def test_waits() -> None:
    run = Run(Wait(0.02), Send("a"), Wait(0))
    assert run.advance() == 0.02
    assert run.said == []
    run.now = 0.02
    assert run.advance() is None
    assert run.said == ["a"]
    assert run.script.ended


def test_waits_for_the_end() -> None:
    run = Run(WaitForEnd(), timeout_s=0.01)
    assert run.advance()
    run.now = 0.02
    with pytest.raises(ConnectTimeoutError, match=r"within 0\.01 s"):
        run.advance()
    other = Run(WaitForEnd(), Wait(5))
    other.advance()
    other.script.end()
    assert other.script.ended


def test_the_server_ends_before_the_script() -> None:
    run = Run(expect("a"), Send("b"), Send("c"))
    run.receive(["a"])
    with pytest.raises(ConnectionBrokenError, match=r"2 steps were not carried out, the first of them .*'b'"):
        run.script.end()
    assert run.said == []


def test_what_nobody_expects_is_not_kept() -> None:
    run = Run(Send("a"), expect("x"), Wait(60))
    run.receive(["y"] * 1000)
    run.receive(["x"] * 1000)
    run.advance()
    tracemalloc.start()
    try:
        for number in range(1_000):
            run.receive([f"{number:1000}"], "open")
        assert tracemalloc.get_traced_memory()[0] < 100_000
    finally:
        tracemalloc.stop()


def test_what_waits_for_its_turn_is_bounded() -> None:
    run = Run(Wait(60), expect("never"), timeout_s=0.0, kept_characters=100_000)
    tracemalloc.start()
    try:
        for _ in range(1_000):
            run.receive(["x" * 1_000, ""])
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()
    with pytest.raises(
        ExpectationError, match=r"'never' was not found before .* \([0-9,]+ lines .* left out"
    ) as caught:
        run.script.end()
    assert str(caught.value).count("x" * 200) >= 1


def test_the_last_lines_before_its_turn_are_searched() -> None:
    run = Run(Wait(0), expect("last"), Send("done"), kept_characters=1_000)
    run.receive(["last"])
    run.receive(["x" * 600, "x" * 600, "the last"])
    assert run.advance() is None
    assert run.said == ["done"]
