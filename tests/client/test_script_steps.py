"""Steps of a scripted session: understood, or refused with their place."""

import re
from pathlib import Path

import pytest

from sockctl.client.script_steps import Expect, Send, Step, Wait, WaitForEnd, parse_steps, read_script
from sockctl.errors import ScriptError


def shown(steps: list[Step]) -> list[str]:
    return [f"{type(step).__name__} {step.pattern.pattern if isinstance(step, Expect) else step}" for step in steps]


def test_the_order_of_the_command_line(tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text("send two\n")
    order = ["target", "send", "timeout", "expect", "script", "send"]
    steps = parse_steps(order, send=["one", "three"], expect=["1"], script=script)
    assert steps == [Send("one"), Expect(re.compile("1")), Send("two"), Send("three")]


def test_a_script(tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text(
        "\ufeff# a comment\n\r\nsend  two  spaces \nsend\nexpect ^a b$\n  wait 0.5\nwait\nwait \nsend a\u2028b\x0cc\n",
        encoding="utf-8",
    )
    assert read_script(script) == [
        Send(" two  spaces "),
        Send(""),
        Expect(re.compile("^a b$")),
        Wait(0.5),
        WaitForEnd(),
        WaitForEnd(),
        Send("a\u2028b\x0cc"),
    ]


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("shout hello", "'shout' is no step"),
        ("expect (", "no regular expression"),
        ("expect", "the pattern is empty"),
        ("wait soon", "'soon' is no time"),
        ("wait -1", "no time"),
        ("wait nan", "no time"),
    ],
)
def test_a_line_that_is_not_understood(tmp_path: Path, line: str, why: str) -> None:
    script = tmp_path / "script"
    script.write_text(f"# first\n{line}\n")
    with pytest.raises(ScriptError, match=f"script, line 2: .*{re.escape(why)}"):
        read_script(script)


def test_options_that_are_not_understood() -> None:
    with pytest.raises(ScriptError, match=r"--expect: .*at position 0"):
        parse_steps(["expect"], send=[], expect=["*"], script=None)
    with pytest.raises(ScriptError, match="--send: a line can't hold a line break"):
        parse_steps(["send"], send=["a\nb"], expect=[], script=None)


def test_a_file_that_cannot_be_read(tmp_path: Path) -> None:
    with pytest.raises(ScriptError, match="No such file"):
        read_script(tmp_path / "missing")
    (tmp_path / "latin").write_bytes(b"send caf\xe9\n")
    with pytest.raises(ScriptError, match="byte 8"):
        read_script(tmp_path / "latin")
