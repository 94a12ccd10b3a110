"""How the steps of a script are carried out."""

import re
import time
import tracemalloc
from collections.abc import Sequence

import pytest

from sockctl.client.script import Script
from sockctl.client.script_steps import Expect, Send, Step, Wait, WaitForEnd
from sockctl.errors import ConnectionBrokenError, ConnectTimeoutError, ExpectationError
from sockctl.protocol.line_splitter import LineSplitter


def expect(pattern: str) -> Expect:
    return Expect(re.compile(pattern))


def script(*steps: Step, timeout_s: float = 10.0, kept_characters: int = 1_000_000) -> tuple[Script, list[str]]:
    said: list[str] = []
    run = Script(
        steps,
        say=said.append,
        may_say=lambda: True,
        leave=lambda: said.append("(bye)"),
        timeout_s=timeout_s,
        kept_characters=kept_characters,
    )
    return run, said


def test_sends_up_to_an_expectation() -> None:
    run, said = script(Send("a"), Send("b"), expect("x"), Send("c"))
    assert run.advance() is not None
    assert said == ["a", "b"]
    run.hear(["y"])
    assert run.advance() is not None
    run.hear(["x"])
    assert run.advance() is None
    assert said == ["a", "b", "c"]
    assert run.ended
    assert run.waits_for_answers


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
    run, _ = script(*map(expect, patterns))
    if at_once:
        run.hear(lines)
    else:
        for line in lines:
            for end in range(len(line)):
                run.hear([], line[:end])
                if "$" not in "".join(patterns):
                    run.advance()
            run.hear([line])
            run.advance()
    run.advance()
    assert run.ended is met
    if not met:
        with pytest.raises(ExpectationError):
            run.end()


def test_a_prompt_without_an_end() -> None:
    run, _ = script(expect("password: "), expect("ok"))
    run.hear([], "password: ")
    run.advance()
    run.hear(["password: ok"])
    run.advance()
    assert run.ended
    assert not run.waits_for_answers


def test_a_last_line_without_an_end_counts() -> None:
    run, _ = script(expect("^done$"))
    run.hear([], "done")
    run.end()
    assert run.ended


def test_an_expectation_in_vain() -> None:
    run, _ = script(expect("x"), timeout_s=0.01)
    run.advance()
    run.hear([f"line {number}" for number in range(9)], "\x1b[31mopen")
    time.sleep(0.02)
    with pytest.raises(ExpectationError) as caught:
        run.advance()
    assert str(caught.value).startswith("'x' was not found within 0.01 s. The last that came:\n  line 5\n")
    assert str(caught.value).endswith("\n  \N{SYMBOL FOR ESCAPE}[31mopen")
    empty, _ = script(expect("x"))
    with pytest.raises(ExpectationError, match=r"before the server ended the connection\. Nothing came\."):
        empty.end()


def test_waits() -> None:
    run, said = script(Wait(0.02), Send("a"), Wait(0))
    wait_s = run.advance()
    assert wait_s is not None
    assert 0 < wait_s <= 0.02
    assert said == []
    time.sleep(0.02)
    assert run.advance() is None
    assert said == ["a", "(bye)"]
    assert run.advance() is None
    assert said == ["a", "(bye)"], "goodbye is said once"


def test_waits_for_the_end() -> None:
    run, _ = script(WaitForEnd(), timeout_s=0.01)
    assert run.advance()
    time.sleep(0.02)
    with pytest.raises(ConnectTimeoutError, match=r"within 0\.01 s"):
        run.advance()
    other, _ = script(WaitForEnd(), Wait(5))
    other.advance()
    other.end()
    assert other.ended


def test_the_server_ends_before_the_script() -> None:
    run, said = script(expect("a"), Send("b"), Send("c"))
    run.hear(["a"])
    with pytest.raises(ConnectionBrokenError, match=r"2 steps were not carried out, the first of them .*'b'"):
        run.end()
    assert said == []


def test_what_nobody_expects_is_not_kept() -> None:
    run, _ = script(Send("a"), expect("x"), Wait(60))
    run.hear(["y"] * 1000)
    assert len(run._heard) == 1000
    run.hear(["x"] * 1000)
    run.advance()
    run.hear(["z"] * 1000, "open")
    assert not run._heard


def test_it_is_no_input() -> None:
    run, _ = script()
    assert not run.wanted
    assert run.read() == b""
    assert run.fileno() == -1


def test_lines_of_bytes() -> None:
    hearing = LineSplitter(limit=1_000)
    assert hearing.feed("ß".encode()[:1]) == []
    assert hearing.feed("ß".encode()[1:] + b"\r\nne") == ["ß"]
    assert hearing.open == "ne"
    assert hearing.feed(b"") == ["ne"]
    assert hearing.feed(b"") == []
    assert hearing.feed(b"a\n\nb\n") == ["a", "", "b"]


def test_a_line_without_end_costs_no_more_than_its_limit() -> None:
    hearing = LineSplitter(limit=5)
    for _ in range(1000):
        assert hearing.feed(b"abc") == []
    assert hearing.open == "abcab"
    assert hearing.feed(b"\nnext line\nx") == ["abcab", "next "]
    assert hearing.open == "x"
    whole = LineSplitter(limit=30_000)
    for _ in range(30_000):
        whole.feed(b"a")
    assert whole.feed(b"\n") == ["a" * 30_000]


def test_what_was_dropped_of_a_line_is_counted() -> None:
    hearing = LineSplitter(limit=3)
    assert hearing.feed(b"abcd\nabc\nabcd") == ["abc", "abc"]
    assert hearing.dropped == [1, 0]
    assert hearing.feed(b"efg") == []
    assert hearing.dropped == []
    assert hearing.feed(b"") == ["abc"]
    assert hearing.dropped == [4]


def test_what_waits_for_its_turn_is_bounded() -> None:
    run, _ = script(Wait(60), expect("never"), timeout_s=0.0, kept_characters=100_000)
    tracemalloc.start()
    try:
        for _ in range(1_000):
            run.hear(["x" * 1_000, ""])
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()
    with pytest.raises(
        ExpectationError, match=r"'never' was not found before .* \([0-9,]+ lines .* left out"
    ) as caught:
        run.end()
    assert str(caught.value).count("x" * 200) >= 1


def test_the_last_lines_before_its_turn_are_searched() -> None:
    run, said = script(Wait(0), expect("last"), Send("done"), kept_characters=1_000)
    run.hear(["last"])
    run.hear(["x" * 600, "x" * 600, "the last"])
    assert run.advance() is None
    assert said == ["done"]
