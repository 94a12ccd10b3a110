import math
import subprocess
import sys

import pytest

from sockctl.protocol.web_frames import PING, encode_web_frame
from tests.benchmarks.hostile.polite import cut_web_frame
from tests.benchmarks.hostile.table import Row, line
from tests.support.running import UNMEASURED


def hostile(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.benchmarks.hostile", *arguments]
    return subprocess.run(command, check=False, capture_output=True, text=True, timeout=100, env=UNMEASURED)


def test_a_figure_is_held_up_to_its_goal() -> None:
    assert Row(attack="a", what="w", figure=50, unit="ms", goal=50).held
    assert not Row(attack="a", what="w", figure=51, unit="ms", goal=50).held
    assert Row(attack="a", what="w", figure=20, unit="", goal=20, at_least=True).held
    assert not Row(attack="a", what="w", figure=19, unit="", goal=20, at_least=True).held
    assert Row(attack="a", what="w", figure=math.inf, unit="s").held


def test_a_line_tells_the_figure_beside_its_goal() -> None:
    shown = line(Row(attack="unknown", what="polite p99", figure=2_900, unit="ms", goal=50, note="2 lost"))
    assert shown.split() == ["unknown", "polite", "p99", "2,900", "ms", "<=", "50", "ms", "NO", "2", "lost"]
    assert "never s" in line(Row(attack="a", what="w", figure=math.inf, unit="s"))


@pytest.mark.parametrize("size", [0, 5, 125, 126, 70_000])
def test_frames_are_cut_as_they_come(size: int) -> None:
    data = encode_web_frame(b"x" * size) + encode_web_frame(b"", PING)
    came, texts = bytearray(), []
    for start in range(0, len(data), 1 + len(data) // 50):
        came += data[start : start + 1 + len(data) // 50]
        while (text := cut_web_frame(came)) is not None:
            texts.append(text)
    assert texts == [b"x" * size, b""]
    assert not came


@pytest.mark.slow
def test_attacks_are_measured_to_their_end() -> None:
    run = hostile("--seconds", "0.5", "calm", "log-knock")
    assert not run.stderr
    told = [one.split()[0] for one in run.stdout.splitlines()]
    assert told == ["attack", "calm", "calm", "calm", "calm", "log-knock"], run.stdout
    assert "not measured" not in run.stdout
    assert run.returncode == any(" NO" in one for one in run.stdout.splitlines())


def test_a_name_of_no_attack_is_refused() -> None:
    run = hostile("unheard-of")
    assert run.returncode == 2
    assert "there is no attack 'unheard-of': choose of calm, unknown" in run.stderr
