"""Runs a topic in a child process, so that its sockets, namespaces and devices end with it.

The child ends with its parent, also where that one is killed (prctl(2), PR_SET_PDEATHSIG), and after `LIMIT_S` by its
own alarm.
"""

import os
import pickle
import signal
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from sockctl.errors import PacketLabError, TopicError
from sockctl.explain.forks import die_with_parent
from sockctl.explain.lab import PacketLab, enter_namespaces
from sockctl.explain.network import Loopback
from sockctl.explain.topic import Run, Topic
from sockctl.terminal import write_all

LIMIT_S = 10.0
"""How long a run takes at most."""
_CHUNK_BYTES = 65_536


def run_topic(
    name: str, topic: Topic[Any], *, enter: Callable[[], None] = enter_namespaces, limit_s: float = LIMIT_S
) -> Run:
    """Run a topic and return what it measured. Blocks for `limit_s` at most.

    Args:
        name: The name of the topic.
        topic: The topic.
        enter: What gives the child its namespaces.
        limit_s: How long the topic may take.

    Raises:
        TopicError: The run has failed.
    """
    began = time.monotonic()
    refused = ""
    try:
        call = partial(_measure_packets, topic, enter) if topic.unseen else partial(_measure, topic)
        measured = _ask_child(name, call, limit_s)
    except PacketLabError as error:
        refused = str(error)
        measured = _ask_child(name, partial(_measure, topic), limit_s)
    return Run(name=name, topic=topic, measured=measured, seconds=time.monotonic() - began, refused=refused)


def _measure_packets(topic: Topic[Any], enter: Callable[[], None]) -> Any:
    enter()
    die_with_parent()  # the system forgets the wish where a process enters a user namespace
    with PacketLab() as lab:
        return topic.measure(lab)


def _measure(topic: Topic[Any]) -> Any:
    return topic.measure(Loopback())


def _ask_child(name: str, call: Callable[[], Any], limit_s: float) -> Any:
    """Call `call` in a child process and return its result.

    Raises:
        PacketLabError: The packet lab is refused.
        TopicError: The run has failed, or took too long.
    """
    reading, writing = os.pipe()
    parent = os.getpid()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # what runs at a fork would swallow Ctrl-C
    child = os.fork()
    if not child:
        _be_child(parent, reading, writing, call, limit_s)
    os.close(writing)
    try:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        answer = _read_all(reading)
    except BaseException:
        os.kill(child, signal.SIGKILL)
        raise
    finally:
        os.close(reading)
        _, status = os.waitpid(child, 0)
    if not answer:
        late = os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGALRM
        why = f"did not end within {limit_s:g} s" if late else "ended early"
        raise TopicError(f"The run of '{name}' {why}: the machine may be too busy. Try it again.")
    result, refused, failed = pickle.loads(answer)  # noqa: S301  our own child has written it
    if refused:
        raise PacketLabError(refused)
    if failed:
        raise TopicError(f"The run of '{name}' failed: {failed}.")
    return result


def _be_child(parent: int, reading: int, writing: int, call: Callable[[], Any], limit_s: float) -> None:
    """Call `call`, write its result, and end this process."""
    try:
        os.close(reading)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM):
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
        signal.setitimer(signal.ITIMER_REAL, limit_s)
        die_with_parent()
        if os.getppid() != parent:
            return  # it was killed before this process could ask to end with it
        answer: tuple[Any, str, str]
        try:
            answer = (call(), "", "")
        except PacketLabError as error:
            answer = (None, str(error), "")
        except Exception as error:  # noqa: BLE001  the parent tells it
            answer = (None, "", f"{type(error).__name__}: {error}")
        write_all(writing, pickle.dumps(answer))
    finally:
        os._exit(0)  # without the parent's buffers and exit functions


def _read_all(descriptor: int) -> bytes:
    parts = []
    while part := os.read(descriptor, _CHUNK_BYTES):
        parts.append(part)
    return b"".join(parts)
