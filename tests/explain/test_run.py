"""A topic's run in its own process: what comes back, and what is left where it fails or is killed."""

import codecs
import ctypes
import os
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from sockctl.errors import PacketLabError, TopicError
from sockctl.explain.catalogue import load_topic
from sockctl.explain.network import Network
from sockctl.explain.run import run_topic
from sockctl.explain.steps import Step
from sockctl.explain.topic import Table, Topic
from tests.support.other_user import OTHER_UID, as_other_user, needs_root
from tests.support.packets import leave_out_repetitions
from tests.support.processes import SOCKCTL, Popen
from tests.support.running import wait_until
from tests.support.tools import unavailable

pytestmark = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
"""A command has no threads when it starts the child; a test worker has some."""

NAME = "made_up"
_SET_DUMPABLE = 4  # linux/prctl.h


@dataclass(frozen=True, slots=True)
class Figures:
    """Figures of a topic that these tests make up."""

    sees_packets: bool


def measure(network: Network) -> Figures:
    return Figures(network.sees_packets)


def refuse() -> None:
    raise PacketLabError("unshare: Operation not permitted")


@pytest.fixture
def make_topic(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    def make(measure: Callable[[Network], Any], unseen: str = "") -> None:
        topic = Topic(
            question="What?",
            guess="What do you expect?",
            measure=measure,
            draw=lambda _: [Table(titles=("a",), rows=(("b",),))],
            conclude=lambda _: ["It is so."],
            attempt="sockctl",
            unseen=unseen,
        )
        monkeypatch.setitem(sys.modules, f"sockctl.explain.topics.{NAME}", SimpleNamespace(TOPIC=topic))

    return make


def test_the_figures_come_back(make_topic: Callable[..., None]) -> None:
    make_topic(measure)
    run = run_topic(NAME, load_topic(NAME))
    assert run.measured == Figures(sees_packets=False)
    assert run.make_fields("nothing") == {
        "topic": NAME,
        "question": "What?",
        "expected": "nothing",
        "network": "loopback",
        "unseen": None,
        "seconds": pytest.approx(run.seconds, abs=0.001),
        "measured": {"sees_packets": False},
        "conclusions": ["It is so."],
        "try": "sockctl",
    }


def test_a_refused_lab_is_replaced_and_told(make_topic: Callable[..., None]) -> None:
    make_topic(measure, unseen="the packets")
    run = run_topic(NAME, load_topic(NAME), enter=refuse)
    assert not run.measured.sees_packets
    assert run.unseen == (
        "Without the packet lab (unshare: Operation not permitted), the packets can't be seen: this is loopback."
    )
    assert run.make_fields()["network"] == "loopback"


def name_packets_of_close() -> str:
    """Run the topic in a process that has become another user, as login programs do, and name shutdown()'s packets."""
    ctypes.CDLL(None).prctl(_SET_DUMPABLE, 1, 0, 0, 0)  # a new program would be; else /proc/self stays root's
    run = run_topic("close", load_topic("close"))
    half: Step = run.measured.find("shutdown(WR)")
    return run.refused or f"{os.getuid()} {' '.join(packet.flags for packet in leave_out_repetitions(half.packets))}"


@needs_root
def test_another_user_sees_the_packets() -> None:
    load_topic("close")  # the other user may not read the modules
    codecs.lookup("idna")
    named = as_other_user(name_packets_of_close)
    if named.startswith(("unshare", "the user namespace", "the TUN", "/dev/net/tun")):
        unavailable(named)
    assert named == f"{OTHER_UID} FIN+ACK ACK"


def fail(_: Network) -> None:
    raise OSError("no more sockets")


def end(_: Network) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def sleep(_: Network) -> None:
    time.sleep(60)


@pytest.mark.parametrize(
    ("measure", "says"),
    [
        (fail, "failed: OSError: no more sockets"),
        (end, "ended early"),
        (sleep, "did not end within 0.2 s"),
    ],
)
def test_a_run_that_fails_is_told(
    make_topic: Callable[..., None], measure: Callable[[Network], Any], says: str
) -> None:
    make_topic(measure)
    with pytest.raises(TopicError, match=f"The run of '{NAME}' {says}"):
        run_topic(NAME, load_topic(NAME), limit_s=0.2 if measure is sleep else 10)


def find_children(pid: int) -> list[int]:
    try:
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except FileNotFoundError:
        return []


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_a_command_that_is_killed_leaves_nothing(number: signal.Signals) -> None:
    with Popen([*SOCKCTL, "explain", "nagle"], stdout=-1, stderr=-1) as command:
        wait_until(lambda: bool(find_children(command.pid)), what="the child")
        children = find_children(command.pid)
        command.send_signal(number)
        command.communicate(timeout=20)
        assert command.returncode == (130 if number is signal.SIGINT else -number)
    wait_until(lambda: not any(map(is_alive, children)), what="the end of the child")
